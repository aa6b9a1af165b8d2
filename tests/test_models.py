"""The registry, published parameter counts, saving and loading."""

import inspect
import json
import socket
import sys
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import numpy as np
import pytest
import torch

from stblocks import GFM, Forecaster, create_model, list_models, register_model, register_variant
from stblocks.cli.describe import SETTINGS, Setting, model_info
from stblocks.core import hub, model_entry, pretrained
from stblocks.core.limits import TooLarge, at_most
from stblocks.interop import from_official
from stblocks.weights.state import load_weights, weights

#: Parameters as published, those that never take part left out; `growth="head"` for GMG is the released growth.
PUBLISHED = [
    ("convlstm", {}, 15_083_520 - 3_407_872),
    ("convlstm", {"in_channels": 2, "image_size": [32, 32], "patch_size": 2}, 14_980_096 - 3_407_872),
    ("convlstm", {"channels": 192}, 33_782_784 - 7_667_712),
    ("convlstm_s", {}, 3_822_592 - 851_968),
    ("convlstm_l", {}, 33_782_784 - 7_667_712),
    ("predrnn", {}, 23_838_720),
    ("predrnn", {"in_channels": 2, "image_size": [32, 32], "patch_size": 2}, 23_658_496),
    ("predrnnv2", {}, 23_855_104),
    ("motionrnn", {}, 26_911_553),
    ("predrnnpp", {}, 38_584_320 - 3_276_800),
    ("predrnnpp", {"in_channels": 2, "image_size": [32, 32], "patch_size": 2}, 38_404_096 - 3_276_800),
    ("mim", {}, 38_043_648 - 98_304),
    ("mim", {"in_channels": 2, "image_size": [32, 32], "patch_size": 2}, 37_863_424 - 98_304),
    ("cms_lstm", {}, 7_967_580 - 12),
    ("cms_lstm", {"kernel_size": 5}, 10_589_020 - 12),
    ("cms_lstm", {"kernel_size": 7}, 14_521_180 - 12),
    ("gmg_l", {"growth": "head"}, 31_449_069),
    ("gmg_l", {"growth": "head", "in_channels": 2, "image_size": [32, 32], "patch_size": 2}, 31_222_765),
    ("gmg_m", {"growth": "head"}, 30_412_909),
    ("gmg_s", {"growth": "head"}, 29_228_013),
    ("vmrnn_b", {"in_channels": 2, "image_size": [32, 32]}, 2_579_970 - 361_856),
    ("vmrnn_d", {"depths_up": [2, 6]}, 15_267_201 - 1_871_872),
    ("vmrnn_d", {"depths_down": [2, 2], "depths_up": [2, 2]}, 9_674_113 - 821_248),
    # Table 6 of the VMRNN paper: in each of 12 blocks of 256 inner channels, 2560 weights become another convolution
    ("vmrnn_b", {"in_channels": 2, "image_size": [32, 32], "convolution": "full"}, 2_218_114 + 12 * (590_080 - 2_560)),
    (
        "vmrnn_b",
        {"in_channels": 2, "image_size": [32, 32], "convolution": "large"},
        2_218_114 + 12 * (6_656 + 12_800 + 65_792 - 2_560),
    ),
    ("swinlstm_b", {"in_channels": 2, "image_size": [32, 32]}, 2_939_442 - 197_376),
    ("swinlstm_d", {}, 20_191_969 - 1_346_560),
    ("e3d_lstm", {}, 51_347_456),
    ("mau", {}, 4_483_588 - 8_259),
    ("phydnet", {"derivative_groups": 7}, 3_091_732),
    ("dmvfn", {"in_channels": 2, "image_size": [32, 32]}, 3_541_426),  # published as 3.54 M
]


#: Models without weights; `tests/test_baselines.py` is theirs.
BASELINES = ("advection", "persistence")
TRAINED = [name for name in list_models() if name not in BASELINES]

SMALL = {"channels": 4, "num_layers": 2, "patch_size": 2, "kernel_size": 3}
#: For networks of other dimensions.
ALSO_SMALL = {
    "feature_channels": 16,
    "widths": [4, 6],
    "depth": 2,
    "depths_down": [1, 1],
    "depths_up": [1, 1],
    "state_dim": 2,
}
#: For direct models.
ALSO_SMALL |= {"in_frames": 2, "out_frames": 2, "encoder_layers": 2, "translator_channels": 8, "groups": 2}
ALSO_SMALL |= {"depths": [1, 1, 1], "large_kernels": [5, 3], "matrix_channels": 3, "factors": [2, 2]}


