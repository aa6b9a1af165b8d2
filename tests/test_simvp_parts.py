"""Parts of SimVP against what they stand for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from benchmarks.dispatched import dispatched
from stblocks import GSTA, TAU, ConvUnit, Decoder, Encoder, Inception, InceptionUNet, LinearShortcut
from stblocks.blocks.layers import Dilated


@settings(max_examples=30)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    side=st.sampled_from([1, 3, 5, 7]),
    dilation=st.integers(1, 10),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
    channels_last=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_a_dilated_convolution_is_that_of_torch(size, side, dilation, groups, bias, channels_last, seed):
    torch.manual_seed(seed)
    options = {"dilation": dilation, "groups": groups, "bias": bias, "dtype": torch.float64}
    ours = Dilated(4, 8, side, padding=side // 2, **options)
    theirs = nn.Conv2d(4, 8, side, padding=dilation * (side // 2), **options)
    theirs.load_state_dict(ours.state_dict())
    ours = ours.to(memory_format=torch.channels_last) if channels_last else ours
    maps = torch.randn(2, 4, *size, dtype=torch.float64)
    maps = maps.contiguous(memory_format=torch.channels_last) if channels_last else maps
    weights = torch.randn(2, 8, *size, dtype=torch.float64)
    results = []
    for layer, function in ((ours, ours), (ours, ours._by_dilation), (theirs, theirs)):
        own, parameters = maps.detach().requires_grad_(), [*layer.parameters()]
        made = function(own)
        results.append([made, *torch.autograd.grad((made * weights).sum(), [own, *parameters])])
    *both, expected = results
    for each in both:
        torch.testing.assert_close(each, expected)


def test_a_dilated_convolution_is_cut_into_grids_on_a_cpu_alone():
    layer, maps = Dilated(2, 2, 3, padding=1, dilation=3, groups=2), torch.empty(1, 2, 4, 5)
    found = dispatched(lambda: layer.to("meta")(maps.to("meta")))
    assert found.counts["convolution"] == 1
    assert not found.counts["constant_pad_nd"]


@pytest.mark.parametrize("dilation", [2, 3])
def test_a_dilated_convolution_has_right_gradients(dilation):
    torch.manual_seed(0)
    layer = Dilated(2, 2, 3, padding=1, dilation=dilation, groups=2).double()
    torch.autograd.gradcheck(layer, torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("block", [GSTA, TAU])
@pytest.mark.parametrize(("kernel_size", "dilation", "taps"), [(21, 3, 7), (9, 2, 3), (7, 1, 7), (3, 3, 1), (11, 2, 5)])
def test_kernels_of_the_large_attention(block, kernel_size, dilation, taps):
    near, far = block(4, kernel_size=kernel_size, dilation=dilation).mixer.attention.large
    assert near.kernel_size == (2 * dilation - 1,) * 2
    assert (far.kernel_size, far.dilation) == ((taps,) * 2, (dilation,) * 2)


def test_units_resample_by_stride_and_by_pixel_shuffle():
    maps = torch.randn(2, 3, 6, 4)
    for resample, size in ((None, (6, 4)), ("down", (3, 2)), ("up", (12, 8))):
        unit = ConvUnit(3, 4, resample=resample)
        made = functional.conv2d(maps, unit.conv.weight, unit.conv.bias, 2 if resample == "down" else 1, padding=1)
        made = functional.pixel_shuffle(made, 2) if resample == "up" else made
        assert made.shape == (2, 4, *size)
        torch.testing.assert_close(unit(maps), functional.silu(functional.group_norm(made, 2, eps=1e-5)))


def test_units_refuse_other_words():
    with pytest.raises(ValueError, match="resample must be one of 'up', 'down', got 'dwon'"):
        ConvUnit(3, 4, resample="dwon")


@given(num_layers=st.integers(1, 6))
def test_the_decoder_undoes_the_strides_of_the_encoder(num_layers):
    encoder, decoder = Encoder(1, 4, num_layers=num_layers), Decoder(4, 2, num_layers=num_layers)
    features, skip = encoder(torch.rand(2, 1, 16, 8))
    assert decoder(features, skip).shape == (2, 2, 16, 8)
    assert sum(unit.conv.stride == (2, 2) for unit in encoder.rest) == num_layers // 2
    assert [unit.up for unit in decoder.rest] == [unit.conv.stride == (2, 2) for unit in reversed(encoder.rest)]


def test_an_inception_module_is_a_sum_over_kernels():
    module, maps = Inception(3, 4, 6, kernel_sizes=(1, 5), groups=2), torch.randn(2, 3, 5, 4)
    single = [Inception(3, 4, 6, kernel_sizes=(side,), groups=2) for side in (1, 5)]
    for each, branch in zip(single, module.branches, strict=True):
        each.narrow.load_state_dict(module.narrow.state_dict())
        each.branches[0].load_state_dict(branch.state_dict())
    torch.testing.assert_close(module(maps), single[0](maps) + single[1](maps))


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_u_of_inception_modules(num_layers):
    unet, maps = InceptionUNet(3, 8, 4, num_layers=num_layers, groups=2), torch.randn(2, 3, 5, 4)
    made = unet(maps)
    assert made.shape == (2, 4, 5, 4)
    made.square().sum().backward()
    assert all(parameter.grad is not None for parameter in unet.parameters())


@pytest.mark.parametrize(("in_channels", "out_channels"), [(2, 2), (3, 1), (1, 3)])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_a_shortcut_starts_as_persistence(in_channels, out_channels, kernel_size):
    past = torch.randn(2, 4, in_channels, 3, 5)
    made = LinearShortcut(in_channels, out_channels, 4, 3, kernel_size=kernel_size)(past.flatten(1, 2)).unflatten(
        1, (3, out_channels)
    )
    shared = min(in_channels, out_channels)
    torch.testing.assert_close(made[:, :, :shared], past[:, -1:, :shared].expand(-1, 3, -1, -1, -1))
    assert not made[:, :, shared:].any()


def test_a_shortcut_is_linear_in_the_frames_and_their_changes():
    shortcut, past = LinearShortcut(1, 1, 3, 2).double(), torch.randn(1, 3, 4, 4).double()
    nn.init.normal_(shortcut.conv.weight)
    weight = shortcut.conv.weight[0, :, 0, 0]
    first, second, third = past[0]
    expected = weight[0] * (second - first) + weight[1] * (third - second) + weight[2] * third
    torch.testing.assert_close(shortcut(past)[0, 0], expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearShortcut(1, 1, 2, 2, kernel_size=2), "kernel_size must be an odd integer"),
        (lambda: GSTA(4, kernel_size=3, dilation=4), "dilation must be at most kernel_size=3, got 4"),
        (lambda: GSTA(4, dilation=0), "dilation must be an integer >= 1, got 0"),
        (lambda: GSTA(4)(torch.zeros(1, 3, 5, 5)), "GSTA"),
        (lambda: TAU(3), "channels must be at least 4, to be squeezed for the dynamic attention, got 3"),
        (lambda: ConvUnit(1, 3), "channels must be even, for a norm in two groups, got 3"),
        (lambda: ConvUnit(1, 4, kernel_size=2), "kernel_size must be an odd integer"),
        (lambda: Encoder(1, 4, num_layers=0), "num_layers must be an integer >= 1, got 0"),
        (lambda: Decoder(4, 1, num_layers=0), "num_layers must be an integer >= 1, got 0"),
        (lambda: Inception(3, 4, 6, groups=3), "groups must divide the 4 inner and 6 outer channels, got 3"),
        (lambda: Inception(3, 4, 6, groups=2, kernel_sizes=()), "kernel_sizes must hold at least one side"),
        (lambda: InceptionUNet(3, 8, 4, num_layers=0), "num_layers must be an integer >= 1, got 0"),
    ],
)
def test_errors_name_the_argument_and_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()
