"""Released weights beyond the golden files: other widths, patches, kernels and windows, against small oracles."""

from argparse import Namespace
from functools import partial

import pytest
import torch
from einops import rearrange
from golden_recurrent import teacher_mask
from released import close, randomise, released
from torchvision.ops import StochasticDepth

from stblocks import SS2D, VMRNN, VSS, create_model
from stblocks.interop import KINDS, from_official
from stblocks.weights.state import weights

SETTINGS = {"in_shape": [3, 2, 8, 12], "patch_size": 2, "filter_size": 3, "layer_norm": 0}
MODEL = {"num_layers": 3, "num_hidden": [4, 4, 4], "configs": SETTINGS}
MOTION = MODEL | {"neighbour": 3, "att_hidden": 3}
UNIT = {"in_channel": 4, "num_hidden": 4, "height": 4, "width": 6, "filter_size": 3, "tau": 2, "cell_mode": "normal"}
MAU = MODEL | {"configs": SETTINGS | {"sr_size": 2, "tau": 2, "cell_mode": "normal", "model_mode": "normal"}}
U_SHAPE = {"depths_downsample": [1, 2], "depths_upsample": [2, 1], "num_heads": [2, 2]} | {
    "configs": {"in_shape": [2, 1, 16, 16], "patch_size": 2, "embed_dim": 4, "window_size": 2}
}
CMS = {"hidden_size": 3, "filter_size": 3, "num_layers": 2, "img_size": 4, "ce_iterations": 5, "input_size": 4}
MATRICES = {"in_shape": [2, 1, 32, 32], "aft_seq_length": 2, "hid_S": 4, "hid_T": 4}
DIRECT = {"in_shape": [2, 1, 16, 16], "hid_S": 4, "hid_T": 16, "N_S": 2, "N_T": 2}
#: Kinds of models on frames cut into patches, with a config for whole frames of 2 channels.
PATCHED = [
    ("convlstm/model", MODEL | {"num_hidden": [3, 5, 4]}),
    ("predrnn/model", MODEL),
    ("predrnn/v2_model", MODEL),
    ("predrnnpp/model", MODEL),
    ("mim/model", MODEL),
    ("motionrnn/model", MOTION),
    ("gmg/model", MOTION),
]


@pytest.mark.parametrize("layer_norm", [0, 1])
@pytest.mark.parametrize(("kind", "config"), PATCHED, ids=[kind for kind, _ in PATCHED])
def test_whole_frames_are_forecast_as_their_patches(kind, config, layer_norm):
    """The released models see patches alone, as channels in the order (row, column, channel)."""
    torch.manual_seed(0)
    frames = torch.rand(2, 5, 2, 8, 12, dtype=torch.float64)
    settings = SETTINGS | {"layer_norm": layer_norm}
    cut = settings | {"in_shape": [3, 8, 4, 6], "patch_size": 1}
    plan = KINDS[kind](config | {"configs": cut})
    randomise(plan.module)
    official = released(plan)
    whole = from_official(kind, config | {"configs": settings}, official)
    patches = rearrange(frames, "b t c (h r) (w s) -> b t (r s c) h w", r=2, s=2)
    mask = torch.tensor([[True, True, False, True], [True, False, True, False]])
    ours, theirs = (
        model.rollout(x[:, :3], 2, x[:, 3:], mask) for model, x in ((whole, frames), (plan.module, patches))
    )
    close(rearrange(ours.frames, "b t c (h r) (w s) -> b t (r s c) h w", r=2, s=2), theirs.frames)
    close(ours.aux, theirs.aux)


