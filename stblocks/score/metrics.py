"""Scores of values: errors, PSNR, SSIM, each a named protocol, since the papers' numbers differ by convention."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from ..data import Scaler

#: Forecast and truth `(B, T, C, H, W)` in model units, NaN in the truth where it is missing, to `(T, n)`: the n numbers
#: of each lead time that are added up over samples.
Sums = Callable[[Tensor, Tensor], Tensor]

#: Side of the windows of SSIM, in pixels.
SSIM_WINDOW = 7


class Metric(NamedTuple):
    """A named protocol: sums over samples, and the score of such sums, whatever samples and lead times they cover."""

    key: str  #: name of the sums; metrics that share them share it
    sums: Sums
    score: Callable[[Tensor], Tensor]  #: sums `(..., n)` to scores `(...)`


def value_metrics(scaler: Scaler) -> dict[str, Metric]:
    """The protocols for values by name, see the page on metrics.

    Args:
        scaler: Gives the units of those named `@physical`.
    """
    error = partial(Metric, "error", error_sums)
    clipped = partial(Metric, "clipped error", partial(_clip, error_sums))
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
        "psnr@pixel": clipped(lambda sums: -10 * _mse(sums).log10()),
        "psnr@frame_mean": Metric("psnr", partial(_clip, psnr_sums), _frame_mean),
        "snr@frame_mean": Metric("snr", partial(_clip, snr_sums), _frame_mean),
        "ssim@uniform7": Metric("ssim", partial(_clip, partial(ssim_sums, data_range=1.0)), _frame_mean),
        "ssim@uniform7_range2": Metric("ssim range 2", partial(_clip, partial(ssim_sums, data_range=2.0)), _frame_mean),
    }


def error_sums(prediction: Tensor, target: Tensor) -> Tensor:
    """Absolute error, squared error, cells whose truth is known, all cells, frames: `(T, 5)`."""
    missing = target.isnan()
    error = (prediction - target).masked_fill(missing, 0)
    sums = [each.sum(dim=(0, 2, 3, 4), dtype=torch.float64) for each in (error.abs(), error.square(), ~missing)]
    cells, frames = (torch.full_like(sums[0], number) for number in (target[:, 0].numel(), target.shape[0]))
    return torch.stack([*sums, cells, frames], dim=1)


def psnr_sums(prediction: Tensor, target: Tensor) -> Tensor:
    """PSNR of each frame for values that reach from 0 to 1, and the number of frames: `(T, 2)`."""
    return _sum_frames(-10 * _frame_power(prediction - target).log10())


def snr_sums(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean square of the truth over that of the error, in dB, of each frame, and the number of frames: `(T, 2)`."""
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


def _clip(sums: Sums, prediction: Tensor, target: Tensor) -> Tensor:
    return sums(prediction.clamp(0, 1), target)


def _frame_power(values: Tensor) -> Tensor:
    """Mean square of each frame over the cells that are not NaN, `(B, T)`."""
    return values.square().flatten(2).nanmean(dim=2)


def _sum_frames(values: Tensor) -> Tensor:
    """`(B, T)` values of frames, NaN where all of a frame is missing, to their sum and number, `(T, 2)`."""
    return torch.stack([values.nansum(dim=0), (~values.isnan()).sum(dim=0)], dim=1)


def _frame_mean(sums: Tensor) -> Tensor:
    return sums[..., 0] / sums[..., 1]


def _mae(sums: Tensor) -> Tensor:
    return sums[..., 0] / sums[..., 2]


def _mse(sums: Tensor) -> Tensor:
    return sums[..., 1] / sums[..., 2]


def _frame_size(sums: Tensor) -> Tensor:
    return sums[..., 3] / sums[..., 4]
