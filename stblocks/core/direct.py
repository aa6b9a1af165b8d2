"""Forecasters of many frames at once: SequenceForecaster, and DirectForecaster, which has an encoder and a decoder."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..weights.layout import channels_last
from .at_once import AtOnce


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
        batch, height, width = past.shape[0], *past.shape[-2:]  # len(past) would be a number where this is traced
        made = self.network(self._padded(past.flatten(0, 1)).unflatten(0, (-1, past.shape[1])))
        forecasts = made if isinstance(made, list) else [made]
        for each in forecasts:
            if each.shape[:2] != (batch, self.out_frames):
                raise ValueError(
                    f"network must return (B, out_frames, C, H, W) = {(batch, self.out_frames)} and more axes, got "
                    f"{tuple(each.shape)}; build the model with the out_frames that it makes."
                )
        return [each[..., :height, :width] for each in forecasts]


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
