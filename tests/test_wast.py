"""WaST: wavelets, the network about them, and its loss."""

import math

import pytest
import torch
from golden import Case
from golden_wast import loss as released_loss
from hypothesis import given
from hypothesis import strategies as st

from stblocks import Rollout, WaST, create_model
from stblocks.core import model_entry
from stblocks.ops.wavelet import haar, inverse_haar
from stblocks.train import HighFrequencyFocal, Objective

sides = st.integers(1, 5)


def focal(frames, truth, **options):
    """The loss of a forecast of which all is known."""
    return HighFrequencyFocal(**options)(frames, truth, torch.ones_like(truth, dtype=torch.bool))


@given(sides=st.tuples(sides, sides, sides), axes=st.permutations([2, 3, 4]), count=st.integers(1, 3))
def test_the_transform_keeps_everything(sides, axes, count):
    """It is orthonormal: nothing is lost, and the sum of squares is that of the map."""
    torch.manual_seed(0)
    x, axes = torch.randn(2, 3, *(2 * side for side in sides)).double(), axes[:count]
    bands = haar(x, axes)
    assert len(bands) == 2**count
    torch.testing.assert_close(inverse_haar(bands, axes), x)
    torch.testing.assert_close(torch.stack(bands).square().sum(), x.square().sum())


def test_letters_of_bands_are_those_of_the_axes():
    column = torch.tensor([1.0, -1.0]).expand(1, 1, 4, 2)  # differs from column to column
    low, high, *others = haar(column, (2, 3))
    assert high.equal(torch.full((1, 1, 2, 1), 2.0))
    assert not any(band.any() for band in (low, *others))
    row = haar(column.mT, (2, 3))[2]
    torch.testing.assert_close(row, torch.full((1, 1, 1, 2), 2.0))


def test_an_odd_length_gets_a_zero():
    low, high = haar(torch.ones(3), [0])
    torch.testing.assert_close(low, torch.tensor([math.sqrt(2), math.sqrt(0.5)]))
    torch.testing.assert_close(high, torch.tensor([0.0, math.sqrt(0.5)]))
    with pytest.raises(ValueError, match="bands must be 4 for 2 axes, got 2"):
        inverse_haar([low, high], (0, 1))


def checkerboard(side=8):
    index = torch.arange(side)
    return (1 - 2 * ((index[:, None] + index) % 2)).float().view(1, 1, 1, side, side)


def test_the_loss_sees_what_the_released_one_does_not():
    truth = torch.rand(1, 1, 1, 8, 8)
    assert focal(truth + checkerboard(), truth, radius=0.0) > 0
    assert focal(truth + checkerboard(), truth, bands="low", radius=0.0) < 1e-10
    assert focal(truth + 1, truth) < 1e-10
    assert focal(truth, truth) == 0


def test_the_loss_agrees_with_its_equation():
    """Written out as a loop over the frequencies of each high band."""
    torch.manual_seed(0)
    frames, truth = (torch.rand(1, 2, 1, 12, 8).double() for _ in range(2))
    expected, count = 0.0, 0
    for band in haar(frames - truth, (3, 4))[1:]:
        for error in band.flatten(0, 2):
            spectrum = torch.fft.fft2(error, norm="ortho").abs()
            weight = torch.log(1 + spectrum**1.5)
            weight = weight / weight.max()
            for u in range(6):
                for v in range(4):
                    signed = math.hypot(min(u, 6 - u), min(v, 4 - v))
                    expected += (signed > 0.2 * 6) * weight[u, v].item() * spectrum[u, v].item() ** 2
                    count += 1
    made = focal(frames, truth, radius=0.2, alpha=1.5)
    assert made.item() == pytest.approx(expected / count)


def test_levels_are_summed_and_weights_have_no_gradient():
    torch.manual_seed(0)
    truth = torch.rand(1, 1, 1, 16, 16).double()
    frames = torch.rand_like(truth).requires_grad_()
    one, two = (focal(frames, truth, levels=levels) for levels in (1, 2))
    low = haar(frames - truth, (3, 4))[0]
    torch.testing.assert_close(two - one, focal(low, torch.zeros_like(low)))
    one.backward()  # a sum of squares, whose weights are constants: by Euler, the gradient along the error is twice it
    torch.testing.assert_close((frames.grad * (frames - truth)).sum(), 2 * one)


