"""Every block of a translator."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import stblocks
from stblocks import HorNetBlock, MLPMixerBlock, MogaBlock, SwinBlock, UniFormerBlock, ViTBlock, create_model, testing
from stblocks.blocks.translators.names import TRANSLATORS, Place
from stblocks.interop import KINDS, from_official

#: Options that a block lacks; given nevertheless, they are refused.
LACKS = {
    "convmixer": {"mlp_ratio", "drop", "drop_path"},
    "convnext": {"drop"},
    "hornet": {"drop"},
    "vss": {"mlp_ratio", "drop"},
    "tf_aware": {"drop"},
    "conv3d": {"mlp_ratio", "drop"},
}
#: Blocks of sequences; the others are blocks of one map, with time in the channels.
SEQUENCES = [name for name, made in TRANSLATORS.items() if made.sequences]

name = pytest.mark.parametrize("name", [name for name in TRANSLATORS if name not in SEQUENCES])
sides = st.integers(1, 7)


def make(name, *, layer=1, size=(5, 4), resized=False, **options):
    return TRANSLATORS[name].make(8, Place(layer, size, resized), **options)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def small(name, **place):
    return make(name, **place, **({} if "mlp_ratio" in LACKS.get(name, ()) else {"mlp_ratio": 1.0}))


@name
@settings(max_examples=3)
@given(size=st.tuples(sides, sides), layer=st.integers(0, 1), seed=st.integers(0, 2**16))
def test_maps_of_any_size(name, size, layer, seed):
    def block():
        return small(name, layer=layer, size=size)

    testing.check_shapes(block, size=size, seed=seed)
    testing.check_purity(block, size=size, seed=seed)
    testing.check_batch(block, size=size, seed=seed)


@name
def test_everything_has_an_effect(name):
    testing.check_reach(lambda: small(name))
    testing.check_state_dict(lambda: small(name, size=(5, 3)))


@name
@settings(max_examples=2)
@given(seed=st.integers(0, 2**16))
def test_layout_changes_nothing_and_is_kept(name, seed):
    torch.manual_seed(seed)
    block, maps = small(name).double().eval(), torch.randn(2, 8, 5, 4, dtype=torch.float64)
    made = block(maps.to(memory_format=torch.channels_last))
    torch.testing.assert_close(made, block(maps))
    assert made.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("name", "option"), [(name, option) for name in TRANSLATORS for option in ("mlp_ratio", "drop", "drop_path")]
)
def test_options_change_something_or_are_refused(name, option):
    if option in LACKS.get(name, ()):
        with pytest.raises(TypeError, match=option):
            make(name, **{option: 0.5})
        return
    other = make(name, **{option: 0.5})
    if option == "mlp_ratio":
        default = 4.0 if name in [*SEQUENCES, "tf_aware"] else 8.0
        assert count(other) < count(make(name)) == count(make(name, mlp_ratio=default))
        return
    for parameter in other.parameters():  # away from branches that start near zero
        nn.init.normal_(parameter, std=0.3)
    torch.manual_seed(0)
    maps = torch.randn(16, *([3] if name in SEQUENCES else []), 8, 5, 4)
    assert not torch.equal(other.train()(maps), other(maps)), "nothing is left out in training"
    assert torch.equal(other.eval()(maps), other(maps)), "something is left out in evaluation"


def test_windows_do_not_see_across_the_border():
    """The last window of a shifted map holds all four corners, which are no neighbours."""
    torch.manual_seed(0)
    maps = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    changed = maps.clone()
    changed[..., 0, 0].normal_()
    for masked in (True, False):
        block = SwinBlock(8, num_heads=2, window_size=4, shift=True, mask_shift=masked).double()
        seen = (block(maps) != block(changed)).any(dim=1)[0].nonzero().tolist()
        assert [0, 0] in seen
        assert ([7, 7] in seen) is not masked
        if masked:  # its own part of the window, and no more
            assert seen == [[i, j] for i in (0, 1) for j in (0, 1)]


@settings(max_examples=10)
@given(size=st.tuples(sides, sides), window=st.integers(1, 4), shift=st.booleans(), seed=st.integers(0, 2**16))
def test_windows_of_any_map(size, window, shift, seed):
    """A position sees those of its window that lie on the map, wherever windows do not fit the map."""
    torch.manual_seed(seed)
    block = SwinBlock(4, num_heads=2, window_size=window, shift=shift).double()
    maps = torch.randn(1, 4, *size, dtype=torch.float64, requires_grad=True)
    row, column = (seed % side for side in size)
    block(maps)[0, :, row, column].square().sum().backward()

    def together(one, other, side):
        start = window // 2 if shift and side > window else 0
        return (one - start) // window == (other - start) // window

    seen = [[i, j] for i in range(size[0]) for j in range(size[1]) if together(i, row, size[0])]
    seen = [[i, j] for i, j in seen if together(j, column, size[1])]
    assert maps.grad.abs().sum(dim=1)[0].nonzero().tolist() == seen


def test_a_window_larger_than_the_map_is_the_map():
    """Of the table of relative positions, the offsets that occur are its middle."""
    torch.manual_seed(0)
    large, exact = (SwinBlock(8, num_heads=2, window_size=side, shift=True).double() for side in (8, 4))
    table = "attention.relative_position_bias_table"
    weights = large.state_dict()
    weights[table] = nn.init.normal_(weights[table]).view(15, 15, 2)[4:-4, 4:-4].reshape(49, 2)
    exact.load_state_dict(weights)
    maps = torch.randn(1, 8, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(large(maps), exact(maps))


def test_orders_of_hornet_share_any_channels():
    assert HorNetBlock(6, order=3).mixer.widths == [1, 3, 6]
    testing.check_reach(lambda: HorNetBlock(6, order=3, kernel_size=3))


def test_windows_shift_in_every_second_layer():
    assert [make("swin", layer=layer).shift for layer in range(4)] == [False, True, False, True]


def test_uniformer_attends_after_the_first_layer_where_the_width_stays():
    places = [(0, False), (0, True), (1, True), (1, False), (2, False)]
    attends = [make("uniformer", layer=layer, resized=resized).scale1 is not None for layer, resized in places]
    assert attends == [False, False, False, True, True]
    model = create_model("simvpv2_s", translator="uniformer", channels=8, translator_channels=16, num_layers=4)
    assert [block.scale1 is not None for block in model.translator.blocks] == [False, True, True, False]


def test_a_model_of_mlp_mixers_is_bound_to_its_size():
    options = {"image_size": (8, 10), "in_frames": 2, "out_frames": 2, "channels": 4, "translator_channels": 8}
    model = create_model("simvpv2_s", translator="mlpmixer", encoder_layers=2, num_layers=2, **options)
    assert model(torch.zeros(1, 2, 1, 8, 10), 3).shape == (1, 3, 1, 8, 10)
    with pytest.raises(ValueError, match=r"image_size"):
        model(torch.zeros(1, 2, 1, 10, 8), 3)


def test_timm_is_imported_only_by_those_who_need_it():
    """It takes half a second, which `import stblocks` is not to cost."""
    for path in Path(stblocks.__file__).parent.rglob("*.py"):
        assert not re.search(r"^(from|import) timm", path.read_text(encoding="utf-8"), flags=re.MULTILINE), path


def test_weights_that_the_repository_of_simvpv2_never_uses_are_left_out():
    config = {"in_shape": (2, 1, 8, 8), "hid_S": 4, "hid_T": 8, "N_S": 2, "N_T": 2, "model_type": "gSTA"}
    plan = KINDS["simvp/model"](config)
    weights = {there: plan.module.state_dict()[ours] for ours, there in plan.names.items()}
    for part in ("fc.0.weight", "conv2_0.weight", "conv2_spatial.bias"):
        weights[f"hid.enc.0.block.attn.spatial_gating_unit.{part}"] = torch.zeros(1)
    assert from_official("simvp/model", config, weights)(torch.zeros(1, 2, 1, 8, 8), 2).shape == (1, 2, 1, 8, 8)
    with pytest.raises(ValueError, match=r"state_dict holds hid\.enc.0.block\.attn\.other\.weight"):
        from_official("simvp/model", config, weights | {"hid.enc.0.block.attn.other.weight": torch.zeros(1)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *(
            (
                lambda name=name, option=option, rate=rate: make(name, **{option: rate}),
                rf"{option} must be .* got {rate!r}",
            )
            for name in TRANSLATORS
            for option in {"drop", "drop_path"} - LACKS.get(name, set())
            for rate in (-0.1, 1.0, "x")
        ),
        *(
            (
                lambda name=name, ratio=ratio: make(name, mlp_ratio=ratio),
                rf"mlp_ratio must be a number .* got {ratio!r}",
            )
            for name in TRANSLATORS
            if "mlp_ratio" not in LACKS.get(name, ())
            for ratio in ("x", 0, -1.0, None, float("nan"), float("inf"))
        ),
        (lambda: SwinBlock(6), "num_heads must be a divisor of channels=6, got 8"),
        (lambda: SwinBlock(8, window_size=0), "window_size must be an integer >= 1, got 0"),
        (lambda: ViTBlock(6, num_heads=4), "num_heads must be a divisor of channels=6, got 4"),
        (lambda: UniFormerBlock(6, relation="global"), "num_heads must be a divisor of channels=6, got 8"),
        (lambda: UniFormerBlock(6, relation="far"), "relation must be one of 'local', 'global', got 'far'"),
        (lambda: MLPMixerBlock(8, size=(4, 0)), r"size must be \(H, W\), got \(4, 0\)"),
        (lambda: MLPMixerBlock(1, size=(4, 4)), "channels must be at least 2, half of which are hidden"),
        (lambda: MLPMixerBlock(8, size=(4, 4))(torch.zeros(1, 8, 4, 5)), r"size=\(4, 4\), got \(4, 5\)"),
        (lambda: HorNetBlock(4), "channels must be at least 8 for order=4, got 4"),
        (lambda: HorNetBlock(4, order=0), "order must be an integer >= 1, got 0"),
        (lambda: MogaBlock(2), "channels must be at least 3, to be shared out among three convolutions, got 2"),
    ],
)
def test_errors_name_the_argument_and_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()