#: Where a model needs others: heads that divide few channels, few blocks.
OWN_SMALL = {"predformer": {"num_heads": 2}, "dmvfn": {"scales": [2, 1]}}


def small_options(name, **more):
    """Options that make a model small, and others, those of them that it has."""
    known = inspect.signature(model_entry(name).build).parameters
    small = SMALL | ALSO_SMALL | OWN_SMALL.get(name, {}) | more
    return {option: value for option, value in small.items() if option in known}


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "options", "parameters"), PUBLISHED)
def test_published_parameters(name, options, parameters):
    with torch.device("meta"):
        assert count(create_model(name, **options)) == parameters


@pytest.mark.parametrize("name", list_models())
def test_the_entry_knows_its_parameters(name):
    entry = model_entry(name)
    setting = SETTINGS.get(entry.dataset, Setting())
    with torch.device("meta"):
        model = create_model(name, setting.in_channels, setting.image_size)
    assert entry.parameters in (None, count(model))


@pytest.mark.parametrize("name", TRAINED)
def test_every_option_changes_something(name):
    """No option is swallowed: another value of it gives another model, or an error that speaks of it."""
    small = small_options(name) | {"image_size": (8, 8)}
    small |= {option: value for option, value in (("channels", 8), ("patch_size", 1)) if option in small}
    others = {
        "channels": 12, "num_layers": 3, "patch_size": 2, "kernel_size": 5, "image_size": (8, 10), "in_channels": 2,
        "forget_bias": 0.25, "norm": "layer", "checkpointing": True, "attention_channels": 3, "warp_kernel_size": 5,
        "focus": "pooled", "time_decay": "batch", "growth": "head", "peephole": "channel", "iterations": 2,
        "scales": [2], "base": "predrnnpp", "depth": 3, "depths_down": [2, 1], "depths_up": [1, 2],
        "state_dim": 3, "expand": 1, "directions": ["rows"], "drop_path": 0.9, "mlp_ratio": 2.0,
        "in_frames": 3, "out_frames": 1, "out_channels": 1, "encoder_layers": 3, "shortcut": 3, "translator": "van",
        "dilations": [3], "lags": [0],
        "translator_channels": 12, "drop": 0.5, "plugs": ["simple_gfm"], "translator_kernel_sizes": [3, 5], "groups": 4,
        "cell": "convlstm", "cell_kernel_size": 3, "decoder_kernel_size": 5, "window_size": 2, "dt_rank": 2,
        "links": 3, "flow_channels": 5, "flow_kernel_size": 3,
        "beside": "phycell", "hidden_channels": [3, 8], "gain": "sigmoid", "derivative_groups": 3,
        "halvings": 1, "tau": 2, "residual": False, "recall": 1 if name == "e3d_lstm" else False,
        "window": 4, "time_padding": "stretch", "tokens": "runs", "memory": "dropped", "output_gate": "sigmoid_tanh",
        "memory_norm": "group", "widths": [4, 8], "couplings": 2, "feature_channels": 20,
        "order": "st",
        "depths": [1, 2, 1], "large_kernels": [7, 3], "keep": "width",
        "convolution": "full", "matrix_channels": 5, "factors": [4, 2], "weights": "column", "scrambled": True,
        "spatial_channels": 5, "routing": False, "beta": 0.2,
    }  # fmt: skip
    base = create_model(name, **small)
    others["norm"] = "group" if base.config.get("norm") else "layer"
    others["num_heads"] = [2, 4] if name.endswith("_d") else 4 if name == "predformer" else 2
    others["simple_focus"] = not base.config.get("simple_focus", True)

    def print_of(model):
        torch.manual_seed(0)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        shapes = [tuple(p.shape) for p in model.parameters()]
        past = torch.rand(2, getattr(model, "in_frames", 2), model.in_channels, 8, 8)
        horizon = getattr(model, "out_frames", 2 if model.out_channels == model.in_channels else 1)
        frames = model(past, horizon) if model.image_size in (None, (8, 8)) else None
        recomputes = any(getattr(module, "checkpointing", False) for module in model.modules())
        return shapes, None if frames is None else frames.flatten().tolist(), recomputes, model.image_size

    only_reported = set() if "norm" in base.config else {"image_size"}
    for option in base.config.keys() - {"model"} - only_reported:
        own = small | ({"plugs": ["se"]} if option == "scales" and name == "hybrid" else {})
        own |= {"in_channels": 2} if option in ("scrambled", "out_channels") else {}
        own |= {"translator": "swin"} if option == "window_size" and "translator" in base.config else {}
        changed = own | {option: others[option]} | ({"norm": "layer"} if option == "image_size" else {})
        if option == "focus" and base.config["simple_focus"]:
            with pytest.raises(ValueError, match="focus"):
                create_model(name, **changed)
            continue
        reference = create_model(name, **own, **({"norm": "layer"} if option == "image_size" else {}))
        assert print_of(create_model(name, **changed)) != print_of(reference), option


