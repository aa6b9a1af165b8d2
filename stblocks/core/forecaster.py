"""Forecasters: from past frames to future frames, at any horizon."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from ..borders.checks import check_positive
from ..weights.fuse import fuse_children
from ..weights.layout import lay_channels_last
from .given_frames import check_kind, check_no_nan, warn_of_size
from .pretrained import Pretrained


class Rollout(NamedTuple):
    """What a model made of a sequence: `frames[:, k]` forecasts frame `first + k` of `cat([past, future])`.

    Attributes:
        frames: `(B, N, C, H, W)`.
        first: 1 for a recurrent model, T for a direct one.
        aux: Auxiliary losses, name to `(B,)`, averaged over layers and steps.
        state: The state after the last step.
        intermediate: Earlier forecasts of the same frames, first to last, each shaped as `frames`: in training, what a
            network that refines its forecast in steps has after each of these but the last.
    """

    frames: Tensor
    first: int
    aux: dict[str, Tensor]
    state: Any
    intermediate: tuple[Tensor, ...] = ()


#: What a model keeps of the frames it was shown: tensors, in dicts, lists and tuples.
Memory = dict[str, Any]


class Forecaster(Pretrained):
    """Base of all models: `model(past, horizon)` forecasts frames, `model.rollout(...)` is for training.

    Args:
        size_multiple: What the layers need H and W to be multiples of. Frames are padded to it at the bottom and the
            right by replication, forecasts are cropped.
        feedback: Forecasts to inputs, `(..., C, H, W)` both, where their channels differ. May be set on a built model;
            it is not saved with it.
        in_channels: Channels of the past frames; `None` leaves that to the layers.
        out_channels: Channels of the forecast frames; `None` means as many as `in_channels`.
        image_size: `(H, W)` if the model's parameters are bound to one frame size; other sizes are refused.

    Attributes:
        teachable: Whether `rollout` can be fed true future frames by a `teacher_mask`.
        remembers: The keys of what `observe` returns.
        output_range: The least and the largest value that forecasts can have, in model units; `None` if there is none.

    Shapes:
        past: `(B, T, C, H, W)`, any `H` and `W` unless `image_size` is given.
        returns: `(B, horizon, C', H, W)`, with C' the channels of the forecast frames.

    Raises:
        ValueError: If `size_multiple` is not positive.
    """

    teachable = True
    output_range: tuple[float, float] | None = None
    remembers: ClassVar[tuple[str, ...]] = ("frames",)

    def __init__(
        self,
        *,
        size_multiple: int = 1,
        feedback: Callable[[Tensor], Tensor] | None = None,
        in_channels: int | None = None,
        out_channels: int | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        check_positive(size_multiple=size_multiple)
        self.size_multiple, self.feedback = size_multiple, feedback
        self.in_channels = in_channels
        self.out_channels = in_channels if out_channels is None else out_channels
        self.image_size = image_size

    def forward(self, past: Tensor, horizon: int) -> Tensor:
        """Forecast.

        Args:
            past: Observed frames `(B, T, C, H, W)`, `T >= 1`.
            horizon: How many frames to forecast, at least 1.

        Returns:
            Forecast frames `(B, horizon, C, H, W)`.

        Raises:
            ValueError: If `past` has another shape, other channels or no pixels, is not where the weights are or not of
                their dtype, or is on the CPU and has NaN; or if `horizon` is below 1.

        Warns:
            UserWarning: If frames are larger than 512 x 512 and a part of the model looks at the whole map.
        """
        check_no_nan("past", past)
        warn_of_size(self, past)
        rollout = self.rollout(past, horizon)
        return rollout.frames[:, past.shape[1] - rollout.first :]

    def rollout(
        self, past: Tensor, horizon: int, future: Tensor | None = None, teacher_mask: Tensor | None = None
    ) -> Rollout:
        """All forecasts that training compares with the truth; see the subclass."""
        raise NotImplementedError

    @torch.no_grad()
    def steps(self, past: Tensor) -> Iterator[Tensor]:
        """Forecasts without end, one at a time and without gradients: no horizon takes more memory than another.

        (Models that are neither recurrent nor direct, such as optical flow, make twice as many at once each time.)

        Args:
            past: Observed frames `(B, T, C, H, W)`, see `forward`.

        Yields:
            The next frame `(B, C, H, W)`: the first `horizon` of them are `forward(past, horizon)`.

        Raises:
            ValueError: As `forward` does, when the first frame is asked for.
        """
        self.check_past(past, 1)
        check_no_nan("past", past)
        memory: Memory | None = None
        for frame in past.unbind(1):
            memory = self.observe(frame, memory)
        yield from self.forecasts(memory or {})

    def observe(self, frame: Tensor, memory: Memory | None = None) -> Memory:
        """Take in one more frame: what `forecasts` starts from, see `Nowcaster`.

        A model that need not keep all frames overrides this and `forecasts`.

        Args:
            frame: `(B, C, H, W)`.
            memory: What this returned for the frame before; it is left as it was. `None` before the first.

        Raises:
            ValueError: If the frame has another shape than it must.
        """
        self.check_frame(frame)
        frames = [frame.unsqueeze(1)] if memory is None else [memory["frames"], frame.unsqueeze(1)]
        return {"frames": torch.cat(frames, dim=1)}  # a copy: the caller may fill the frame anew

    def forecasts(self, memory: Memory) -> Iterator[Tensor]:
        """Forecasts of the frames `(B, C, H, W)` after the last that was observed, without end."""
        done, horizon = 0, 1
        while True:
            yield from self(memory["frames"], horizon)[:, done:].unbind(1)
            done, horizon = horizon, 2 * horizon

    def fuse(self) -> Self:
        """A copy for inference, in which blocks that can be had with fewer layers are.

        Those are the ones with a method `fused`, as translators and as stages of cells; everything else stays as it
        is. The copy forecasts the same to rounding, cannot be trained, and is not saved: keep the model itself.
        """
        fused = deepcopy(self).eval().requires_grad_(False)
        fuse_children(fused)
        lay_channels_last(fused)
        fused.config = None  # its weights are no longer those of the model that the config describes
        return fused

    def check_past(self, past: Tensor, horizon: int) -> None:
        """Raise a `ValueError` that names what is wrong with the arguments, if anything is."""
        check_positive(horizon=horizon)
        check_kind(self, "past", past)
        channels = "C" if self.in_channels is None else self.in_channels
        if past.ndim != 5 or past.shape[1] < 1 or (self.in_channels or past.shape[2]) != past.shape[2]:
            raise ValueError(f"past must be (B, T, {channels}, H, W) with T >= 1, got shape {tuple(past.shape)}.")
        if 0 in past.shape:
            raise ValueError(f"past must hold a sequence at least, and pixels, got shape {tuple(past.shape)}.")
        self.check_size("past", past)

    def check_frame(self, frame: Tensor) -> None:
        """Raise a `ValueError` that names what is wrong with a single frame, if anything is."""
        check_kind(self, "frame", frame)
        if frame.ndim != 4 or 0 in frame.shape or self.in_channels not in (None, frame.shape[1]):
            raise ValueError(
                f"frame must be (B, {self.in_channels or 'C'}, H, W) with no axis of 0, got shape {tuple(frame.shape)}."
            )
        self.check_size("frame", frame)

    def check_size(self, name: str, frames: Tensor) -> None:
        """Raise a `ValueError` if frames are not of the size that the model is bound to, if it is."""
        size = tuple(frames.shape[-2:])
        if self.image_size is not None and size != tuple(self.image_size):
            raise ValueError(
                f"{name} must have frames of image_size={tuple(self.image_size)}, which this model is bound to, "
                f"got {size}; build one with image_size={size}, or one that is bound to none: "
                f"`stblocks info {(self.config or {}).get('model', 'NAME')} --help` says by which option."
            )

    def _padded(self, frames: Tensor) -> Tensor:
        """Frames `(B, C, H, W)` whose H and W are multiples of `size_multiple`."""
        pad = (0, -frames.shape[-1] % self.size_multiple, 0, -frames.shape[-2] % self.size_multiple)
        return functional.pad(frames, pad, mode="replicate") if any(pad) else frames

    def _fed_back(self, forecasts: Tensor, channels: int, at_once: int) -> Tensor:
        """Forecasts `(..., C, H, W)` as inputs of so many channels; a horizon of `at_once` needs none."""
        inputs = forecasts if self.feedback is None else self.feedback(forecasts)
        if inputs.shape[-3] != channels:
            raise ValueError(
                f"forecasts have {inputs.shape[-3]} channels but inputs {channels}, so they cannot be fed back; set "
                f"model.feedback = ... (forecasts -> inputs), or use a horizon of at most {at_once}."
            )
        return inputs