@pytest.mark.parametrize(("kind", "config"), PATCHED, ids=[kind for kind, _ in PATCHED])
def test_other_patches_or_channels_than_the_weights_have_are_refused(kind, config):
    """As where a user does not remember the side of the patches: the weights would be cut to size in silence."""
    plan = KINDS[kind](config | {"configs": SETTINGS | {"in_shape": [3, 8, 4, 6], "patch_size": 1}})
    official = released(plan)
    for wrong in ({"patch_size": 1}, {"patch_size": 4}, {"in_shape": [3, 1, 8, 12]}, {"in_shape": [3, 3, 8, 12]}):
        with pytest.raises(ValueError, match=r"the weights of another model: .*for patches of \d+ values, and"):
            from_official(kind, config | {"configs": SETTINGS | wrong}, official)


@pytest.mark.parametrize("channels", [(2, 2), (1, 3), (3, 1)])
def test_cms_lstm_forecasts_whole_frames_of_other_channels_as_their_patches(channels):
    """There the order is (channel, column, row)."""
    torch.manual_seed(0)
    given, made = channels
    config = {"hidden_size": 3, "filter_size": 3, "num_layers": 2, "img_size": 4, "ce_iterations": 5}
    config |= {"input_size": 4 * given, "output_chans": 4 * made}
    plan = KINDS["cmslstm/model"](config)
    randomise(plan.module)
    official = released(plan)
    whole = from_official("cmslstm/model", config | {"patch_size": 2}, official)
    frames = torch.rand(2, 3, given, 8, 8, dtype=torch.float64)
    patches = rearrange(frames, "b t c (h r) (w s) -> b t (c s r) h w", r=2, s=2)
    ours = rearrange(whole(frames, 1), "b t c (h r) (w s) -> b t (c s r) h w", r=2, s=2)
    close(ours, plan.module(patches, 1))
    assert (whole.in_channels, whole.out_channels) == channels
    for name in ("input_size", "output_chans"):
        with pytest.raises(ValueError, match=f"{name} must be channels times patch_size squared, got 6"):
            from_official("cmslstm/model", config | {"patch_size": 2, name: 6}, official)


@pytest.mark.parametrize("kind", ["cmslstm/ceblock", "cmslstm/cell", "cmslstm/model"])
def test_a_released_ce_of_one_iteration(kind):
    """It has the second convolution all the same."""
    plan = KINDS[kind](CMS | {"ce_iterations": 1})
    randomise(plan.module)
    official = released(plan)
    official |= {name.replace("convQ", "convR"): value for name, value in official.items() if "convQ" in name}
    made = from_official(kind, CMS | {"ce_iterations": 1}, official)
    assert not any("weigh_h" in name for name in weights(made))
    for name, value in weights(plan.module).items():
        close(weights(made)[name], value)


@pytest.mark.parametrize("kind", ["simvp/encoder", "simvp/decoder"])
def test_the_odd_layer_of_a_released_encoder_is_lost(kind):
    config = {"C_in": 2, "C_hid": 4, "C_out": 2, "N_S": 4, "spatio_kernel": 3}
    plan = KINDS[kind](config)
    randomise(plan.module)
    made = from_official(kind, config | {"N_S": 5}, released(plan))
    for name, value in weights(plan.module).items():
        close(weights(made)[name], value)


@pytest.mark.parametrize(
    ("kind", "widths"), [("phydnet/phycell", "F_hidden_dims"), ("phydnet/convlstm", "hidden_dims")]
)
def test_a_released_branch_of_fewer_layers_than_widths(kind, widths):
    config = {"input_dim": 2, "kernel_size": [3, 3], widths: [7, 14, 21]}
    for given, count in (({}, 3), ({"n_layers": 3}, 3), ({"n_layers": 2}, 2)):
        assert len(KINDS[kind](config | given).module.layers) == count


def test_a_released_mim_of_one_layer():
    config = MODEL | {"num_layers": 1, "num_hidden": [4]}
    plan = KINDS["mim/model"](config)
    assert {name.split(".")[0] for name in plan.names.values()} == {"stlstm_layer", "conv_last"}


