"""The recipes on TaxiBJ run from end to end at a tiny size; their papers' settings are the papers'."""

import importlib

import numpy as np
import pytest
import torch

from stblocks import Forecaster, create_model
from stblocks.train import run_recipe

REPORT = "stblocks.tasks.recipe.report"
FRAMES = {"in_channels": 2, "image_size": (32, 32)}
RECIPES = {
    "simvpv2_taxibj": "--channels 4 --translator_channels 8 --num_layers 2",
    "vmrnn_taxibj": "--channels 4 --depth 1 --patch_size 8",
    "gmg_taxibj": "--channels 4 --num_layers 2 --patch_size 4",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a recipe, but for the report, and gives its directory."""
    monkeypatch.setattr(REPORT, lambda model, data, out, **_: model.save_pretrained(out / "model"))
    for part in ("TRAIN", "VALIDATION", "TEST"):
        monkeypatch.setattr(f"stblocks.tasks.taxibj.{part}", 4)

    def run(name, *argv):
        flags = f"{RECIPES[name]} --epochs 1 --batch_size 4 --out {tmp_path / 'run'}".split()
        run_recipe(lambda: importlib.import_module(f"stblocks.recipes.{name}").main([*flags, *argv]))
        return tmp_path / "run"

    return run


def npz(path):
    """Noise in the layout of the file that is passed on."""
    made = np.random.default_rng(0).uniform(-1, 1, (12, 4, 2, 32, 32)).astype(np.float32)
    made[:, 0, 0, 0, 0] = -1
    np.savez(path, X_train=made[:5], Y_train=made[5:10], X_test=made[10:11], Y_test=made[11:])
    return str(path)


@pytest.mark.parametrize("name", RECIPES)
def test_without_data_it_trains_on_made_traffic_and_ends_with_a_model_that_loads(name, run, capsys):
    model = Forecaster.from_pretrained(run(name) / "model")
    assert model(torch.rand(1, 4, 2, 32, 32), 5).shape == (1, 5, 2, 32, 32)
    assert "go on with --out" in capsys.readouterr().out


def test_it_trains_on_taxibj(run, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(REPORT, lambda model, data, out, **_: seen.append(data))
    run("simvpv2_taxibj", "--data", npz(tmp_path / "dataset.npz"))
    assert len(seen[0]) == 1
    assert seen[0].frame_shape == (2, 32, 32)


@pytest.mark.parametrize(
    ("name", "argv", "message"),
    [
        ("simvpv2_taxibj", "--data nowhere.npz", "nowhere.npz"),
        ("simvpv2_taxibj", "--sampling reverse", "sampling must be 'none' for a direct model"),
        ("simvpv2_taxibj", "--batch_size 5", "batch_size must be at most the 4 training sequences, got 5"),
        ("vmrnn_taxibj", "--data nowhere", "There is no nowhere"),
        ("vmrnn_taxibj", "--depth 0", "depth must be"),
    ],
)
def test_a_mistake_is_a_message_and_leaves_no_run(name, argv, message, run, tmp_path):
    with pytest.raises(SystemExit, match=f"ValueError: .*{message}"):
        run(name, *argv.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "parameters", "epochs", "lr", "l1"),
    [
        ("simvpv2_taxibj", 9_961_058, 50, 5e-4, 0.0),
        ("vmrnn_taxibj", 2_579_970 - 361_856, 200, 4e-4, 0.0),
        ("gmg_taxibj", 30_186_509, 200, 3e-4, 1.0),
    ],
)
def test_the_setting_of_the_paper(name, parameters, epochs, lr, l1, monkeypatch):
    recipe = importlib.import_module(f"stblocks.recipes.{name}")
    settings, built = recipe.PAPER, []
    monkeypatch.setattr(recipe, "create_model", lambda *args, **options: built.append((args, options)))
    recipe.build(settings, FRAMES | settings.model_options())
    (model,), options = built[0]
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in create_model(model, **options).parameters()) == parameters
    assert (settings.epochs, settings.lr, settings.batch_size, settings.precision) == (epochs, lr, 16, "no")
    assert (settings.l1, settings.l2, settings.schedule, settings.grad_clip) == (l1, 1.0, "cosine", None)
    assert settings.warmup * settings.epochs == 5
    assert not settings.problems()