def test_numbers_of_numpy_are_numbers():
    image_size, channels = np.array([8, 10]), [np.int32(4), np.int64(4)]
    model = create_model("cms_lstm", np.int64(1), image_size, channels=channels, num_layers=np.int64(2), patch_size=2)
    assert model.config["image_size"] == [8, 10]
    assert model.config["channels"] == [4, 4]
    assert type(model.config["in_channels"]) is int
    assert model(torch.rand(1, 2, 1, 8, 10), 1).shape == (1, 1, 1, 8, 10)
    block = GFM(np.int64(3), np.int64(4))
    assert block(torch.rand(1, 3, 5, 5), torch.rand(1, 4, 5, 5)).shape == (1, 4, 5, 5)


def test_misspelt_and_unknown_names():
    with pytest.raises(TypeError, match=r"gmg_l has no option 'chanels'; did you mean channels"):
        create_model("gmg_l", chanels=3)
    with pytest.raises(TypeError, match="no option 'zzz'; there are in_channels"):
        create_model("gmg_l", zzz=3)
    with pytest.raises(ValueError, match="no model 'gmgl'; did you mean gmg_l"):
        create_model("gmgl")
    with pytest.raises(TypeError, match="norm must be a JSON value"):
        create_model("predrnn", norm=torch.nn.GroupNorm)
    for option, value in (
        ("channels", 0),
        ("num_layers", 0),
        ("patch_size", -1),
        ("norm", "batch"),
        ("image_size", [3]),
    ):
        with pytest.raises(ValueError, match=option):
            create_model("predrnn", **{option: value})


#: Models whose layers may be of different widths, and options that make them so.
UNEVEN = [
    ("convlstm", {}),
    ("convlstm", {"norm": "layer"}),
    ("sa_convlstm", {"attention_channels": 3}),
    ("cms_lstm", {"scales": [1, 2], "norm": "group"}),
    ("hybrid", {"base": "convlstm", "plugs": ["ce", "se", "gfm", "mgm"], "scales": [1, 2]}),
    ("hybrid", {"base": "sa_convlstm", "plugs": ["simple_gfm", "motion_gru"]}),
    ("hybrid", {"base": "cms_lstm", "plugs": ["gfm"], "scales": [1, 2]}),
]


@pytest.mark.parametrize(("name", "options"), UNEVEN, ids=str)
def test_layers_of_different_widths(name, options, tmp_path):
    small = {"image_size": (8, 10), "num_layers": 3, "patch_size": 2, "kernel_size": 3, **options}
    model = create_model(name, channels=(6, 4, 8), **small)
    assert [layer.out_channels for layer in model.stack.layers] == [6, 4, 8]
    past = torch.rand(2, 3, 1, 8, 10)
    model.rollout(past, 2).frames.square().sum().backward()
    assert [key for key, p in model.named_parameters() if p.grad is None] == []
    model.eval().save_pretrained(tmp_path)
    other = Forecaster.from_pretrained(tmp_path)
    assert other.config["channels"] == [6, 4, 8]
    assert torch.equal(other(past, 2), model(past, 2))
    assert "channels=[6, 4, 8]" in model_info(name, in_frames=2, horizon=1, channels=[6, 4, 8], **small)