def test_widths_of_released_layers():
    config = MODEL | {"num_hidden": [3, 5, 4]}
    assert KINDS["convlstm/model"](config).module.config["channels"] == [3, 5, 4]
    assert KINDS["convlstm/model"](MODEL).module.config["channels"] == 4
    with pytest.raises(ValueError, match=r"num_hidden must hold the widths of num_layers=3 layers, got \[4, 4\]"):
        from_official("predrnn/model", MODEL | {"num_hidden": [4, 4]}, {})
    for kind, with_memory in PATCHED[1:]:
        with pytest.raises(ValueError, match="channels"):
            from_official(kind, with_memory | {"num_hidden": [3, 5, 4]}, {})


@pytest.mark.parametrize("kind", ["predrnn/model", "mau/model", "e3dlstm/model"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"configs": SETTINGS | {"in_shape": [2, 8, 12]}}, r"in_shape must be \(T, C, H, W\) .*, got \[2, 8, 12\]"),
        ({"configs": SETTINGS | {"in_shape": 8}}, "in_shape must be a list of integers >= 1, got 8"),
        ({"configs": SETTINGS | {"in_shape": [3, 2, 8, -12]}}, r"in_shape\[3\] must be an integer >= 1, got -12"),
        ({"configs": "mmnist.py"}, "configs must be a dict of arguments, got 'mmnist.py'"),
        ({"num_hidden": 4}, "num_hidden must be a list of integers >= 1, got 4"),
        ({"num_hidden": [4, 4]}, "num_hidden must .* num_layers=3 .*"),
    ],
)
def test_arguments_that_no_released_model_has(kind, changed, message):
    more = {"sr_size": 2, "tau": 3, "cell_mode": "normal", "model_mode": "recall", "total_length": 6}
    config = MODEL | {"configs": Namespace(**SETTINGS, **more)}
    KINDS[kind](config)
    if isinstance(settings := changed.get("configs"), dict):
        changed = {"configs": vars(config["configs"]) | settings}
    with pytest.raises(ValueError, match=message):
        from_official(kind, config | changed, {})


@pytest.mark.parametrize(
    ("kind", "config", "name", "text"),
    [
        ("predrnn/model", MODEL, "num_hidden", "4,4, 4"),
        ("mau/model", MAU, "num_hidden", "4,4,4"),
        ("vmrnn/model_d", U_SHAPE, "depths_downsample", "1,2"),
        ("vmrnn/model_d", U_SHAPE, "depths_upsample", "2,1"),
        ("swinlstm/model_d", U_SHAPE, "num_heads", "2,2"),
        ("mmvp/model", MATRICES, "downsample_setting", "2,2,2"),
    ],
)
def test_lists_may_be_text_as_in_configs_of_openstl(kind, config, name, text):
    numbers = [int(number) for number in text.split(",")]
    made = [KINDS[kind](config | {name: given}).module for given in (text, numbers, tuple(numbers))]
    assert made[0].config == made[1].config == made[2].config
    for wrong in ("4;4", "", 4, [2, -2]):
        with pytest.raises(ValueError, match=rf"{name}.* must be an? (list of integers|integer)\b.*, got"):
            from_official(kind, config | {name: wrong}, {})


