"""Frames: each option said once, and seen in every model that has it; blocks, plugs and models of one's own."""

import inspect
import json
import re
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import nn

from stblocks import (
    TIME,
    Block,
    ConvLSTM,
    Forecaster,
    RecurrentForecaster,
    Slot,
    STConvLSTM,
    create_model,
    list_models,
    register_model,
)
from stblocks.core import model_entry
from stblocks.models import Base, Frame, PatchFrame, Plug, register_base, register_plug
from stblocks.slots import H
from stblocks.testing import check_block

SMALL = {"channels": 4, "num_layers": 2, "patch_size": 2, "kernel_size": 3}


def options(build):
    return {name: option.default for name, option in inspect.signature(build).parameters.items()}


@pytest.mark.parametrize("name", list_models())
def test_a_model_has_the_options_of_its_frame(name):
    build = model_entry(name).build
    assert options(Frame).items() <= options(build).items()
    assert "frame" not in options(build)
    in_channels, image_size, *others = inspect.signature(build).parameters.values()
    assert (in_channels.name, image_size.name) == ("in_channels", "image_size")
    assert {other.kind for other in others} == {inspect.Parameter.KEYWORD_ONLY}


def test_defaults_of_a_model_stand_above_those_of_its_frame():
    cms_lstm, convlstm = (options(model_entry(name).build) for name in ("cms_lstm", "convlstm"))
    changed = {"channels": 64, "kernel_size": 3, "norm": "layer"}
    assert changed.items() <= cms_lstm.items()
    assert {**convlstm, **changed, "forget_bias": 1.0}.items() <= cms_lstm.items()
    assert options(PatchFrame)["channels"] == 128


@pytest.mark.usefixtures("forgotten")
def test_a_frame_is_made_for_a_model():
    frames = []

    @register_model(frame=partial(PatchFrame, channels=6), num_layers=1)
    def framed(frame, *, depth=1):
        frames.append((frame, depth))
        return frame.build(Base(lambda place: [ConvLSTM(place.in_channels, place.channels, **place.options)]))

    model = create_model("framed", 2, (8, 8), patch_size=2)
    assert frames == [(PatchFrame(2, [8, 8], channels=6, num_layers=1, patch_size=2), 1)]
    assert model.config == json.loads(json.dumps({"model": "framed", **options(framed)})) | {
        "in_channels": 2,
        "image_size": [8, 8],
        "patch_size": 2,
    }
    assert isinstance(framed(1, (8, 8), channels=2, depth=3), RecurrentForecaster)  # by hand, too
    assert (frames[-1][0].channels, frames[-1][1]) == (2, 3)


@pytest.mark.parametrize("name", ["gmg_l", "predrnn", "vmrnn_d", "simvp", "hybrid"])
def test_docstrings_tell_of_the_options_of_the_frame(name):
    build = model_entry(name).build
    section = inspect.getdoc(build).partition("\nArgs:\n")[2].partition("\n\n")[0]
    told = re.findall(r"^    (\w+): ", section, flags=re.M)
    assert len(told) == len(set(told))
    assert set(told) <= set(options(build))
    assert {"in_channels", "image_size", "out_channels", "channels"} <= set(told)
    if name == "gmg_l":
        assert set(told) == set(options(build))


@pytest.mark.usefixtures("forgotten")
def test_options_that_cannot_be():
    with pytest.raises(TypeError, match="predrnn has no option 'chanels'; did you mean channels"):
        create_model("predrnn", chanels=3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'chanels'"):
        model_entry("predrnn").build(chanels=3)
    with pytest.raises(TypeError, match="twice has no option 'chanels'; did you mean channels"):
        register_model(frame=PatchFrame, chanels=3)(lambda_named("twice"))
    with pytest.raises(ValueError, match="twice and its frame both have the option channels; leave it to one of them"):
        register_model(frame=PatchFrame)(lambda_named("twice", channels=3))
    assert "twice" not in list_models()


def lambda_named(name, **defaults):
    source = f"def {name}(frame, *, {', '.join(f'{k}={v}' for k, v in {'own': 1, **defaults}.items())}): pass"
    scope = {}
    exec(source, scope)
    return scope[name]


def test_configs_of_before_load(tmp_path):
    """The options stand in one flat object in any order, as they did when each model listed its own."""
    model = create_model("cms_lstm", image_size=(8, 8), **SMALL | {"scales": [1], "norm": "group"}).eval()
    model.save_pretrained(tmp_path)
    keys = "out_channels channels num_layers patch_size kernel_size iterations scales forget_bias norm checkpointing"
    ordered = {key: model.config[key] for key in ("model", "in_channels", "image_size", *keys.split())}
    assert ordered == model.config
    (tmp_path / "config.json").write_text(json.dumps(ordered))
    past = torch.rand(1, 2, 1, 8, 8)
    assert torch.equal(Forecaster.from_pretrained(tmp_path)(past, 2), model(past, 2))


def test_frames_of_ones_own():
    @dataclass(frozen=True, kw_only=True)
    class Flat(Frame):
        width: int = 4

        def build(self, base):
            raise NotImplementedError

    assert Flat(2, (5, 7), out_channels=3).forecast_channels == 3
    assert Flat(2, (5, 7)).forecast_channels == 2
    assert Flat(image_size=(5, 7)).map_size(2) == (3, 4)
    for wrong, message in (({"in_channels": 0}, "in_channels must"), ({"image_size": 3}, r"image_size must be \(H, W")):
        with pytest.raises(ValueError, match=message):
            Flat(**wrong)


P = Slot("p", "P_t", TIME, "running mean of h")


class RunningMean(Block):
    reads = (H, P)
    writes = (H, P)
    owns = (P,)

    def __init__(self, channels):
        super().__init__({H: channels, P: channels})
        self.gate = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, h, p=None):
        h, p = self.take(h, p)
        p = 0.9 * p + 0.1 * h
        gate = torch.sigmoid(self.gate(torch.cat([h, p], 1)))
        return gate * h + (1 - gate) * p, p


@pytest.mark.usefixtures("forgotten")
def test_a_block_a_plug_and_a_model_from_outside(tmp_path):
    """The block above in 15 lines, the plug in one, the model in five, and all the library does with its own."""
    check_block(lambda: RunningMean(4))
    register_plug("running_mean", Plug(after=lambda place: [RunningMean(place.channels)]))

    @register_model(frame=PatchFrame, paper="ours", channels=8)
    @register_base
    def mean_rnn(frame, *, forget_bias=1.0):
        block = partial(STConvLSTM, forget_bias=forget_bias)
        return Base(lambda p: [block(p.in_channels, p.channels, **p.options), RunningMean(p.channels)])

    past = torch.rand(2, 3, 1, 8, 8)
    for name, more in (
        ("mean_rnn", {}),
        ("hybrid", {"base": "mean_rnn", "plugs": ["gfm"]}),
        ("hybrid", {"base": "predrnn", "plugs": ["running_mean", "stage"]}),
    ):
        model = create_model(name, **SMALL, **more).eval()
        model.rollout(past, 2).frames.square().sum().backward()
        assert all(p.grad is not None for p in model.parameters())
        model.save_pretrained(tmp_path / name)
        assert torch.equal(Forecaster.from_pretrained(tmp_path / name)(past, 2), model(past, 2))
    mean = create_model("mean_rnn", **SMALL)
    plugged = create_model("hybrid", base="predrnn", plugs=["running_mean"], **SMALL)
    plugged.load_state_dict(mean.state_dict())
    assert torch.equal(plugged(past, 2), mean(past, 2))
