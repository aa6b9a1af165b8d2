"""The recipes on Moving MNIST run from end to end at a tiny size; their papers' settings are the papers'."""

import importlib
import json

import numpy as np
import pytest
import torch

from stblocks import Forecaster, create_model
from stblocks.train import run_recipe

REPORT = "stblocks.tasks.recipe.report"
DATA = "--size 16 --digits 1 --sequences 4 --test_sequences 2 --batch_size 2 --channels 4"
PATCHES = "--patch_size 2 --num_layers 2"
SIMVP = "--encoder_layers 2 --translator_channels 8 --num_layers 2"
U_SHAPE = "--patch_size 4"
FRAMES = {"in_channels": 1, "image_size": (64, 64)}
RECIPES = {
    "cms_lstm_mmnist": PATCHES,
    "predrnn_mmnist": PATCHES,
    "gfm_predrnn_mmnist": PATCHES,
    "gmg_mmnist": PATCHES,
    "phydnet_mmnist": "--channels 32",
    "mau_mmnist": "--num_layers 1 --tau 2",
    "simvpv2_mmnist": SIMVP,
    "tau_mmnist": SIMVP,
    "vmrnn_mmnist": U_SHAPE,
    "swinlstm_mmnist": f"{U_SHAPE} --channels 8 --depths_down 1 2 --depths_up 2 1",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a recipe, but for the report, and gives its directory."""
    monkeypatch.setattr(REPORT, lambda model, data, out, **_: model.save_pretrained(out / "model"))
    glyphs = tmp_path / "glyphs.npz"
    np.savez(glyphs, images=np.random.default_rng(0).integers(0, 256, (20, 6, 6), dtype=np.uint8))

    def run(name, *argv):
        flags = f"{DATA} {RECIPES[name]} --glyphs {glyphs} --out {tmp_path / 'run'}".split()
        run_recipe(lambda: importlib.import_module(f"stblocks.recipes.{name}").main([*flags, *argv]))
        return tmp_path / "run"

    return run


@pytest.mark.parametrize("name", RECIPES)
def test_ends_with_a_model_that_loads(name, run, capsys):
    model = Forecaster.from_pretrained(run(name) / "model")
    assert model(torch.rand(1, 10, 1, 16, 16), 2).shape == (1, 2, 1, 16, 16)
    assert "go on with --out" in capsys.readouterr().out


def test_tau_is_trained_with_its_divergence(run):
    steps = [json.loads(line) for line in (run("tau_mmnist") / "metrics.jsonl").read_text().splitlines()]
    steps = [step for step in steps if "loss" in step]
    assert len(steps) == 2
    for step in steps:
        assert step["divergence"] > 0
        assert step["loss"] == pytest.approx(step["l2"] + 0.1 * step["divergence"], rel=1e-5)


def test_the_first_forecast_of_cms_lstm_does_not_count(run, monkeypatch):
    objectives = []
    monkeypatch.setattr("stblocks.tasks.recipe.fit", lambda *_, objective, **__: objectives.append(objective()))
    with pytest.raises(AttributeError):  # nothing was trained
        run("cms_lstm_mmnist")
    assert objectives[0].skip == 1


def test_the_sampling_of_the_papers():
    for name, decay, step in (
        ("cms_lstm_mmnist", 0.01, 40_000),
        ("gmg_mmnist", 0.0, 50_000),
        ("mau_mmnist", 0.0, 50_000),
    ):
        settings = importlib.import_module(f"stblocks.recipes.{name}").PAPER
        assert (settings.sampling, settings.sampling_steps) == ("scheduled", step)
        assert (settings.weight_decay, settings.grad_clip) == (decay, None)


@pytest.mark.parametrize(
    ("name", "argv", "message"),
    [
        ("simvpv2_mmnist", "--sampling scheduled", "sampling must be 'none' for a direct model"),
        ("simvpv2_mmnist", "--encoder_layers 0", "encoder_layers must be an integer >= 1, got 0"),
        ("tau_mmnist", "--channels 0", "channels must be an integer >= 1, got 0"),
        ("vmrnn_mmnist", "--depths_up 1", "depths_down and depths_up must have the same number of entries"),
        ("swinlstm_mmnist", "--depths_down 2", "num_heads must have 1 entries, as depths_down has"),
    ],
)
def test_a_mistake_is_a_message_and_leaves_no_run(name, argv, message, run, tmp_path):
    with pytest.raises(SystemExit, match=f"ValueError: .*{message}"):
        run(name, *argv.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "millions", "steps", "batch", "lr", "schedule"),
    [
        ("cms_lstm_mmnist", 7.968, 80_000, 8, 1e-3, "cosine"),
        ("predrnn_mmnist", 23.839, 80_000, 8, 1e-3, "constant"),
        ("gfm_predrnn_mmnist", 27.340, 375_000, 16, 3e-4, "onecycle"),
        ("gmg_mmnist", 31.449, 375_000, 16, 3e-4, "onecycle"),
        ("phydnet_mmnist", 3.092, 125_000, 16, 1e-3, "onecycle"),
        ("mau_mmnist", 4.475, 125_000, 16, 1e-3, "onecycle"),
        ("simvpv2_mmnist", 46.770, 125_000, 16, 1e-3, "onecycle"),
        ("tau_mmnist", 44.656, 125_000, 16, 1e-3, "onecycle"),
        ("vmrnn_mmnist", 19.337, 2_500_000, 8, 5e-5, "constant"),
        ("swinlstm_mmnist", 18.845, 1_250_000, 16, 1e-4, "constant"),
    ],
)
def test_the_setting_of_the_paper(name, millions, steps, batch, lr, schedule, monkeypatch):
    recipe = importlib.import_module(f"stblocks.recipes.{name}")
    settings, built = recipe.PAPER, []
    monkeypatch.setattr(recipe, "create_model", lambda *args, **options: built.append((args, options)))
    recipe.build(settings, FRAMES | settings.model_options())
    (model,), options = built[0]
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in create_model(model, **options).parameters())
    assert round(parameters / 1e6, 3) == millions
    assert settings.epochs * settings.sequences // settings.batch_size == steps
    assert (settings.batch_size, settings.lr, settings.schedule, settings.precision) == (batch, lr, schedule, "no")
    assert not settings.problems()


@pytest.mark.parametrize("name", ["simvpv2_mmnist", "tau_mmnist", "vmrnn_mmnist", "swinlstm_mmnist", "phydnet_mmnist"])
def test_the_loss_of_the_paper_is_the_squared_error(name):
    settings = importlib.import_module(f"stblocks.recipes.{name}").PAPER
    assert (settings.l1, settings.l2, settings.sampling) == (0.0, 1.0, "none")