def test_one_width_for_each_layer_is_one_width():
    each, one = (torch.manual_seed(0) and create_model("predrnn", **SMALL | {"channels": c}) for c in ([4, 4], 4))
    past = torch.rand(1, 2, 1, 8, 8)
    assert torch.equal(each(past, 2), one(past, 2))


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        *((name, {}, "m") for name in ("predrnn", "predrnnv2", "predrnnpp", "mim")),
        *((name, {}, "z") for name in ("motionrnn", "gmg_l", "gmg_m", "gmg_s")),
        ("hybrid", {"base": "convlstm", "plugs": ["sam"]}, "m"),
        ("hybrid", {"base": "convlstm", "plugs": ["highway"]}, "z"),
        ("hybrid", {"base": "mim", "plugs": []}, "m"),
    ],
    ids=str,
)
def test_what_climbs_from_layer_to_layer_has_one_width(name, options, what):
    climbs = rf"{what} \(.*\) climbs from layer to layer, but has 4 channels .* and 6 .* one width, as in channels=4"
    message = rf"^plugs .* do not fit base .*: {climbs}" if options.get("plugs") else f"^{climbs}"
    with pytest.raises(ValueError, match=message):
        create_model(name, **SMALL | {"channels": [4, 6]}, **options)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ([4, 4, 4], r"channels must be one width, or one for each of num_layers=2 layers, got \[4, 4, 4\]"),
        ([], "channels must be one width, or one for each of num_layers=2"),
        ([4, 0], r"channels\[1\] must be an integer >= 1, got 0"),
        ([4, 2.5], r"channels must be an integer or a list of integers, got \[4, 2.5\]"),
        ("44", "channels must be an integer or a list of integers, got '44'"),
        (4.0, r"channels must be an integer or a list of integers, got 4\.0"),
    ],
)
def test_widths_that_cannot_be(channels, message):
    with pytest.raises(ValueError, match=message):
        create_model("convlstm", **SMALL | {"channels": channels})


@pytest.mark.parametrize(
    "name",  # `lagrangian` feeds nothing back
    [name for name in TRAINED if name != "lagrangian" and "out_channels" in small_options(name, out_channels=1)],
)
def test_forecasts_of_other_channels(name, tmp_path):
    options = small_options(name, out_channels=1) | {"in_channels": 2, "image_size": (16, 16)}
    model = create_model(name, **options).eval()
    past = torch.rand(1, getattr(model, "in_frames", 3), 2, 16, 16)
    assert model(past, 1).shape == (1, 1, 1, 16, 16)
    with pytest.raises(ValueError, match=r"forecasts have 1 channels but inputs 2.* set model\.feedback"):
        model(past, 3)
    model.save_pretrained(tmp_path)
    other = Forecaster.from_pretrained(tmp_path)
    for each in (model, other):
        each.feedback = lambda frames: frames.repeat_interleave(2, dim=-3)
    assert torch.equal(other(past, 3), model(past, 3))
    frames = getattr(model, "out_frames", 1)
    assert f"output     1 x {frames} x 1 x 16 x 16" in model_info(name, **options)
    with pytest.raises(ValueError, match="out_channels must be an integer >= 1, got 0"):
        create_model(name, **options | {"out_channels": 0})


def test_listing():
    assert list_models("gmg*") == ["gmg_l", "gmg_m", "gmg_s"]
    assert list_models("none*") == []


