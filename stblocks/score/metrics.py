"""Scores of values: errors, PSNR, SSIM, LPIPS, each a named protocol, since numbers of papers differ by convention."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from ..data import Scaler
from .lpips import NETWORKS, lpips_distances

#: Forecast and truth `(B, T, C, H, W)` in model units, NaN in the truth where it is missing, to `(T, n)`: the n numbers
#: of each lead time that are added up over samples.
Sums = Callable[[Tensor, Tensor], Tensor]

#: Side of the windows of SSIM, in pixels.
SSIM_WINDOW = 7
#: By how much the truth may leave [0, 1] in scores of that range, as a later year may the range of those for training.
MARGIN = 0.1

#: The least and the largest value, or a pair of tuples, an entry for each channel.
Range = tuple[float, float] | tuple[tuple[float, ...], tuple[float, ...]]


class Metric(NamedTuple):
    """A named protocol: sums over samples, and the score of such sums, whatever samples and lead times they cover."""

    key: str  #: name of the sums; metrics that share them share it
    sums: Sums
    score: Callable[[Tensor], Tensor]  #: sums `(..., n)` to scores `(...)`


def value_metrics(scaler: Scaler, data_range: Range | None = None) -> dict[str, Metric]:
    """The protocols for values by name, see the page on metrics.

    Args:
        scaler: Gives the units of those named `@physical`.
        data_range: Physical values that are 0 and 1 to PSNR, SNR, SSIM and LPIPS; `None` are the 0 and 1 of the model.

    Raises:
        ValueError: If the range is no least and largest value.
    """
    unit = _to_unit(scaler, data_range)

    def clipped(key: str, sums: Sums, score: Callable[[Tensor], Tensor]) -> Metric:
        return Metric(key, partial(_clip, sums, unit), score)

    error = partial(Metric, "error", error_sums)
    physical = partial(Metric, "physical error", lambda p, t: error_sums(scaler.to_physical(p), scaler.to_physical(t)))
    return {
        "mse@pixel": error(_mse),
        "mse@frame_sum": error(lambda sums: _mse(sums) * _frame_size(sums)),
        "mae@pixel": error(_mae),
        "mae@frame_sum": error(lambda sums: _mae(sums) * _frame_size(sums)),
        "rmse@pixel": error(lambda sums: _mse(sums).sqrt()),
        "rmse@frame_sum": error(lambda sums: (_mse(sums) * _frame_size(sums)).sqrt()),
        "mae@physical": physical(_mae),
        "rmse@physical": physical(lambda sums: _mse(sums).sqrt()),
        "psnr@pixel": clipped("clipped error", error_sums, _psnr),
        "psnr@frame_mean": clipped("psnr", psnr_sums, _frame_mean),
        "snr@frame_mean": clipped("snr", snr_sums, _frame_mean),
        "ssim@uniform7": clipped("ssim", partial(ssim_sums, data_range=1.0), _frame_mean),
        "ssim@uniform7_range2": clipped("ssim range 2", partial(ssim_sums, data_range=2.0), _frame_mean),
        **{
            f"lpips@{name}": clipped(f"lpips {name}", partial(lpips_sums, network=name), _frame_mean)
            for name in NETWORKS
        },
    }


def error_sums(prediction: Tensor, target: Tensor) -> Tensor:
    """Absolute error, squared error, cells whose truth is known, all cells, frames: `(T, 5)`."""
    missing = target.isnan()
    error = (prediction - target).masked_fill(missing, 0)
    sums = [each.sum(dim=(0, 2, 3, 4), dtype=torch.float64) for each in (error.abs(), error.square(), ~missing)]
    cells, frames = (torch.full_like(sums[0], number) for number in (target[:, 0].numel(), target.shape[0]))
    return torch.stack([*sums, cells, frames], dim=1)


def psnr_sums(prediction: Tensor, target: Tensor) -> Tensor:
    """PSNR of each frame for values that reach from 0 to 1, and the number of frames: `(T, 2)`.

    It is infinite where a frame is forecast without an error, such as a dry one: these count as no frame.
    """
    return _sum_frames(-10 * _frame_power(prediction - target).log10())


def snr_sums(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean square of the truth over that of the error, in dB, of each frame, and the number of frames: `(T, 2)`.

    Frames of zeros and those without an error, where it is infinite or undefined, count as none.
    """
    return _sum_frames(10 * (_frame_power(target) / _frame_power(prediction - target)).log10())


