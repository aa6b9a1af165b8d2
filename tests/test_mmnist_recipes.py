"""The recipes on Moving MNIST run from end to end at a tiny size; their papers' settings are the papers'."""

import importlib

import numpy as np
import pytest
import torch

from stblocks import RecurrentForecaster, create_model

RECIPES = ("cms_lstm_mmnist", "predrnn_mmnist", "gfm_predrnn_mmnist")
FLAGS = "--size 16 --patch_size 2 --channels 4 --num_layers 2 --sequences 4 --test_sequences 2 --batch_size 2"
TINY = [*FLAGS.split(), "--digits", "1"]


@pytest.mark.parametrize("name", RECIPES)
def test_ends_with_a_model_that_loads(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mmnist.report", lambda model, data, out, **_: model.save_pretrained(out / "model"))
    glyphs = tmp_path / "glyphs.npz"
    np.savez(glyphs, images=np.random.default_rng(0).integers(0, 256, (20, 6, 6), dtype=np.uint8))
    importlib.import_module(name).main([*TINY, "--glyphs", str(glyphs), "--out", str(tmp_path / "run")])
    model = RecurrentForecaster.from_pretrained(tmp_path / "run" / "model")
    assert model(torch.rand(1, 10, 1, 16, 16), 2).shape == (1, 2, 1, 16, 16)
    assert "go on with --out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "millions", "steps", "batch", "lr"),
    [
        ("cms_lstm_mmnist", 7.968, 80_000, 8, 1e-3),
        ("predrnn_mmnist", 23.839, 80_000, 8, 1e-3),
        ("gfm_predrnn_mmnist", 27.340, 375_000, 16, 3e-4),
    ],
)
def test_the_setting_of_the_paper(name, millions, steps, batch, lr, monkeypatch):
    recipe = importlib.import_module(name)
    settings, built = recipe.PAPER, []
    monkeypatch.setattr(recipe, "create_model", lambda *args, **options: built.append((args, options)))
    monkeypatch.setattr(recipe, "train_and_report", lambda _, build, *rest: build(settings))
    recipe.main(["--paper"])
    (model,), options = built[0]
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in create_model(model, **options).parameters())
    assert round(parameters / 1e6, 3) == millions
    assert settings.epochs * settings.sequences // settings.batch_size == steps
    assert (settings.batch_size, settings.lr, settings.precision) == (batch, lr, "no")
