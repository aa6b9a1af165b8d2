"""Released checkpoints as they are found become models, and nothing in them is run."""

import json
import pickle
import re
from collections import OrderedDict

import numpy as np
import pytest
import torch
from released import randomise, released
from safetensors.torch import save_file
from test_interop import MODEL

from stblocks import Forecaster
from stblocks.cli import main
from stblocks.data import DataSpec, Scaler
from stblocks.interop import KINDS, from_official, read_official

KIND = "convlstm/model"


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    plan = KINDS[KIND](MODEL | {"configs": MODEL["configs"] | {"in_shape": [3, 8, 8, 12], "patch_size": 1}})
    randomise(plan.module)
    return {name: value.float() for name, value in released(plan).items()}


CONFIG = MODEL | {"configs": MODEL["configs"] | {"in_shape": [3, 8, 8, 12], "patch_size": 1}}
FOUND = {
    "bare": lambda weights: weights,
    "ordered": OrderedDict,
    "prefix": lambda weights: {f"model.{name}": value for name, value in weights.items()},
    "parallel": lambda weights: {"net_param": {f"module.{name}": value for name, value in weights.items()}},
    "lightning": lambda weights: {
        "epoch": 3,
        "state_dict": {f"model.module.{name}": value for name, value in weights.items()},
        "optimizer_states": [{"lr": 0.1}],
    },
}


@pytest.mark.parametrize("found", FOUND)
def test_checkpoints_are_read_as_they_are_found(found, weights, tmp_path):
    torch.save(FOUND[found](weights), tmp_path / "official.pth")
    read = read_official(tmp_path / "official.pth")
    assert read.keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in read.items())
    model, plain = (from_official(KIND, CONFIG, each) for each in (FOUND[found](weights), weights))
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), plain.parameters(), strict=True))


@pytest.mark.parametrize("beside", ["hffl.DWT.filters", 3])
def test_what_stands_beside_the_weights_is_left_out_and_said(beside, weights):
    """A method of Lightning holds its loss beside its model, in one state dict; a step may be a name."""
    held = {f"model.{name}": value for name, value in weights.items()} | {beside: torch.ones(2)}
    with pytest.warns(UserWarning, match=f"beside the model's weights {beside}, which are left out"):
        model = from_official(KIND, CONFIG, {"state_dict": held})
    plain = from_official(KIND, CONFIG, weights)
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), plain.parameters(), strict=True))


def test_a_converted_model_is_a_saved_one(weights, tmp_path, capsys):
    save_file(weights, tmp_path / "official.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    choice = ["--kind", KIND, "--offset", "-1e1", "--scale", "95", "--unit", "dBZ"]
    for number, config in enumerate((str(tmp_path / "config.json"), json.dumps(CONFIG))):
        out = tmp_path / f"model-{number}"
        main(["convert", str(tmp_path / "official.safetensors"), *choice, "--config", config, "--out", str(out)])
        model, past = Forecaster.from_pretrained(out), torch.rand(1, 3, 8, 8, 12)
        assert torch.equal(model(past, 2), from_official(KIND, CONFIG, weights)(past, 2))
        assert DataSpec.of_model(model).scaler() == Scaler(-10.0, 95.0, "dBZ")
        assert capsys.readouterr().out.startswith(f"{out}: convlstm of ")
    with pytest.raises(SystemExit, match="0"):
        main(["convert", "--kinds"])
    assert capsys.readouterr().out.split() == KINDS.names()


def test_a_converted_model_keeps_float64(weights, tmp_path):
    """The command forecasts with it in float32, as frames are."""
    save_file({name: value.double() for name, value in weights.items()}, tmp_path / "official.safetensors")
    out = tmp_path / "model"
    choice = ["--kind", KIND, "--offset", "0", "--scale", "1", "--config", json.dumps(CONFIG)]
    main(["convert", str(tmp_path / "official.safetensors"), *choice, "--out", str(out)])
    model, past = Forecaster.from_pretrained(out), torch.rand(1, 3, 8, 8, 12)
    assert {value.dtype for value in model.state_dict().values()} == {torch.float64}
    np.save(tmp_path / "past.npy", past[0].numpy())
    main(["predict", str(out), str(tmp_path / "past.npy"), "--horizon", "2", "--out", str(tmp_path / "forecast.npy")])
    forecast = torch.from_numpy(np.load(tmp_path / "forecast.npy"))
    torch.testing.assert_close(forecast.double(), model(past.double(), 2)[0], rtol=1e-4, atol=1e-5)


class Trap:
    """What a pickle could do."""

    def __reduce__(self):
        return (pytest.fail, ("it was run",))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (Trap(), [], "cannot be read as a checkpoint of torch.save that holds weights and plain values"),
        ({"state_dict": {"w": torch.ones(1)}, "hook": Trap()}, [], "cannot be read as a checkpoint of torch.save"),
        ([1, 2], [], "must hold a dict of weights, got list"),
        ({3: torch.ones(1)}, [], "must hold weights by name, .* got 3"),
        ({"epoch": 3}, [], "must hold weights by name, or have them under one of state_dict, .* got epoch"),
        ({"w": torch.ones(1)}, [], "state_dict must hold conv_last.weight; it holds w"),
        (None, [], r"There is no file .*official\.pth"),
        ({}, ["--kind", "convlstm/modl"], "There is no kind 'convlstm/modl'; did you mean convlstm/model"),
        ({"w": torch.ones(1)}, ["--config", "{"], "--config must be JSON"),
        ({"w": torch.ones(1)}, ["--config", "[1]"], r"--config must be a JSON file or an object \{...\}, got \[1\]"),
        ({"w": torch.ones(1)}, ["--config", "{}"], "config of convlstm/model must hold 'configs'"),
        ({"w": torch.ones(1)}, ["--scale", "3"], "--offset and --scale belong together"),
        ({"w": torch.ones(1)}, ["--unit", "dBZ"], "--unit goes with --offset and --scale, .* give these, too"),
        ({"w": torch.ones(1)}, ["--out", "."], "is there already; name another directory"),
    ],
)
def test_a_mistake_is_one_line(content, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if isinstance(content, Trap):
        (tmp_path / "official.pth").write_bytes(pickle.dumps(content))
    elif content is not None:
        torch.save(content, "official.pth")
    before = list(tmp_path.iterdir())
    arguments = ["--kind", KIND, "--config", json.dumps(CONFIG), "--out", "made", *options]
    with pytest.raises(SystemExit) as stopped:
        main(["convert", "official.pth", *arguments])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    errors = [line for line in printed.splitlines() if ": note: " not in line]
    assert len(errors) == 1
    assert re.search(message, errors[0]), printed
    assert list(tmp_path.iterdir()) == before


def test_parts_are_no_models(weights, tmp_path, capsys):
    kind, config = "gmg/sam", {"input_dim": 4, "hidden_dim": 3}
    torch.save(released(KINDS[kind](config)), tmp_path / "sam.pth")
    with pytest.raises(SystemExit):
        main(["convert", str(tmp_path / "sam.pth"), "--kind", kind, "--config", json.dumps(config), "--out", "x"])
    assert "--kind must be of a whole model to be saved" in capsys.readouterr().err