@pytest.mark.parametrize(
    ("kind", "config", "name", "value"),
    [
        ("cmslstm/model", CMS, "ce_iterations", 5),
        ("gmg/model", MOTION, "neighbour", 3),
        ("motionrnn/model", MOTION, "neighbour", 3),
        ("simvp/model", DIRECT, "model_type", "gSTA"),
        ("simvp/model", DIRECT | {"model_type": None}, "model_type", "gSTA"),
    ],
)
def test_what_released_models_fix_need_not_be_given(kind, config, name, value):
    left_out = {key: given for key, given in config.items() if key != name or given is None}
    assert KINDS[kind](left_out).module.config == KINDS[kind](config | {name: value}).module.config


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("simvp/model", DIRECT | {"model_type": "vss"}, "model_type must be one of 'gsta', .*'incepu', got 'vss'"),
        ("simvp/model", DIRECT | {"model_type": 3}, "model_type must be one of 'gsta', .*, got '3'"),
        ("mau/model", MAU | {"configs": MAU["configs"] | {"sr_size": "4"}}, "sr_size must be an integer >= 1, got '4'"),
        ("mau/model", MAU | {"configs": MAU["configs"] | {"sr_size": 3}}, "sr_size must be a power of 2, got 3"),
        ("mau/model", MAU | {"configs": MAU["configs"] | {"cell_mode": "x"}}, "cell_mode must be .*, got 'x'"),
        ("mau/model", MAU | {"configs": MAU["configs"] | {"model_mode": "x"}}, "model_mode must be .*, got 'x'"),
        (
            "mmvp/model",
            MATRICES | {"in_shape": [3, 1, 16, 20], "downsample_setting": "2,2"},
            r"in_shape .* multiples of 8, .* got \[3, 1, 16, 20\]",
        ),
        ("mmvp/model", MATRICES | {"in_shape": [3, 1, 40, 32]}, r"in_shape .* multiples of 16, .*"),
        ("e3dlstm/model", MODEL, "must hold 'pre_seq_length'"),
        (
            "e3dlstm/model",
            MODEL | {"configs": SETTINGS | {"pre_seq_length": 3, "aft_seq_length": "3"}},
            "aft_seq_length must be an integer >= 1, got '3'",
        ),
        ("mmvp/model", MATRICES | {"use_direct_predictor": False}, "use_direct_predictor must be True, got False"),
        ("mmvp/predictor", {"use_direct_predictor": False}, "use_direct_predictor must be True, got False"),
        ("swinlstm/cell", {"qkv_bias": False}, "qkv_bias must be True, got False"),
        ("vmrnn/ss2d", {"d_model": 4, "bias": True}, "bias must be False, got True"),
        ("vmrnn/vssblock", {"hidden_dim": 4, "conv_bias": False}, "conv_bias must be True, got False"),
        ("vmrnn/vsb", {"hidden_dim": 4, "bias": True}, "bias must be False, got True"),
        ("vmrnn/cell", {"hidden_dim": 4, "depth": 1, "conv_bias": False}, "conv_bias must be True, got False"),
        ("vmrnn/model_d", U_SHAPE | {"kwargs": {"bias": True}}, "bias must be False, got True"),
        (
            "vmrnn/patch_inflated",
            {"embed_dim": 16, "in_chans": 1, "patch_size": 1},
            "patch_size must be 2, 4 or 8, got 1",
        ),
        ("mau/cell", UNIT | {"cell_mode": "x"}, "cell_mode must be one of 'normal', 'residual', got 'x'"),
        ("mau/cell", UNIT | {"height": "4"}, "height must be an integer >= 1, got '4'"),
    ],
)
def test_words_and_sizes_that_no_released_model_has(kind, config, message):
    with pytest.raises(ValueError, match=message):
        from_official(kind, config, {})


@pytest.mark.parametrize(
    ("given", "recall"),
    [
        ({"pre_seq_length": 12, "aft_seq_length": 14}, 26),
        ({"pre_seq_length": 12, "aft_seq_length": 14, "total_length": 20}, 26),
        ({"pre_seq_length": 2, "aft_seq_length": 2, "total_length": 9}, 9),
        ({"total_length": 9}, 9),
        ({"total_length": 9, "aft_seq_length": 3}, 9),
    ],
)
def test_the_released_e3d_lstm_forgets_no_memory(given, recall):
    model = KINDS["e3dlstm/model"](MODEL | {"configs": SETTINGS | given}).module
    assert model.config["recall"] == recall


