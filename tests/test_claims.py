"""Verdicts on claims, and the tables that are made of the scores of all runs."""

import json
import math

import pytest

from benchmarks import claims
from benchmarks.claims import RESULTS, ranking, read_board, tables, verdict
from stblocks.blocks.translators.names import TRANSLATORS
from stblocks.models import BASES, PLUGS
from stblocks.score import BoardEntry, Leaderboard


def board(scores, data="radar"):
    """Three runs of each model: their scores of either kind."""
    costs = {"parameters": 2e6, "multiply_adds": 3e9, "milliseconds": 1.0}
    names = claims.DATA[data][1]
    return {
        "data": data,
        "models": {
            name: {"base": name, **costs, "scores": dict(zip(names, both, strict=True))}
            for name, both in scores.items()
        },
    }


RADAR = board(
    {
        "predrnn": ([10.0, 11.0, 12.0], [0.5, 0.5, 0.6]),
        "predrnn+gfm": ([7.0, 8.0, 9.0], [0.3, 0.4, 0.45]),
        "predrnn+sam": ([9.0, 10.5, 9.5], [0.6, 0.7, 0.8]),
    }
)


def test_a_claim_needs_every_run():
    assert verdict([3.0, 4.0], [1.0, 2.0]) == "confirmed"
    assert verdict([1.0, 2.0], [3.0, 4.0]) == "refuted"
    assert verdict([3.0, 1.5], [1.0, 2.0]) == verdict([3.0, 2.0], [1.0, 2.0]) == "not decided"


def test_errors_should_be_low_and_skill_high():
    rows = tables({"machine": "here", "boards": {"a": RADAR}})["claims"]["rows"]
    gfm, sam = rows
    assert gfm[:5] == ["GFM improves PredRNN", "GMG, Table VI", "radar", "8 ± 1 to 11 ± 1", "confirmed"]
    assert gfm[5:] == ["0.3833 ± 0.076 to 0.5333 ± 0.058", "refuted"]
    assert sam[3:] == [
        *("9.667 ± 0.76 to 11 ± 1", "not decided"),
        *("0.7 ± 0.1 to 0.5333 ± 0.058", "not decided"),
    ]


def test_a_run_that_diverged_is_the_worst():
    diverged = board({"predrnn": ([10.0, 11.0, 12.0], [0.5, 0.5, 0.6]), "predrnn+gfm": ([7.0, math.nan, 9.0],) * 2})
    found = {"machine": "here", "boards": {"a": diverged}}
    ((*_, errors, verdict, _, _),) = tables(found)["claims"]["rows"]
    assert (errors, verdict) == ("1 of 3 diverged ± NaN to 11 ± 1", "not decided")
    assert [row[0] for row in ranking({"a": diverged}, "radar")] == ["predrnn", "predrnn+gfm"]


def test_models_are_ranked_by_error():
    assert [row[0] for row in ranking({"a": RADAR}, "radar")] == ["predrnn+gfm", "predrnn+sam", "predrnn"]
    assert ranking({"a": RADAR}, "radar")[0][1:] == ["2.000", "3.000", "8", "1", "0.3833", "0.076"]
    assert ranking({"a": RADAR}, "moving_mnist") == []


def test_a_model_has_the_same_scores_on_every_board():
    again = board({"predrnn": ([10.0, 11.0, 12.0], [0.5, 0.5, 0.6])})
    assert len(ranking({"a": RADAR, "b": again}, "radar")) == 3
    other = board({"predrnn": ([10.0, 11.0, 12.5], [0.5, 0.5, 0.6])})
    with pytest.raises(ValueError, match="predrnn must have the same scores on all boards of radar, got others on b"):
        ranking({"a": RADAR, "b": other}, "radar")


def test_boards_are_read_as_they_are_left(tmp_path, monkeypatch):
    made = Leaderboard(("mse@frame_sum", "csi@20"))
    scores = {"mse@frame_sum": [1.0, 2.0, 4.0], "csi@20": [0.5, 0.25, 0.125]}
    made.add(BoardEntry("vmrnn", "vmrnn", 5, 6, 7.0, scores))
    made.to_csv(tmp_path / "leaderboard.csv")
    (tmp_path / "vmrnn" / "seed-0").mkdir(parents=True)
    config = tmp_path / "vmrnn" / "seed-0" / "config.json"
    settings = {"data": "moving_mnist", "epochs": 2, "sequences": 1607, "batch_size": 8}  # some left over
    for sequences, data in ((4807, "moving_mnist_1200"), (1607, "moving_mnist")):  # longer runs stand apart
        config.write_text(json.dumps(settings | {"sequences": sequences}))
        assert read_board(tmp_path)["data"] == data
    config.write_text(json.dumps(settings | {"sequences": 1600, "epochs": 4}))
    with pytest.raises(ValueError, match="boards of Moving MNIST must be of 400 or 1200 steps, got 800"):
        read_board(tmp_path)
    config.write_text(json.dumps(settings | {"data": "radar"}))
    found = read_board(tmp_path)
    assert found["data"] == "radar"
    assert found["models"]["vmrnn"] == {
        **{"base": "vmrnn", "parameters": 5.0, "multiply_adds": 6.0, "milliseconds": 7.0},
        "scores": dict(sorted(scores.items())),
    }
    monkeypatch.setattr(claims, "RESULTS", tmp_path)
    (tmp_path / "boards.json").write_text(json.dumps({"machine": "here", "boards": {}}))
    claims.main([str(tmp_path)])
    assert json.loads((tmp_path / "boards.json").read_text())["boards"] == {tmp_path.name: found}
    assert json.loads((tmp_path / "leaderboard_radar.json").read_text())["rows"][0][0] == "vmrnn"
    with pytest.raises(ValueError, match=r"boards must be directories with a leaderboard\.csv, got .*nowhere"):
        claims.main([str(tmp_path / "nowhere")])


def test_the_tables_are_those_of_the_scores():
    collected = json.loads((RESULTS / "boards.json").read_text(encoding="utf-8"))
    for name, table in tables(collected).items():
        assert json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) == table, name


def test_claims_are_of_models_that_there_are():
    for claim in claims.claims():
        for name in (claim.better, claim.worse):
            base, *plugs = name.split("+")
            assert base in ("simvp", *BASES)
            assert all(plug in (TRANSLATORS if base == "simvp" else PLUGS) for plug in plugs)