def ssim_sums(prediction: Tensor, target: Tensor, *, data_range: float, window: int = SSIM_WINDOW) -> Tensor:
    r"""SSIM of each frame, and the number of frames: `(T, 2)` (Wang et al., IEEE TIP 2004, eq. 13).

    $$\frac{(2 \mu_x \mu_y + C_1)(2 \sigma_{xy} + C_2)}{(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)}$$

    is averaged over all windows that lie within the frame and hold no missing cell, and over channels. Windows are
    squares of equal weights, variances those of a sample ($N - 1$), $C_1 = (0.01 R)^2$, $C_2 = (0.03 R)^2$: what
    scikit-image computes by default.

    Raises:
        ValueError: If a frame is smaller than the window.
    """
    if min(target.shape[-2:]) < window:
        raise ValueError(
            f"ssim needs frames of at least {window} x {window} pixels, got {tuple(target.shape[-2:])}; "
            f"Scores(metrics=...) can leave it out."
        )
    missing = target.isnan()
    x, y = prediction.flatten(0, 1), target.masked_fill(missing, 0).flatten(0, 1)

    def mean(values: Tensor) -> Tensor:
        return avg_pool2d(avg_pool2d(values, (window, 1), stride=1), (1, window), stride=1)

    sample = window**2 / (window**2 - 1)
    mean_x, mean_y = mean(x), mean(y)
    covariance = sample * (mean(x * y) - mean_x * mean_y)
    variances = sample * (mean(x.square() + y.square()) - mean_x.square() - mean_y.square())
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    ssim = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    ssim = ssim / ((mean_x.square() + mean_y.square() + c1) * (variances + c2))
    whole = max_pool2d(missing.flatten(0, 1).double(), window, stride=1) == 0
    per_frame = (ssim * whole).sum(dim=(1, 2, 3)) / whole.sum(dim=(1, 2, 3))
    return _sum_frames(per_frame.view(target.shape[:2]))


def lpips_sums(prediction: Tensor, target: Tensor, *, network: str) -> Tensor:
    """LPIPS of each frame, see `lpips_distances`, and the number of frames: `(T, 2)`.

    Frames with a missing cell count as none: every feature sees a good part of the frame.

    Raises:
        ValueError: See `lpips_distances`.
    """
    return _sum_frames(lpips_distances(prediction, target, network=network))


def _to_unit(scaler: Scaler, data_range: Range | None) -> Callable[[Tensor], Tensor]:
    """From model units to those in which values reach from 0 to 1."""
    if data_range is None:
        return lambda values: values
    try:
        low, high = (each if isinstance(each, tuple | list) else (each,) for each in data_range)
        spans = [most - least for least, most in zip(low, high, strict=True)]
        unit = Scaler(tuple(low), tuple(spans)) if len(spans) > 1 else Scaler(low[0], spans[0])
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(_wrong_range(data_range)) from error
    if min(spans) <= 0:
        raise ValueError(_wrong_range(data_range))
    return lambda values: unit.to_model(scaler.to_physical(values))


def _wrong_range(data_range: object) -> str:
    return f"data_range must be the least and the largest physical value, such as (200.0, 320.0), got {data_range!r}."


def _clip(sums: Sums, unit: Callable[[Tensor], Tensor], prediction: Tensor, target: Tensor) -> Tensor:
    """Sums of values that reach from 0 to 1, both clipped to that; NaN where the truth is off by more than `MARGIN`."""
    prediction, target = unit(prediction), unit(target)
    result = sums(prediction.clamp(0, 1), target.clamp(0, 1))
    beyond = ((target < -MARGIN) | (target > 1 + MARGIN)).sum(dim=(0, 2, 3, 4)) > 0
    if beyond.any():
        warnings.warn(
            "PSNR, SNR, SSIM and LPIPS are for values from 0 to 1, and the truth reaches further: they are NaN. Pass "
            "data_range=(low, high), physical values, to Scores, evaluate or report, or --data_range to "
            "`stblocks evaluate`; or leave them out by metrics=.",
            stacklevel=2,
        )
        result[beyond] = torch.nan
    return result


def _frame_power(values: Tensor) -> Tensor:
    """Mean square of each frame over the cells that are not NaN, `(B, T)`."""
    return values.square().flatten(2).nanmean(dim=2)


def _sum_frames(values: Tensor) -> Tensor:
    """`(B, T)` values of frames, to the sum and number of those that are finite, `(T, 2)`; missing frames are not."""
    known = values.isfinite()
    return torch.stack([values.where(known, 0).sum(dim=0), known.sum(dim=0)], dim=1)


def _frame_mean(sums: Tensor) -> Tensor:
    return sums[..., 0] / sums[..., 1]


def _mae(sums: Tensor) -> Tensor:
    return sums[..., 0] / sums[..., 2]


def _psnr(sums: Tensor) -> Tensor:
    """NaN, never infinite, where there is no error."""
    mse = _mse(sums)
    return -10 * mse.where(mse > 0, torch.nan).log10()


def _mse(sums: Tensor) -> Tensor:
    return sums[..., 1] / sums[..., 2]


def _frame_size(sums: Tensor) -> Tensor:
    return sums[..., 3] / sums[..., 4]