def test_it_is_a_term_of_the_objective():
    torch.manual_seed(0)
    frames = torch.rand(2, 5, 1, 6, 8)
    frames[0, 3, 0, 1, 2] = torch.nan
    rollout = Rollout(torch.rand(2, 3, 1, 6, 8).requires_grad_(), 2, {}, None)
    losses = Objective(terms={"high_frequency": (0.5, HighFrequencyFocal())})(rollout, frames)
    known = ~frames[:, 2:].isnan()
    assert losses["high_frequency"].equal(focal(rollout.frames * known, frames[:, 2:].nan_to_num(0)))
    losses["high_frequency"].backward()
    assert rollout.frames.grad[0, 1, 0, 1, 2] == 0
    assert (rollout.frames.grad != 0).sum() > 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bands": "all"}, "bands must be one of 'high', 'low', got 'all'"),
        ({"over": "all"}, "over must be one of 'map', 'batch', got 'all'"),
        ({"levels": 0}, "levels must be an integer >= 1, got 0"),
        ({"tiles": 3}, r"tiles must divide the height and width of a band, \(4, 4\), got 3"),
    ],
)
def test_losses_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        focal(torch.zeros(1, 1, 1, 8, 8), torch.zeros(1, 1, 1, 8, 8), **options)


def network(frames=4, **options):
    torch.manual_seed(0)
    return WaST(1, 1, 2, frames, depths=(1, 1, 1), large_kernels=(5, 3), **options)


@pytest.mark.parametrize(("keep", "axes"), [("time", (3, 4)), ("width", (2, 3))])
def test_what_is_halved_is_space(keep, axes):
    """Of a volume that differs along one axis alone, what goes on to the middle keeps the difference or loses it."""
    down = network(keep=keep).down
    down.before = down.after = torch.nn.Identity()
    down.frames = torch.nn.Conv3d(4, 1, 1)
    torch.nn.init.zeros_(down.frames.weight)
    torch.nn.init.zeros_(down.frames.bias)
    for axis in (2, 3, 4):
        shape = [-1 if each == axis else 1 for each in range(5)]
        volume = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(shape).expand(1, 2, 4, 4, 4)
        kept, _ = down(volume, torch.zeros(1, 1, 4, 4, 4))
        assert bool(kept.abs().sum() > 1e-6) == (axis not in axes)


def test_an_odd_number_of_frames_is_made_even_by_the_first_one():
    odd, even = network(3).eval(), network(4).eval()
    even.load_state_dict(odd.state_dict())
    past = torch.rand(2, 3, 1, 4, 6)
    torch.testing.assert_close(odd(past), even(torch.cat([past[:, :1], past], dim=1))[:, :3])


def test_any_size_any_horizon_and_other_channels():
    options = {"channels": 2, "depths": [1, 1, 1], "large_kernels": [5, 3], "out_channels": 1, "in_frames": 3}
    model = create_model("wast", 2, (9, 7), **options).eval()
    model.feedback = lambda frames: frames.repeat_interleave(2, dim=2)
    assert model(torch.rand(2, 3, 2, 9, 7), 5).shape == (2, 5, 1, 9, 7)


def test_golden_losses_of_mean_spectra_are_not_taken_for_ours():
    with pytest.raises(ValueError, match="ave_spectrum must be False"):
        released_loss(Case({}, {"ave_spectrum": True}, *[{}] * 6))


def test_the_published_size():
    """5.133 M for TaxiBJ as released, 1600 of which never take part."""
    assert model_entry("wast").parameters == 5_132_822 - 1_600


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": (1, 1)}, r"depths must have 3 entries, got \[1, 1\]"),
        ({"depths": (1, 0, 1)}, r"depths\[1\] must be an integer >= 1, got 0"),
        ({"large_kernels": (5,)}, r"large_kernels must have 2 entries, got \[5\]"),
        ({"large_kernels": (5, 4)}, "large_kernel must be an odd integer"),
        ({"keep": "height"}, "keep must be one of 'time', 'width', got 'height'"),
    ],
)
def test_networks_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        WaST(1, 1, 2, 4, **{"depths": (1, 1, 1)} | options)