def test_a_released_rate_of_dropped_branches():
    """VMRNN-B has it in `configs`, VMRNN-D at most as an argument more; otherwise it is 0.1 there as here."""
    flat = {"configs": U_SHAPE["configs"] | {"depths": 1}}
    given = {"configs": flat["configs"] | {"drop_path_rate": 0.3}}
    made = [KINDS["vmrnn/model_b"](config).module for config in (flat, given)]
    made += [KINDS["vmrnn/model_d"](U_SHAPE | more).module for more in ({}, {"kwargs": {"drop_path_rate": 0.3}})]
    made += [KINDS["swinlstm/model_d"](U_SHAPE | given).module]  # which does not look at it
    rates = [[part.p for part in model.modules() if isinstance(part, StochasticDepth)] for model in made]
    assert [max(each) for each in rates] == pytest.approx([0.1, 0.3, 0.1, 0.3, 0.1])


def test_masks_of_reverse_sampling():
    """GMG and MotionRNN read them as if they were ordinary ones; the others shift them by a step."""
    flags = torch.tensor([[1, 0, 1, 1]])[:, :, None, None, None]
    settings = {"reverse_scheduled_sampling": 1, "pre_seq_length": 3}
    assert teacher_mask(flags, 6, settings, "mim").tolist() == [[True, True, False, True, True]]
    assert teacher_mask(flags, 6, settings, "gmg").tolist() == [[True, True, True, True, False]]


SCANS = [{}, {"d_conv": 5, "expand": 1}, {"expand": 1.5, "dt_rank": 3, "d_state": 3}, {"d_conv": 1, "dt_rank": "auto"}]
BLOCKS = {
    "vmrnn/ss2d": ({"d_model": 6}, SS2D),
    "vmrnn/vssblock": ({"hidden_dim": 6}, lambda channels, **options: VSS(channels, mixer=partial(SS2D, **options))),
    "vmrnn/vsb": ({"hidden_dim": 6}, lambda channels, **options: VSS(channels, mixer=partial(SS2D, **options))),
    "vmrnn/cell": ({"hidden_dim": 6, "depth": 2}, lambda channels, **options: VMRNN(channels, depth=2, **options)),
}


def ours_of(options):
    names = {"d_conv": "kernel_size", "d_state": "state_dim"}
    return {names.get(name, name): value for name, value in options.items()}


@pytest.mark.parametrize("options", SCANS, ids=str)
@pytest.mark.parametrize("kind", BLOCKS)
def test_scans_of_any_sizes(kind, options):
    torch.manual_seed(0)
    config, build = BLOCKS[kind]
    made = randomise(build(6, **ours_of(options)))
    plan = KINDS[kind](config | options)
    official = {plan.names[name]: value for name, value in weights(made).items()}
    maps = torch.rand(1, 6, 3, 4, dtype=torch.float64)
    close(from_official(kind, config | options, official)(maps), made(maps))


@pytest.mark.parametrize("options", SCANS, ids=str)
@pytest.mark.parametrize("name", ["vmrnn_b", "vmrnn_d"])
def test_scans_of_any_sizes_in_models(name, options):
    torch.manual_seed(0)
    settings = {"in_shape": [2, 1, 8, 8], "patch_size": 2, "embed_dim": 4, "depths": 1}
    config = {"configs": settings, "kwargs": options, "depths_downsample": [1, 2], "depths_upsample": [2, 1]}
    depths = {"depth": 1} if name == "vmrnn_b" else {"depths_down": [1, 2], "depths_up": [1, 2]}
    made = randomise(create_model(name, 1, (8, 8), channels=4, patch_size=2, **depths, **ours_of(options))).eval()
    kind = name.replace("_", "/model_")
    plan = KINDS[kind](config)
    official = {plan.names[name]: value for name, value in weights(made).items()}
    model, past = from_official(kind, config, official).eval(), torch.rand(1, 2, 1, 8, 8, dtype=torch.float64)
    close(model(past, 2), made(past, 2))
