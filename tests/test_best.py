"""The weights of lowest validation MSE are kept, a run ends with them, and stops when it gets no better."""

import pytest
import torch

from stblocks import Forecaster
from stblocks.score import Table, evaluate
from stblocks.train import Objective, TrainConfig, load_checkpoint
from stblocks.train.run import Run
from tests.test_data_spec import small
from tests.tiny import FIT, SMALL, Drifting, same_weights, tiny, train


@pytest.fixture
def scores(monkeypatch):
    """Validation scores, to be set by the test."""
    script = []

    def validate(*_):
        table = Table("model", {"mse@pixel": script.pop(0)}, [])
        return {"model": table, "persistence": table}

    monkeypatch.setattr(FIT, "_validate", validate)
    return script


def kept(out):
    return sorted(path.name for path in (out / "best").iterdir())


def test_a_run_ends_with_its_best_weights(scores, tmp_path):
    constant = {"schedule": "constant", "warmup": 0.0}  # so that a shorter run begins as a longer one
    scores[:] = 3.0, 1.0, 2.0
    result = train(tmp_path / "longer", epochs=3, **constant)
    assert (result.best_step, result.step) == (4, 6)
    assert kept(tmp_path / "longer") == ["step-00000004.safetensors"]
    last = load_checkpoint(tmp_path / "longer" / "checkpoint.pt")["training"]["model"]
    assert not torch.equal(last["gain"], result.model.gain)
    scores[:] = 3.0, 1.0
    assert same_weights(train(tmp_path / "shorter", epochs=2, **constant).model, result.model)


def test_the_lowest_scores_are_kept_and_nan_is_none_of_them(scores, tmp_path):
    scores[:] = torch.nan, 2.0, 3.0, 1.0, torch.nan
    assert train(tmp_path, epochs=5, keep_best=3).best_step == 8
    assert kept(tmp_path) == [f"step-0000000{step}.safetensors" for step in (4, 6, 8)]


@pytest.mark.parametrize(
    ("monitor", "step"), [("mse@pixel", 6), ("psnr@frame_mean", 4), ("csi@0.5", 2), ("far@0.5", 4)]
)
def test_the_monitor_says_what_is_best(monitor, step, monkeypatch, tmp_path):
    names = ("mse@pixel", "psnr@frame_mean", "csi@0.5", "far@0.5")
    script = [(3.0, 1.0, 0.6, 0.5), (2.0, 9.0, 0.5, 0.4), (1.0, 5.0, 0.4, 0.6)]

    def validate(*_):
        table = Table("model", dict(zip(names, script.pop(0), strict=True)), [])
        return {"model": table, "persistence": table}

    monkeypatch.setattr(FIT, "_validate", validate)
    assert train(tmp_path, epochs=3, thresholds=(0.5,), monitor=monitor).best_step == step


def test_a_score_that_is_not_among_the_metrics_can_be_monitored(tmp_path):
    result = train(tmp_path, epochs=1, monitor="ssim@uniform7", metrics=("mae@pixel",))
    assert {"mse@pixel", "mae@pixel", "ssim@uniform7"} == result.records[-1]["model"].keys()


def test_a_score_of_nothing_stops_no_run_in_silence(tmp_path):
    nothing = {"thresholds": (99.0,), "monitor": "csi@99", "patience": 1, "epochs": 4}
    with pytest.warns(UserWarning, match=r"validation score csi@99 is NaN, .* monitor another score, or validate on"):
        result = train(tmp_path, model=small(), **nothing)
    assert (result.step, result.best_step) == (8, 8)
    assert same_weights(Forecaster.from_pretrained(tmp_path / "best"), result.model)


@pytest.mark.parametrize(("patience", "steps"), [(1, 6), (2, 14), (None, 14)])
def test_patience_counts_scores_in_a_row_that_are_no_new_lowest(patience, steps, scores, tmp_path):
    scores[:] = 3.0, 2.0, 2.5, 1.0, 1.0, 0.5, 2.0
    assert train(tmp_path, epochs=7, patience=patience).step == steps


def test_the_average_of_weights_is_an_average_and_is_what_is_validated(tmp_path):
    run = Run(tiny(), Drifting(), TrainConfig(**SMALL, ema_decay=0.75), Objective)
    batches, average = run.batches(), None
    for _ in range(3):
        run.train(next(batches))
        gain = run.model.gain.detach().clone()
        average = gain if average is None else 0.75 * average + 0.25 * gain
    torch.testing.assert_close(run.forecaster.gain, average)
    result = train(tmp_path, ema_decay=0.75)
    validations = {record["step"]: record["model"] for record in result.records if "model" in record}
    ours = evaluate(result.model, Drifting(5, seed=1), batch_size=4)["model"]
    assert ours.pooled["mse@pixel"] == validations[result.best_step]["mse@pixel"]
    assert not torch.equal(result.model.gain, load_checkpoint(tmp_path / "checkpoint.pt")["training"]["model"]["gain"])
