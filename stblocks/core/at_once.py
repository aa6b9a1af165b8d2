"""AtOnce: the base of forecasters of many frames at once."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..borders.checks import check_positive
from .forecaster import Forecaster, Memory, Rollout


class AtOnce(Forecaster):
    """Base of forecasters that make `out_frames` frames of `in_frames` at once, by `translate`.

    A horizon beyond `out_frames` is reached by feeding forecasts back as the newest past frames (SimVPv2 paper,
    Sec. V-C), a shorter one by cutting; so a forecast is the beginning of any longer one.

    Args:
        in_frames: Past frames that a forecast is made from.
        out_frames: Frames that are forecast at once.
        size_multiple: What the layers need H and W to be multiples of; see `Forecaster`.
        feedback: Forecasts `(B, T, out_channels, H, W)` to past frames; see `Forecaster`.
        in_channels: See `Forecaster`.
        out_channels: See `Forecaster`.
        image_size: See `Forecaster`.

    Shapes:
        past: `(B, in_frames, C, H, W)`, any `H` and `W` unless `image_size` is given.
        returns: `(B, horizon, C', H, W)`, with C' the channels of the forecast frames.

    Raises:
        ValueError: If a number is not positive.
    """

    teachable = False

    def __init__(
        self,
        in_frames: int,
        out_frames: int,
        *,
        size_multiple: int = 1,
        feedback: Callable[[Tensor], Tensor] | None = None,
        in_channels: int | None = None,
        out_channels: int | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(
            size_multiple=size_multiple,
            feedback=feedback,
            in_channels=in_channels,
            out_channels=out_channels,
            image_size=image_size,
        )
        check_positive(in_frames=in_frames, out_frames=out_frames)
        self.in_frames, self.out_frames = in_frames, out_frames

    def rollout(
        self, past: Tensor, horizon: int, future: Tensor | None = None, teacher_mask: Tensor | None = None
    ) -> Rollout:
        """Forecasts of frames T to T + horizon - 1.

        Args:
            past: Observed frames `(B, in_frames, C, H, W)`.
            horizon: Frames to forecast.
            future: Not looked at, since no forecast starts from a true frame beyond `past`.
            teacher_mask: Must be `None`.

        Raises:
            ValueError: If `past` has other frames than `in_frames`, there is a mask, or `horizon` is beyond
                `out_frames`, forecasts have other channels than frames, and there is no `feedback`.
        """
        self.check_past(past, horizon)
        if teacher_mask is not None:
            raise ValueError("teacher_mask must be None: a direct model is never fed a true future frame.")
        parts = [self.stages(past)]
        while len(parts) * self.out_frames < horizon:
            past = self._moved_on(past, parts[-1][-1])
            parts.append(self.stages(past))
        *intermediate, frames = (torch.cat(each, dim=1)[:, :horizon] for each in zip(*parts, strict=True))
        return Rollout(frames, self.in_frames, {}, None, tuple(intermediate))

    def observe(self, frame: Tensor, memory: Memory | None = None) -> Memory:
        """The last `in_frames` frames; see `Forecaster.observe`."""
        return {"frames": super().observe(frame, memory)["frames"][:, -self.in_frames :]}

    def forecasts(self, memory: Memory) -> Iterator[Tensor]:
        """As many frames at a time as the model forecasts at once; see `Forecaster.forecasts`."""
        past = memory["frames"]
        self.check_past(past, 1)
        while True:
            forecast = self.translate(past)
            yield from forecast.clone().unbind(1)  # the caller may change them in place
            past = self._moved_on(past, forecast)

    def _moved_on(self, past: Tensor, forecast: Tensor) -> Tensor:
        """The past frames once a forecast has come to be among them."""
        fed = self._fed_back(forecast, past.shape[2], self.out_frames)
        return torch.cat([past, fed], dim=1)[:, -self.in_frames :]

    def translate(self, past: Tensor) -> Tensor:
        """`(B, in_frames, C, H, W)` to `(B, out_frames, C, H, W)`."""
        raise NotImplementedError

    def stages(self, past: Tensor) -> list[Tensor]:
        """What `translate` makes, last, after the forecasts that it was made of, if there are any."""
        return [self.translate(past)]

    def check_past(self, past: Tensor, horizon: int) -> None:
        """Raise a `ValueError` that names what is wrong with the arguments, if anything is."""
        super().check_past(past, horizon)
        if past.shape[1] != self.in_frames:
            hint = f"pass past[:, -{self.in_frames}:]" if past.shape[1] > self.in_frames else "pass more frames"
            raise ValueError(
                f"past must have in_frames={self.in_frames} frames, got {past.shape[1]}; {hint}, or build the model "
                f"with in_frames={past.shape[1]}."
            )
