"""Recurrent forecasters: a step for each frame, then for each forecast."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ..ops.recompute import recomputed
from .forecaster import Forecaster, Memory, Rollout
from .given_frames import check_kind, check_tensor
from .stack import RecurrentStack, StackState


class RecurrentForecaster(Forecaster):
    """Rolls a recurrent stack over the observed frames, then over its own forecasts.

    Args:
        stem: Frame to features, such as `nn.PixelUnshuffle(4)` for patches of 4.
        stack: The recurrent layers.
        head: Features to frame.
        size_multiple: What stem and stack need H and W to be multiples of; see `Forecaster`.
        feedback: Forecast to next input; see `Forecaster`.
        checkpointing: Recompute each step in backward instead of keeping its activations: memory of one step and of
            the states, for about a third more time.
        in_channels: See `Forecaster`.
        out_channels: See `Forecaster`.
        image_size: See `Forecaster`.

    Shapes:
        past: `(B, T, C, H, W)`, any `H` and `W` unless `image_size` is given.
        returns: `(B, horizon, C', H, W)`, with C' the channels of the forecast frames.

    Raises:
        ValueError: If `stack` is no `RecurrentStack`, or `size_multiple` is not positive.
    """

    remembers = ("state", "forecast", "channels")

    def __init__(
        self,
        stem: nn.Module,
        stack: RecurrentStack,
        head: nn.Module,
        *,
        size_multiple: int = 1,
        feedback: Callable[[Tensor], Tensor] | None = None,
        checkpointing: bool = False,
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
        if not isinstance(stack, RecurrentStack):
            raise ValueError(
                f"stack must be a RecurrentStack, got {type(stack).__name__}; use RecurrentStack([layer])."
            )
        self.stem, self.stack, self.head = stem, stack, head
        self.checkpointing = checkpointing

    def step(self, frame: Tensor, state: StackState | None = None) -> tuple[Tensor, StackState]:
        """Streaming: one frame in, the forecast of the next one out.

        Args:
            frame: `(B, C, H, W)`.
            state: What the last step returned; `None` before the first.

        Returns:
            The next frame `(B, out_channels, H, W)`, and the state to go on with.
        """
        self.check_frame(frame)
        height, width = frame.shape[-2:]
        features, state = self.stack(self.stem(self._padded(frame)), state)
        return self.head(features)[..., :height, :width], state

    def observe(self, frame: Tensor, memory: Memory | None = None) -> Memory:
        """A step: the state after it, and the forecast it made; see `Forecaster.observe`."""
        forecast, state = self.step(frame, None if memory is None else memory["state"])
        return {"state": state, "forecast": forecast, "channels": frame.shape[1]}

    def forecasts(self, memory: Memory) -> Iterator[Tensor]:
        """Steps on from there, fed with forecasts; see `Forecaster.forecasts`."""
        forecast, state = memory["forecast"], memory["state"]
        while True:
            yield forecast.clone()  # the caller may change it in place
            forecast, state = self.step(self._fed_back(forecast, memory["channels"], 1), state)

    def rollout(
        self, past: Tensor, horizon: int, future: Tensor | None = None, teacher_mask: Tensor | None = None
    ) -> Rollout:
        """Forecasts of frames 1 to T + horizon - 1, with optional teacher forcing.

        Args:
            past: Observed frames `(B, T, C, H, W)`.
            horizon: Frames to forecast beyond `past`.
            future: True frames after `past`, `(B, >= horizon - 1, C, H, W)`; needed only if the mask feeds some.
            teacher_mask: `(B, T + horizon - 1)` booleans: is step t fed the true frame t, or the forecast of it?
                Step 0 must be. By default true frames up to T, then forecasts. A mask on the CPU is read once and
                checked. On any other device it is followed without being read, so that nothing waits for the device
                and the rollout can be a CUDA graph: step 0 is fed the true frame whatever the mask says, and `future`
                must hold all horizon - 1 frames.

        Raises:
            ValueError: If a shape or dtype does not fit, the mask has no true step 0, `future` ends before a frame
                that the mask feeds, or forecasts have other channels than frames and there is no `feedback`.
        """
        self.check_past(past, horizon)
        if future is not None:
            check_kind(self, "future", future)
        if teacher_mask is not None:
            check_tensor("teacher_mask", teacher_mask)
        length = past.shape[1]
        every, some = self._plan(past, horizon, future, teacher_mask)
        truth = past if future is None else torch.cat([past, future], dim=1)
        state: StackState | None = None
        fed, forecasts = truth[:, 0], []
        aux: dict[str, Tensor] = {}
        for t in range(length + horizon - 1):
            frame = truth[:, t] if every[t] else fed
            if teacher_mask is not None and some[t] and not every[t]:
                frame = torch.where(teacher_mask[:, t].to(past.device).view(-1, 1, 1, 1), truth[:, t], fed)
            if self.checkpointing and torch.is_grad_enabled():
                forecast, state = recomputed(self.step, frame, state, module=self)
            else:
                forecast, state = self.step(frame, state)
            forecasts.append(forecast)
            if not all(every):
                fed = self._fed_back(forecast, past.shape[2], 1)
            for name, value in self.stack.aux(state).items():
                aux[name] = aux.get(name, torch.zeros_like(value)) + value / (length + horizon - 1)
        return Rollout(torch.stack(forecasts, dim=1), 1, aux, state)

    @staticmethod
    def _plan(past: Tensor, horizon: int, future: Tensor | None, mask: Tensor | None) -> tuple[list[bool], list[bool]]:
        """Is every sample, may some sample be fed the true frame at step t? A mask on the CPU is read, once."""
        batch, length = past.shape[:2]
        steps = length + horizon - 1
        if future is not None and (future.ndim != 5 or future.shape[0] != batch or future.shape[2:] != past.shape[2:]):
            raise ValueError(
                f"future must be (B, T', C, H, W) like past {tuple(past.shape)}, got {tuple(future.shape)}."
            )
        if mask is None:
            default = [t < length for t in range(steps)]
            return default, default
        if mask.dtype is not torch.bool or mask.shape != (batch, steps):
            raise ValueError(
                f"teacher_mask must be booleans of shape (B, T + horizon - 1) = {(batch, steps)}, "
                f"got {mask.dtype} {tuple(mask.shape)}."
            )
        given = length + (0 if future is None else future.shape[1])
        if mask.device.type != "cpu":
            if given < steps:
                raise ValueError(
                    f"teacher_mask on {mask.device} is not read, so that future must hold all horizon - 1 = "
                    f"{horizon - 1} frames that it might feed, got {given - length}; pass a longer future, or the mask "
                    f"on the CPU."
                )
            return [t == 0 for t in range(steps)], [True] * steps
        every, some = mask.all(dim=0).tolist(), mask.any(dim=0).tolist()
        if not every[0]:
            raise ValueError("teacher_mask must be True at step 0: there is no forecast to feed yet.")
        if future is not None and future.device.type == "cpu":
            gaps = future[:, : steps - length].isnan().flatten(2).any(dim=2)
            if (gaps & mask[:, length : length + gaps.shape[1]]).any():
                raise ValueError(
                    "future must be known where teacher_mask feeds it, got NaN, which all later forecasts would have, "
                    "too: teacher_mask[:, T:] &= ~future[:, :-1].isnan().flatten(2).any(2) feeds the forecast there."
                )
        if any(some[given:]):
            raise ValueError(
                f"teacher_mask feeds true frame {given + some[given:].index(True)}, but past and future hold {given}; "
                f"pass a longer future."
            )
        return every, some