@pytest.mark.usefixtures("forgotten")
def test_registering():
    @register_model(paper="ours")
    def ours(in_channels=1, image_size=(8, 8), *, width=4):
        return create_model("convlstm", in_channels, image_size, channels=width, num_layers=1)

    assert create_model("ours", width=6).config == {
        "model": "ours",
        "in_channels": 1,
        "image_size": [64, 64],
        "width": 6,
    }
    register_variant("ours_wide", ours, width=16)
    assert create_model("ours_wide").config["width"] == 16
    with pytest.raises(ValueError, match="There is a model 'ours' already"):
        register_model()(ours)
    with pytest.raises(TypeError, match="ours has no option 'widht'; did you mean width"):
        register_variant("ours_narrow", ours, widht=2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("prednet", {"widths": 4}, "widths must be a list of integers, got 4"),
        ("prednet", {"widths": "48"}, "widths must be a list of integers, got '48'"),
        ("lagrangian", {"dilations": 3}, "dilations must be a list of integers, got 3"),
        ("lagrangian", {"lags": 0}, "lags must be a list of integers, got 0"),
        ("phydnet", {"hidden_channels": 64}, "hidden_channels must be a list of integers or None, got 64"),
        ("phydnet", {"hidden_channels": [0, 64]}, r"hidden_channels\[0\] must be an integer >= 1, got 0"),
        ("mmvp", {"depths": [-1, 2, 2]}, r"depths\[0\] must be an integer >= 1, got -1"),
        ("mmvp", {"depths": 2}, "depths must be a list of integers, got 2"),
        ("mmvp", {"factors": [2.0, 2]}, r"factors must be a list of integers, got \[2.0, 2\]"),
        ("wast", {"depths": 2}, "depths must be a list of integers, got 2"),
        ("wast", {"large_kernels": 5}, "large_kernels must be a list of integers, got 5"),
        ("vmrnn_d", {"depths_down": 2}, "depths_down must be a list of integers, got 2"),
        ("vmrnn_d", {"depths_up": [6, 0]}, r"depths_up\[1\] must be an integer >= 1, got 0"),
        ("swinlstm_d", {"num_heads": 4}, "num_heads must be a list of integers, got 4"),
        ("swinlstm_d", {"depths_down": 4}, "depths_down must be a list of integers, got 4"),
        ("hybrid", {"plugs": None}, "plugs must be a list of texts, got None"),
    ],
)
def test_options_that_must_be_lists(name, options, message):
    with pytest.raises(ValueError, match=message):
        create_model(name, **options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mmvp", {"in_frames": "2"}, "in_frames must be an integer, got '2'"),
        ("phydnet", {"derivative_groups": 5}, "derivative_groups must be a divisor of the 49 derivatives .* got 5"),
        ("wast", {"drop_path": -0.1}, r"drop_path must be a rate in \[0, 1\), got -0.1"),
        ("advection", {"window": "8"}, "window must be a finite number, got '8'"),
    ],
)
def test_numbers_that_cannot_be(name, options, message):
    with pytest.raises(ValueError, match=message):
        create_model(name, **options)


@pytest.mark.parametrize("name", list_models())
def test_saving_and_loading(name, tmp_path):
    model = create_model(name, image_size=(16, 16), **small_options(name)).eval()
    past = torch.rand(1, getattr(model, "in_frames", 3), 1, 16, 16)
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"config.json", "model.safetensors"}
    other = Forecaster.from_pretrained(tmp_path)  # in eval()
    assert other.config == model.config == json.loads((tmp_path / "config.json").read_text())
    assert torch.equal(other(past, 2), model(past, 2))


@pytest.mark.parametrize("proxy", ["", "http://proxy.invalid:3128"])
def test_a_hub_that_is_out_of_reach_is_not_waited_for(proxy, monkeypatch):
    asked = []

    def refuse(place, timeout):
        asked.append((*place, timeout))
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(hub, "getproxies", lambda: {"https": proxy})
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(
        ValueError, match=r"no directory owner/model, and the hub did .*cannot be reached, and it is not"
    ):
        Forecaster.from_pretrained("owner/model")
    assert asked == [("proxy.invalid", 3128, 3) if proxy else ("huggingface.co", 443, 3)]


def test_what_is_no_model_and_no_option(tmp_path):
    create_model("predrnn", **SMALL).save_pretrained(tmp_path)
    with pytest.raises(TypeError, match="chanels"):
        Forecaster.from_pretrained(tmp_path, chanels=3)
    with pytest.raises(ValueError, match=r"There is no directory .*no/such/place"):
        Forecaster.from_pretrained(tmp_path / "no/such/place", local_files_only=True)
    for name in ("no_such_directory", "runs/x/best", "../elsewhere", "/no/such"):  # no name on the hub either
        with (
            patch.object(socket, "create_connection", side_effect=AssertionError),
            pytest.raises(ValueError, match=f"There is no directory {name}, and a name on the hub is owner/model"),
        ):
            Forecaster.from_pretrained(name)
    for size in (64, [64]):
        with pytest.raises(ValueError, match=r"image_size must be \(H, W\), got"):
            create_model("predrnn", image_size=size)


