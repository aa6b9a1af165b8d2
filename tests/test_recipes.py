"""The recipe of GMG runs from end to end at a tiny size, and says what is wrong with its command line."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stblocks import RecurrentForecaster, create_model
from stblocks.data import DataSpec, SyntheticRadar
from stblocks.recipes import gmg_cikm, lagrangian_cikm
from stblocks.tasks import radar
from stblocks.train import read_flags, run_recipe
from stblocks.weights.state import read_weights

REPORT = "stblocks.tasks.recipe.report"
FLAGS = "--size 16 --channels 4 --num_layers 1 --in_frames 2 --out_frames 3 --epochs 1 --batch_size 2 --thresholds 20"
TINY = FLAGS.split()


@pytest.fixture(autouse=True)
def few_sequences(monkeypatch):
    for name in ("TRAIN", "VALIDATION", "TEST"):
        monkeypatch.setattr(radar, name, 4)


def message(*argv):
    """What the recipe ends with."""
    with pytest.raises(SystemExit) as stop:
        run_recipe(lambda: gmg_cikm.main(argv))
    return stop.value.code


def test_without_data_it_trains_on_made_rain_and_leaves_everything(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    gmg_cikm.main([*TINY, "--thresholds"])  # none: scores by thresholds take long to draw
    out = tmp_path / "runs" / "gmg_cikm-1"
    printed = capsys.readouterr().out
    assert "persistence" in printed
    assert "go on with --out runs/gmg_cikm-1 --resume" in printed
    files = {path.name for path in out.iterdir()}
    assert files == {
        *(".lock", "checkpoint.pt", "checkpoint.previous.pt", "config.json", "metrics.jsonl", "best", "model"),
        *("scores.md", "scores.csv", "loss.png", "skill.png", "forecast.png", "forecast.gif"),
    }
    check_scores(out)
    check_pictures(out)
    check_model(out)


@pytest.fixture
def reports(monkeypatch):
    """Takes the place of the report, which takes most of the time."""
    calls = []
    monkeypatch.setattr(REPORT, lambda *arguments, **options: calls.append((arguments, options)))
    return calls


def test_resume_goes_on_with_the_newest_run(reports, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    gmg_cikm.main([*TINY, "--metrics", "mae@pixel"])
    before = (tmp_path / "runs" / "gmg_cikm-1" / "metrics.jsonl").read_text()
    gmg_cikm.main([*TINY, "--metrics", "mae@pixel", "--resume"])
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["gmg_cikm-1"]
    assert (tmp_path / "runs" / "gmg_cikm-1" / "metrics.jsonl").read_text() == before
    (one, options), (other, _) = reports
    assert options == {"thresholds": (20.0,), "metrics": ("mae@pixel",), "batch_size": 2}
    for left, right in zip(one[0].parameters(), other[0].parameters(), strict=True):
        assert torch.equal(left, right)


def check_scores(out):
    with (out / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    leads = ["all", "1", "2", "3"]
    assert [(row["forecast"], row["lead"]) for row in rows] == [
        (name, lead) for lead in leads for name in ("model", "persistence")
    ]
    assert {"mse@pixel", "mae@frame_sum", "psnr@frame_mean", "ssim@uniform7"} <= rows[0].keys()
    assert all(float(row["mse@pixel"]) > 0 for row in rows)
    lines = (out / "scores.md").read_text().splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[3].startswith("| persistence |  all |")


def check_pictures(out):
    for name in ("loss.png", "skill.png", "forecast.png", "forecast.gif"):
        with Image.open(out / name) as image:
            image.load()
            assert min(image.size) > 200, name


def check_model(out):
    loaded = RecurrentForecaster.from_pretrained(out / "model").eval()
    settings = read_flags("gmg_cikm", gmg_cikm.Settings(), {}, TINY).settings
    best = create_model(
        settings.model, in_channels=1, image_size=(16, 16), channels=4, num_layers=1, patch_size=4, kernel_size=3
    ).eval()
    (weights,) = (out / "best").glob("step-*.safetensors")
    read_weights(best, weights)
    assert DataSpec.of_model(loaded) == DataSpec.of(SyntheticRadar(1, 2, 3, size=(16, 16)))
    past = SyntheticRadar(1, 2, 3, size=(16, 16), seed=2)[0].past[None]
    with torch.no_grad():
        assert torch.equal(loaded(past, 3), best(past, 3))


def cikm(path, *, altitudes=()):
    """A file in a layout of CIKM2017, of noise."""
    rng = np.random.default_rng(0)
    parts = {
        name: rng.integers(0, 256, (n, 15, *altitudes, 20, 20), dtype=np.uint8)
        for name, n in (("train", 20), ("test", 2))
    }
    np.savez(path, **parts)
    return ["--data", str(path)]


def test_it_trains_on_data_of_the_layout_of_cikm(reports, tmp_path):
    out = tmp_path / "run"
    data = cikm(tmp_path / "radar.npz")
    gmg_cikm.main([*TINY, *data, "--batch_size", "18", "--out", str(out)])
    steps = [line for line in (out / "metrics.jsonl").read_text().splitlines() if '"loss"' in line]
    assert len(steps) == 1  # of 20 sequences, 2 are held out
    ((_, test, directory), _) = reports[0]
    assert (len(test), directory) == (2, out)
    assert "holds a run already; pass resume=True (--resume on the command line)" in message(
        *TINY, *data, "--out", str(out)
    )
    assert "in its settings: batch_size was 18, is 2" in message(*TINY, *data, "--out", str(out), "--resume")


def test_an_altitude_is_one_of_the_data(tmp_path):
    data = cikm(tmp_path / "four.npz", altitudes=(4,))
    settings = read_flags("gmg_cikm", gmg_cikm.Settings(), {}, [*TINY, *data, "--altitude", "3.5"]).settings
    train, validation, test = radar.data_sets(settings)
    assert (len(train), len(validation), len(test)) == (18, 2, 2)
    with np.load(tmp_path / "four.npz") as arrays:
        top = torch.from_numpy(arrays["test"][0, :2, 3]).float() / 255
    expected = torch.nn.functional.interpolate(top[:, None], size=(16, 16), mode="bilinear")
    torch.testing.assert_close(test[0].past, expected)
    assert "altitude must be one of 0.5, 1.5, 2.5, 3.5 km, got 2" in message(*TINY, *data, "--altitude", "2")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--data", "nowhere.npz"], "ValueError: .*nowhere.npz"),
        (["--lr", "-1"], "ValueError: This run cannot start: lr must be a number > 0, got -1.0"),
        (["--batch_size", "5"], "batch_size must be at most the 4 training sequences, got 5"),
        (["--altitude", "0.5"], "ValueError: altitude needs data; made rain has none, got 0.5"),
        (["--resume"], "ValueError: There is no checkpoint runs/gmg_cikm-1/checkpoint.pt"),
        (["--in_frames", "0"], "ValueError: in_frames must be an integer >= 1, got 0"),
        (["--kernel_size", "2"], "ValueError: kernel_size must be"),
    ],
)
def test_a_mistake_is_a_message_and_leaves_no_run(argv, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=expected):
        run_recipe(lambda: gmg_cikm.main([*TINY, *argv]))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_flag_ends_it(capsys):
    assert message("--chanels", "4") == 2
    assert "there is no argument --chanels 4; did you mean --channels" in capsys.readouterr().err


def test_paper_is_table_1_of_the_paper(tmp_path, monkeypatch):
    made = {}

    def fit(model, train, validation, settings, out, **_):
        made.update(model=model, settings=settings, train=train)
        raise KeyboardInterrupt

    monkeypatch.setattr("stblocks.tasks.recipe.fit", fit)
    monkeypatch.setattr(gmg_cikm, "create_model", lambda name, **options: {"model": name, **options})
    data = cikm(tmp_path / "radar.npz")
    assert message("--paper", *data, "--out", str(tmp_path / "run")) == 130
    assert made["model"] == {
        "model": "gmg_l",
        "in_channels": 1,
        "image_size": (64, 64),
        "channels": 128,
        "num_layers": 4,
        "patch_size": 4,
        "kernel_size": 5,
    }
    settings = made["settings"]
    assert (settings.batch_size, settings.lr, settings.epochs, settings.schedule) == (16, 3e-4, 100, "onecycle")
    assert (settings.l1, settings.l2, settings.augment, settings.precision) == (1.0, 1.0, False, "no")
    assert (settings.sampling, settings.sampling_steps, settings.grad_clip) == ("scheduled", 50_000, None)
    assert made["train"].frame_shape == (1, 64, 64)
    assert (made["train"].in_frames, made["train"].out_frames) == (5, 10)
    assert not settings.problems()
    assert not gmg_cikm.Settings().problems()


def test_it_is_a_program(monkeypatch):
    assert Path(gmg_cikm.__file__).read_text().rstrip().endswith("run_recipe(main)")
    monkeypatch.setattr(sys, "argv", ["gmg_cikm.py", "--lr", "fast"])
    with pytest.raises(SystemExit, match="2"):
        gmg_cikm.main()


def test_the_recipe_for_heavy_rain_trains_with_its_loss(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    lagrangian_cikm.main(
        [
            "--size",
            "16",
            "--in_frames",
            "3",
            "--out_frames",
            "2",
            "--epochs",
            "1",
            "--batch_size",
            "2",
            "--channels",
            "4",
            "--thresholds",
        ]
    )
    out = tmp_path / "runs" / "lagrangian_cikm-1"
    first = json.loads((out / "metrics.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(first["l2"] + 0.01 * first["csi"], rel=1e-4)
