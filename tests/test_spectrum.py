"""Power by scale against plain sums over waves, and what it says of forecasts."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stblocks.score import Spectra, radial_power


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9))
def test_agrees_with_a_sum_over_waves(seed, height, width):
    frame = torch.rand(height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows, columns = (np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) for n in (height, width))
    power = np.abs(rows @ frame.numpy() @ columns) ** 2 / (height * width)
    side, found = max(height, width), {}
    for i in range(height):
        for j in range(width):
            fy, fx = (min(k, n - k) / n for k, n in ((i, height), (j, width)))
            found.setdefault(round(side * math.hypot(fy, fx)), []).append(power[i, j])
    expected = [np.mean(found[k]) if k in found else math.nan for k in range(side // 2 + 1)]
    np.testing.assert_allclose(radial_power(frame).numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("waves", [1, 3, 8])
def test_a_wave_has_its_power_at_its_length(waves):
    x = torch.arange(32, dtype=torch.float64)
    frame = torch.cos(2 * math.pi * waves * x / 32).expand(32, 32)
    power = radial_power(frame)
    assert power.argmax() == waves
    assert power.sum() - power[waves] < 1e-9


def test_smooth_forecasts_lack_power_at_small_scales_and_moved_ones_do_not():
    torch.manual_seed(0)
    truth = torch.rand(2, 3, 1, 32, 32)
    smooth = torch.nn.functional.avg_pool2d(truth.flatten(0, 1), 5, 1, 2).view_as(truth)
    for forecast, same in ((smooth, False), (truth.roll((3, 5), (-2, -1)), True)):
        spectra = Spectra()
        spectra.update(forecast, truth)
        result = spectra.compute()
        assert result.truth.shape == result.forecast.shape == (3, 17)
        assert result.wavelength[[0, 1, 16]].tolist() == [math.inf, 32, 2]
        assert torch.allclose(result.forecast, result.truth) is same
        assert bool((result.forecast[:, -4:] < 0.2 * result.truth[:, -4:]).all()) is not same


def test_batches_add_up_and_frames_with_holes_are_left_out():
    torch.manual_seed(0)
    forecast, truth = torch.rand(2, 4, 3, 2, 9, 12)
    truth[1, 0, 0, 3, 3] = truth[:, 2, 1, 0, 0] = torch.nan
    parts = Spectra()
    for pair in zip(forecast.split([1, 3]), truth.split([1, 3]), strict=True):
        parts.update(*pair)
    result = parts.compute()
    for t, samples in ((0, [0, 2, 3]), (1, [0, 1, 2, 3])):
        for name, frames in (("forecast", forecast), ("truth", truth)):
            expected = radial_power(frames[samples, t].double()).mean(dim=(0, 1))
            torch.testing.assert_close(getattr(result, name)[t], expected)
    assert result.forecast[2].isnan().all()
    assert result.truth[2].isnan().all()


def test_a_batch_of_nothing_changes_nothing():
    frames, spectra = torch.rand(2, 3, 1, 6, 8), Spectra()
    spectra.update(frames[:0], frames[:0])
    assert spectra.compute().truth.isnan().all()
    spectra.update(frames, frames)
    torch.testing.assert_close(spectra.compute().truth, radial_power(frames.double()).mean(dim=(0, 2)))


def test_members_are_averaged_as_spectra():
    torch.manual_seed(0)
    members, truth = torch.rand(2, 3, 2, 1, 8, 8), torch.rand(2, 2, 1, 8, 8)
    together, apart = Spectra(), Spectra()
    together.update(members, truth)
    for member in members.unbind(1):
        apart.update(member, truth)
    torch.testing.assert_close(together.compute().forecast, apart.compute().forecast)


def test_errors_say_what_to_do():
    spectra, frames = Spectra(), torch.rand(1, 2, 1, 4, 4)
    with pytest.raises(ValueError, match="Spectra must be given a batch first"):
        spectra.compute()
    with pytest.raises(ValueError, match=r"must be \(B, T, C, H, W\) or .*got \(2, 1, 4, 4\) and \(1, 2, 1, 4, 4\)"):
        spectra.update(frames[0], frames)
    with pytest.raises(ValueError, match="prediction must be finite"):
        spectra.update(frames / 0.0, frames)
    spectra.update(frames, frames)
    with pytest.raises(ValueError, match=r"the size of earlier ones, \(2, 4, 4\), got \(2, 4, 5\)"):
        spectra.update(torch.rand(1, 2, 1, 4, 5), torch.rand(1, 2, 1, 4, 5))


def test_frames_have_a_height_and_a_width():
    with pytest.raises(ValueError, match=r"frames must end in a height and a width, .*, got shape \(4,\)"):
        radial_power(torch.rand(4))