def test_damaged_files_are_named(tmp_path):
    create_model("predrnn", **SMALL).save_pretrained(tmp_path)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=r"model.safetensors cannot be read as a safetensors file"):
        Forecaster.from_pretrained(tmp_path)
    weights.write_bytes(whole)
    config.write_text(config.read_text().replace('"channels": 4', '"channels": 8'))
    with pytest.raises(ValueError, match=r"weights of another model: .* is \(.*\), not \("):
        Forecaster.from_pretrained(tmp_path)
    config.write_text(config.read_text().replace("predrnn", "motionrnn"))
    with pytest.raises(ValueError, match=r"weights of another model: .* is missing"):
        Forecaster.from_pretrained(tmp_path)
    config.write_text("{")
    with pytest.raises(ValueError, match=r"config\.json cannot be read as a JSON file"):
        Forecaster.from_pretrained(tmp_path)
    config.write_text("{}")
    with pytest.raises(ValueError, match='must be an object with a key "model"'):
        Forecaster.from_pretrained(tmp_path)
    weights.unlink()
    config.write_text('{"model": "predrnn"}')
    with pytest.raises(ValueError, match=r"model\.safetensors is missing"):
        Forecaster.from_pretrained(tmp_path)


def spoilt(tmp_path, **options):
    create_model("predrnn", **SMALL).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **options}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 3000}, r"model.safetensors holds the weights of another model"),
        ({"channels": 10**5}, r"model.safetensors holds the weights of another model"),
        ({"num_layers": 10**5}, r"config.json describes a model of many more modules than the \d+ tensors"),
        ({"num_layers": 10**9}, r"config.json has num_layers=1000000000: an integer must be at most 100000, or the"),
        ({"image_size": [10**12, 8]}, r"config.json has image_size="),
        ({"chanels": 4}, r"config.json describes no model that can be built: predrnn has no option 'chanels'; did"),
        ({"channels": "four"}, r"config.json describes no model that can be built: channels must be an integer"),
        ({"norm": {"a": []}}, r"config.json describes no model that can be built"),
        ({"model": "predrn"}, r"config.json describes no model that can be built: There is no model 'predrn'; did you"),
        (
            {"data_spec": 3},
            r"config.json must have a data_spec that is an object of at most 100000 characters, or none",
        ),
        ({"data_spec": {"unit": "K" * 10**6}}, r"config.json must have a data_spec that is an object of at most 10000"),
        ({"data_spec": {"offset": float("nan")}}, r"config.json must have a data_spec of finite JSON values"),
        ({"model": ["predrnn"]}, 'must be an object with a key "model" that names a registered model'),
    ],
)
def test_a_config_that_does_not_fit_is_refused_before_anything_is_built(options, message, tmp_path, monkeypatch):
    spoilt(tmp_path, **options)

    def build(name, **given):
        built.append(torch.empty(0).device.type)
        return create_model(name, **given)

    built = []
    monkeypatch.setattr(pretrained, "create_model", build)
    with pytest.raises(ValueError, match=message):
        Forecaster.from_pretrained(tmp_path)
    assert {*built} <= {"meta"}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"model": ' * 100_000, "[]", "3", '"predrnn"', "null", "\0" * 9])
def test_a_config_that_is_no_config_is_refused(text, tmp_path):
    spoilt(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config.json (must be an object|cannot be read as a JSON file)"):
        Forecaster.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("gmg_l", "num_layers"),
        ("simvpv2_s", "encoder_layers"),
        ("swinlstm_b", "depth"),
        ("vmrnn_d", "depths_down"),
        ("cms_lstm", "channels"),
    ],
)
def test_no_count_in_a_config_builds_for_ever(name, option, tmp_path):
    resource = pytest.importorskip("resource")
    model = create_model(name, image_size=(16, 16), **small_options(name))
    model.save_pretrained(tmp_path)
    several = isinstance(model.config[option], list)
    config = {**model.config, option: [10**5] * len(model.config[option]) if several else 10**5}
    (tmp_path / "config.json").write_text(json.dumps(config))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"config.json|another model"):
        Forecaster.from_pretrained(tmp_path)
    unit = 1 if sys.platform == "darwin" else 1024
    assert unit * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 2e8


