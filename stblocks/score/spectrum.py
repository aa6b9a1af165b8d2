"""Power by scale: does a forecast have as much detail as the truth?"""

from typing import NamedTuple

import torch
from torch import Tensor

from .scores import check_finite, precise


def radial_power(frames: Tensor) -> Tensor:
    r"""The radially averaged power spectrum of frames.

    $$P(k) = \overline{|\mathcal F x|^2} \quad \text{over waves with} \quad k = \mathrm{round}(L \sqrt{f_y^2 + f_x^2})$$

    with the orthonormal Fourier transform, $f_y$ and $f_x$ in cycles a pixel, and L = max(H, W): k waves fit into the
    longer side. k = 0 is the mean. NaN where no wave has this k.

    Args:
        frames: `(B, T, C, H, W)`, or any other number of axes before H and W.

    Returns:
        `(B, T, C, K)` with K = max(H, W) // 2 + 1.

    Raises:
        ValueError: If frames have no height and width.
    """
    if frames.ndim < 2:
        raise ValueError(f"frames must end in a height and a width, (..., H, W), got shape {tuple(frames.shape)}.")
    height, width = frames.shape[-2:]
    side = max(height, width)
    if not frames.numel():  # which not every Fourier transform takes
        return frames.new_zeros(*frames.shape[:-2], side // 2 + 1)
    power = torch.fft.fft2(frames, norm="ortho").abs().square().flatten(-2)
    y, x = (torch.fft.fftfreq(n, dtype=torch.float64, device=frames.device) for n in (height, width))
    number = (side * (y.square().view(-1, 1) + x.square()).sqrt()).round().long().flatten()
    kept = number <= side // 2
    number, power = number[kept], power[..., kept]
    total = power.new_zeros(*power.shape[:-1], side // 2 + 1).index_add(-1, number, power)
    return total / torch.bincount(number, minlength=side // 2 + 1).to(total)


class Spectrum(NamedTuple):
    """Power by lead time and wavenumber, averaged over frames and channels.

    Attributes:
        wavelength: `(K,)`, in pixels; infinite for the mean.
        forecast: `(T, K)`.
        truth: `(T, K)`.
    """

    wavelength: Tensor
    forecast: Tensor
    truth: Tensor


class Spectra:
    """Adds up the power spectra of forecasts and their truth batch by batch, in constant memory.

    Frames whose truth has missing cells are left out: a hole has a spectrum of its own.
    """

    def __init__(self) -> None:
        self._state: dict[str, Tensor] = {}
        self._shape: tuple[int, ...] | None = None  # (T, H, W)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            prediction: Forecast frames `(B, T, C, H, W)`, finite; or those of an ensemble `(B, E, T, C, H, W)`, whose
                power is averaged over the members: their mean has less.
            target: True frames `(B, T, C, H, W)`, NaN where missing.

        Raises:
            ValueError: If shapes differ, from each other or in T or the size of frames from earlier batches, or a value
                is not finite.
        """
        members = prediction if prediction.ndim == 6 else prediction.unsqueeze(1)
        if members.ndim != 6 or not members.shape[1] or members[:, 0].shape != target.shape:
            raise ValueError(
                f"prediction and target must be (B, T, C, H, W) or (B, E, T, C, H, W), and (B, T, C, H, W), "
                f"got {tuple(prediction.shape)} and {tuple(target.shape)}."
            )
        check_finite(prediction, target)
        whole = ~target.isnan().any(dim=(2, 3, 4))  # (B, T)
        batch = {"frames": whole.sum(dim=0).double()}
        for name, frames in (("forecast", members), ("truth", target.unsqueeze(1))):
            power = radial_power(precise(frames).nan_to_num(0.0)).mean(dim=(1, 3))
            batch[name] = (power * whole.to(power).unsqueeze(-1)).sum(dim=0)
        shape = (*target.shape[1:2], *target.shape[3:])
        if self._shape not in (None, shape):
            raise ValueError(
                f"frames must have the lead times and the size of earlier ones, {self._shape}, got {shape}."
            )
        self._shape = shape
        self._state = {key: self._state.get(key, 0) + value.cpu() for key, value in batch.items()}

    def compute(self) -> Spectrum:
        """The mean spectra of all batches so far; NaN at lead times without a whole frame.

        Raises:
            ValueError: If there was no batch.
        """
        if self._shape is None:
            raise ValueError("Spectra must be given a batch first; call update(prediction, target).")
        frames = self._state["frames"].unsqueeze(-1)
        forecast, truth = self._state["forecast"] / frames, self._state["truth"] / frames
        return Spectrum(max(self._shape[1:]) / torch.arange(forecast.shape[1], dtype=torch.float64), forecast, truth)
