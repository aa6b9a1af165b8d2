"""Forecasts that nothing is learnt for: that nothing changes, and that rain only moves."""

import torch
from torch import Tensor

from ..borders.checks import check_positive, is_number
from ..core import Forecaster, register_model
from ..core.forecaster import Memory, Rollout
from ..ops.optical_flow import optical_flow, semi_lagrangian, without_autocast
from .frame import Frame


class Extrapolation(Forecaster):
    """A forecaster that goes on from the past frames alone, to any lead time, and feeds nothing back."""

    teachable = False

    def rollout(
        self, past: Tensor, horizon: int, future: Tensor | None = None, teacher_mask: Tensor | None = None
    ) -> Rollout:
        """Forecasts of frames T to T + horizon - 1.

        Args:
            past: Observed frames `(B, T, C, H, W)`.
            horizon: Frames to forecast.
            future: Not looked at.
            teacher_mask: Must be `None`.

        Raises:
            ValueError: If a shape does not fit, or there is a mask.
        """
        self.check_past(past, horizon)
        if teacher_mask is not None:
            raise ValueError("teacher_mask must be None: no forecast of this model is fed back, nor a true frame.")
        return Rollout(self.extrapolate(past, horizon), past.shape[1], {}, None)

    def extrapolate(self, past: Tensor, horizon: int) -> Tensor:
        """Past frames, checked, to `(B, horizon, out_channels, H, W)`."""
        raise NotImplementedError


class Baseline(Extrapolation):
    """A forecaster without weights; forecasts have the first `out_channels` channels of the past frames."""

    def __init__(self, frame: Frame) -> None:
        if frame.forecast_channels > frame.in_channels:
            raise ValueError(
                f"out_channels must be at most in_channels={frame.in_channels}, whose first they are, "
                f"got {frame.forecast_channels}."
            )
        super().__init__(in_channels=frame.in_channels, out_channels=frame.forecast_channels)


class Persistence(Baseline):
    """The last frame again and again."""

    def observe(self, frame: Tensor, memory: Memory | None = None) -> Memory:
        """The last frame; see `Forecaster.observe`."""
        return super().observe(frame)

    def extrapolate(self, past: Tensor, horizon: int) -> Tensor:
        """See `Extrapolation`."""
        return past[:, -1:, : self.out_channels].repeat(1, horizon, 1, 1, 1)


class Advection(Baseline):
    """The last frame carried on by the motion of the past frames.

    Args:
        frame: Channels of the frames.
        window: See `optical_flow`.
        iterations: See `optical_flow`.
        ridge: See `optical_flow`.

    Raises:
        ValueError: If a number is not positive.
    """

    whole_map = True  # what counts as nothing to see is a share of the mean over the frame

    def __init__(self, frame: Frame, window: float, iterations: int, ridge: float) -> None:
        super().__init__(frame)
        check_positive(iterations=iterations)
        for name, number in {"window": window, "ridge": ridge}.items():
            if not is_number(number) or not number > 0:
                raise ValueError(f"{name} must be above 0, got {number!r}.")
        self.window, self.iterations, self.ridge = window, iterations, ridge

    def extrapolate(self, past: Tensor, horizon: int) -> Tensor:
        """See `Extrapolation`. In single precision, which positions need."""
        exact = past.to(torch.promote_types(past.dtype, torch.float32))
        with without_autocast(past.device):
            flow = optical_flow(exact, window=self.window, iterations=self.iterations, ridge=self.ridge)
            return semi_lagrangian(exact[:, -1, : self.out_channels], flow, horizon).to(past.dtype)


@register_model(frame=Frame)
def persistence(frame: Frame) -> Persistence:
    """The forecast that nothing changes: the last frame again and again. It has no weights.

    Args:
        frame: See `Frame`; `out_channels` are the first of the past ones.
    """
    return Persistence(frame)


@register_model(frame=Frame, paper="Germann and Zawadzki, MWR 2002")
def advection(frame: Frame, *, window: float = 8.0, iterations: int = 4, ridge: float = 1.0) -> Advection:
    """The forecast that rain only moves: optical flow of the past frames, which carries the last one on. No weights.

    Args:
        frame: See `Frame`; `out_channels` are the first of the past ones.
        window: See `optical_flow`.
        iterations: See `optical_flow`.
        ridge: See `optical_flow`.
    """
    return Advection(frame, window, iterations, ridge)