def test_a_limit_is_that_of_its_thread():
    with at_most(3), ThreadPoolExecutor(1) as other:
        assert len(other.submit(lambda: torch.nn.ModuleList(torch.nn.Identity() for _ in range(10))).result()) == 10
        torch.nn.ModuleList(torch.nn.Identity() for _ in range(3))
        with pytest.raises(TooLarge):
            torch.nn.ModuleList([torch.nn.Identity()])


def test_weights_must_be_finite_and_fit_without_loss(tmp_path):
    model = create_model("predrnn", **SMALL)
    path, own = tmp_path / "weights", weights(model)
    name = next(iter(own))

    def load(value):
        load_weights(model, {**own, name: value}, str(path))

    for bad in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match=f"weights is damaged: {name} has NaN or infinite values"):
            load(torch.full_like(own[name], bad))
    for dtype in (torch.float64, torch.int64, torch.complex64, torch.bool):
        with pytest.raises(ValueError, match=f"holds {name} as {dtype}, which the model's torch.float32 cannot hold"):
            load(own[name].to(dtype))
    model.bfloat16().save_pretrained(tmp_path)  # half of the size, and no loss
    half = Forecaster.from_pretrained(tmp_path)
    assert all(torch.equal(value, model.state_dict()[key].float()) for key, value in half.state_dict().items())


@pytest.mark.usefixtures("forgotten")
def test_a_buffer_in_float64_does_not_make_a_model_so(tmp_path):
    @register_model()
    def windowed(in_channels=1, image_size=(8, 8)):
        model = create_model("convlstm", in_channels, image_size, **SMALL)
        model.register_buffer("window", torch.hann_window(5, dtype=torch.float64))
        return model

    create_model("windowed").save_pretrained(tmp_path)
    again = Forecaster.from_pretrained(tmp_path)
    assert again.window.dtype == torch.float64
    assert {parameter.dtype for parameter in again.parameters()} == {torch.float32}


def test_a_model_in_float64_is_loaded_as_it_was_saved(tmp_path):
    model = create_model("predrnn", **SMALL).double()
    model.save_pretrained(tmp_path)
    again = Forecaster.from_pretrained(tmp_path)
    for name, value in model.state_dict().items():
        assert value.dtype == again.state_dict()[name].dtype == torch.float64
        assert torch.equal(value, again.state_dict()[name])


@pytest.mark.usefixtures("forgotten")
def test_a_model_that_could_not_be_loaded_is_not_saved(tmp_path):
    @register_model()
    def counting(in_channels=1, image_size=(8, 8), *, seed=10**7):
        return create_model("convlstm", in_channels, image_size, channels=4, num_layers=1)

    with pytest.raises(ValueError, match="has seed=10000000: an integer must be at most 100000, or the number of wei"):
        create_model("counting").save_pretrained(tmp_path)
    create_model("counting", seed=1e7).save_pretrained(tmp_path)
    Forecaster.from_pretrained(tmp_path)


def test_a_model_made_by_hand_says_how_to_save_it(tmp_path):
    model = create_model("predrnn", **SMALL)
    made = type(model)(model.stem, model.stack, model.head)
    with pytest.raises(ValueError, match="register its builder with @register_model"):
        made.save_pretrained(tmp_path)


def test_interop_errors():
    with pytest.raises(ValueError, match="no kind 'gmg/samm'; did you mean gmg/sam"):
        from_official("gmg/samm", {}, {})
    with pytest.raises(ValueError, match="config of gmg/sam must hold 'input_dim'"):
        from_official("gmg/sam", {}, {})
    with pytest.raises(ValueError, match=r"state_dict must hold layer_q.weight"):
        from_official("gmg/sam", {"input_dim": 4, "hidden_dim": 2}, {})
    config = {"in_channel": 1, "num_hidden": 2, "filter_size": 3, "stride": 2, "layer_norm": 0}
    with pytest.raises(ValueError, match="stride must be 1, got 2"):
        from_official("predrnn/stlstm_cell", config, {})


def test_released_settings_may_be_a_namespace():
    settings = Namespace(in_shape=[3, 1, 8, 8], patch_size=2, filter_size=3, layer_norm=0)
    with pytest.raises(ValueError, match=r"state_dict must hold conv_last.weight"):
        from_official("predrnn/model", {"num_layers": 1, "num_hidden": [4], "configs": settings}, {})
