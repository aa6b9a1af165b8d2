"""Forecasters of many frames at once: SequenceForecaster, and DirectForecaster, which has an encoder and a decoder."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ..borders.checks import check_positive
from ..weights.layout import channels_last
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
            yield from forecast.unbind(1)
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


class SequenceForecaster(AtOnce):
    """A network from whole sequences to whole sequences, as a forecaster of any horizon and any size.

    Args:
        network: Past frames `(B, in_frames, in_channels, H, W)` to future ones, `(B, out_frames, out_channels, H, W)`.
            One that refines its forecast in steps returns a list: in training what it has after each step, otherwise
            the last alone. The last is the forecast, and those before it are `Rollout.intermediate`.
        in_frames: See `AtOnce`.
        out_frames: See `AtOnce`.
        size_multiple: What the network needs H and W to be multiples of; see `Forecaster`.
        feedback: See `AtOnce`.
        in_channels: See `Forecaster`.
        out_channels: See `Forecaster`.
        image_size: See `Forecaster`.

    Shapes:
        past: `(B, in_frames, C, H, W)`, any `H` and `W` unless `image_size` is given.
        returns: `(B, horizon, C', H, W)`, with C' the channels of the forecast frames.

    Raises:
        ValueError: If a number is not positive.
    """

    def __init__(
        self,
        network: nn.Module,
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
            in_frames,
            out_frames,
            size_multiple=size_multiple,
            feedback=feedback,
            in_channels=in_channels,
            out_channels=out_channels,
            image_size=image_size,
        )
        self.network = network

    def translate(self, past: Tensor) -> Tensor:
        """`(B, in_frames, C, H, W)` to `(B, out_frames, C, H, W)`."""
        return self.stages(past)[-1]

    def stages(self, past: Tensor) -> list[Tensor]:
        """See `AtOnce`."""
        height, width = past.shape[-2:]
        made = self.network(self._padded(past.flatten(0, 1)).unflatten(0, (-1, past.shape[1])))
        return [each[..., :height, :width] for each in (made if isinstance(made, list) else [made])]


class DirectForecaster(AtOnce):
    """Encodes every past frame by itself, translates all of them at once, decodes every future frame by itself.

    Args:
        encoder: Frames `(N, in_channels, H, W)` to features `(N, C', H', W')` and whatever the decoder wants of the
            frames beside them: a skip `(N, *, *, *)`.
        translator: Features of all past frames `(B, in_frames * C', H', W')` to those of all future ones,
            `(B, out_frames * C', H', W')`, time before channels. One whose attribute `sequences` is True has time as
            an axis of its own: `(B, in_frames, C', H', W')` to `(B, out_frames, C', H', W')`.
        decoder: Features and skip to frames `(N, out_channels, H, W)`. Forecast k gets the skip of past frame k; with
            fewer forecasts than past frames, they get those of the last ones; with more, the rest get the last one.
        shortcut: Past frames as channels, `(B, in_frames * in_channels, H, W)`, to what is added to the forecasts,
            `(B, out_frames * out_channels, H, W)`.
        in_frames: See `AtOnce`.
        out_frames: See `AtOnce`.
        size_multiple: What encoder and translator need H and W to be multiples of; see `Forecaster`.
        feedback: See `AtOnce`.
        in_channels: See `Forecaster`.
        out_channels: See `Forecaster`.
        image_size: See `Forecaster`.

    Shapes:
        past: `(B, in_frames, C, H, W)`, any `H` and `W` unless `image_size` is given.
        returns: `(B, horizon, C', H, W)`, with C' the channels of the forecast frames.

    Raises:
        ValueError: If a number is not positive.
    """

    def __init__(
        self,
        encoder: nn.Module,
        translator: nn.Module,
        decoder: nn.Module,
        in_frames: int,
        out_frames: int,
        *,
        shortcut: nn.Module | None = None,
        size_multiple: int = 1,
        feedback: Callable[[Tensor], Tensor] | None = None,
        in_channels: int | None = None,
        out_channels: int | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(
            in_frames,
            out_frames,
            size_multiple=size_multiple,
            feedback=feedback,
            in_channels=in_channels,
            out_channels=out_channels,
            image_size=image_size,
        )
        self.encoder, self.translator, self.decoder, self.shortcut = encoder, translator, decoder, shortcut

    def translate(self, past: Tensor) -> Tensor:
        """`(B, in_frames, C, H, W)` to `(B, out_frames, C, H, W)`."""
        batch, height, width = past.shape[0], *past.shape[-2:]
        features, skip = self.encoder(self._padded(channels_last(past.flatten(0, 1))))
        features = features.unflatten(0, (batch, -1))
        if getattr(self.translator, "sequences", False):
            features = self.translator(features).flatten(0, 1)
        else:
            features = self.translator(features.flatten(1, 2)).unflatten(1, (self.out_frames, -1)).flatten(0, 1)
        if self.in_frames != self.out_frames:
            skip = self._skips(skip.unflatten(0, (batch, -1))).flatten(0, 1)
        forecast = self.decoder(features, skip)[..., :height, :width].unflatten(0, (batch, -1))
        if self.shortcut is None:
            return forecast
        return forecast + self.shortcut(past.flatten(1, 2)).unflatten(1, (self.out_frames, -1))

    def check_past(self, past: Tensor, horizon: int) -> None:
        """Raise a `ValueError` that names what is wrong with the arguments, if anything is."""
        super().check_past(past, horizon)
        if min(past.shape[-2:]) < self.size_multiple:
            raise ValueError(
                f"past must have H and W of at least {self.size_multiple}, which the strides divide them by, got "
                f"{tuple(past.shape[-2:])}; resize the frames, or build the model with fewer strides."
            )

    def _skips(self, skip: Tensor) -> Tensor:
        """`(B, in_frames, ...)` to `(B, out_frames, ...)`: to each forecast the skip that it gets."""
        skip = skip[:, max(self.in_frames - self.out_frames, 0) :]
        beyond = self.out_frames - skip.shape[1]
        return torch.cat([skip, skip[:, -1:].expand(-1, beyond, *skip.shape[2:])], dim=1) if beyond else skip
