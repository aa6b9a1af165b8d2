"""The recipes on data that are not made, and those of Shanghai, run from end to end on tiny files."""

import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from stblocks import Forecaster
from stblocks.data import SequenceWindows
from stblocks.tasks.parts import hold_out
from stblocks.train import run_recipe
from tests.test_data_kth import avi, name, pixels

REPORT = "stblocks.tasks.recipe.report"
TINY = "--size 16 --channels 4 --epochs 1 --batch_size 2"
RECIPES = {
    "gmg_shanghai": "--num_layers 2 --precision no --thresholds",
    "cms_lstm_typhoon": "--num_layers 1 --precision no",
    "simvpv2_kth": "--translator_channels 8 --num_layers 1 --in_frames 3 --out_frames 2 --test_frames 2 --stride 1",
    "vmrnn_kth": "--channels 16 --patch_size 8 --in_frames 3 --out_frames 2 --test_frames 4 --stride 1",
}


def shanghai(root):
    """Samples of 20 frames in folders of PNG."""
    for part, samples in (("train", 4), ("test", 1)):
        for sample in range(samples):
            folder = root / part / str(sample)
            folder.mkdir(parents=True)
            for number, frame in enumerate(pixels(sample, 20)):
                Image.fromarray(frame).save(folder / f"{number}.png")
    return root


def typhoons(root):
    """Sequences of 12 frames in a file."""
    np.save(root / "typhoons.npy", pixels(0, 8 * 12).reshape(8, 12, 12, 16))
    return root / "typhoons.npy"


def kth(root):
    """Clips of a person of either part."""
    for person in (1, 17):
        (root / name(person)).write_bytes(avi(pixels(person, 14)))
    return root


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a recipe, but for the report, and gives its directory and the test data."""
    tests = []

    def report(model, data, out, **_):
        model.save_pretrained(out / "model")
        tests.append(data)

    monkeypatch.setattr(REPORT, report)

    def run(recipe, *argv):
        flags = f"{TINY} {RECIPES[recipe]} --out {tmp_path / 'run'}".split()
        run_recipe(lambda: importlib.import_module(f"stblocks.recipes.{recipe}").main([*flags, *argv]))
        return tmp_path / "run", tests[0]

    return run


@pytest.mark.parametrize(
    ("recipe", "write", "lengths", "windows"),
    [
        ("gmg_shanghai", shanghai, (10, 10), 1),
        ("cms_lstm_typhoon", typhoons, (8, 4), 2),
        ("simvpv2_kth", kth, (3, 2), 10),
        ("vmrnn_kth", kth, (3, 4), 8),
    ],
)
def test_it_trains_on_files_and_ends_with_a_model_that_loads(recipe, write, lengths, windows, run, tmp_path):
    (tmp_path / "files").mkdir()
    out, test = run(recipe, "--data", str(write(tmp_path / "files")))
    assert (test.in_frames, test.out_frames, len(test)) == (*lengths, windows)
    model = Forecaster.from_pretrained(out / "model")
    assert model(torch.rand(1, lengths[0], 1, 16, 16), 5).shape == (1, 5, 1, 16, 16)


def test_shanghai_without_data_is_made_rain(run, monkeypatch):
    for part in ("TRAIN", "VALIDATION", "TEST"):
        monkeypatch.setattr(f"stblocks.tasks.radar.{part}", 2)
    _, test = run("gmg_shanghai")
    assert (test.in_frames, test.out_frames, test.frame_shape) == (10, 10, (1, 16, 16))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("cms_lstm_typhoon", "data must name a file or folder of sequences of typhoons, as none are made here"),
        ("simvpv2_kth", "data must name the folder of KTH's zip files or clips, as none are made here"),
        ("vmrnn_kth", "data must name the folder of KTH's zip files or clips, .* pass --data PATH"),
    ],
)
def test_data_that_are_not_made_must_be_named(recipe, message, run, tmp_path):
    with pytest.raises(SystemExit, match=f"ValueError: {message}"):
        run(recipe)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_no_frame_is_trained_on_and_validated_on(stride):
    data = SequenceWindows(np.arange(60.0)[:, None, None], 3, 2, stride=stride)
    train, validation = hold_out(data, 0.3, (3 + 2 - 1) // stride)
    seen, held = (
        {frame for sample in part for frame in torch.cat(sample).flatten().tolist()} for part in (train, validation)
    )
    assert not seen & held
    assert len(validation) == round(0.3 * len(data))
    assert len(train) + len(validation) + 4 // stride == len(data)


def test_too_few_to_hold_some_out():
    with pytest.raises(ValueError, match="The data have 2 windows to train on, too few to hold some of them out"):
        hold_out(SequenceWindows(np.zeros((6, 2, 2)), 3, 2), 0.5, 4)


@pytest.mark.parametrize(
    ("recipe", "parameters", "size", "expected"),
    [
        ("gmg_shanghai", 31_448_973, 64, (200, 16, 3e-4, 0.0, "onecycle", 0.3, "scheduled", 50_000, 1.0)),
        ("cms_lstm_typhoon", 7_967_568, 64, (493, 8, 1e-3, 0.01, "cosine", 0.0, "scheduled", 50_000, 1.0)),
        ("simvpv2_kth", 15_797_441, 128, (100, 16, 1e-3, 0.0, "onecycle", 0.3, "none", None, 0.0)),
        ("vmrnn_kth", 1_050_241, 128, (100, 8, 5e-4, 0.0, "cosine", 0.05, "none", None, 0.0)),
    ],
)
def test_the_setting_of_the_paper(recipe, parameters, size, expected):
    module = importlib.import_module(f"stblocks.recipes.{recipe}")
    settings = module.PAPER
    with torch.device("meta"):
        model = module.build(settings, {"in_channels": 1, "image_size": (size, size)} | settings.model_options())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    names = "epochs batch_size lr weight_decay schedule warmup sampling sampling_steps l1"
    assert tuple(getattr(settings, each) for each in names.split()) == expected
    assert (settings.size, settings.l2, settings.grad_clip, settings.precision) == (size, 1.0, None, "no")
    assert not settings.problems()
    assert not module.Settings().problems()


def test_cms_lstm_on_typhoons_is_trained_as_on_digits():
    digits, typhoon = (importlib.import_module(f"stblocks.recipes.cms_lstm_{of}") for of in ("mmnist", "typhoon"))
    assert typhoon.main.objective().skip == digits.main.objective().skip == 1
    steps = typhoon.PAPER.epochs * round(1809 * 0.9) // 8
    assert abs(steps - 100_000) < 500
    assert abs(typhoon.PAPER.sampling_steps - steps / 2) < 250
