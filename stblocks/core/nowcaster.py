"""Nowcaster: frames come in one by one, and a forecast is there whenever it is asked for."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Self

import torch
from torch import Tensor, is_tensor
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_leaves, tree_map_only

from ..borders.checks import check_positive
from .forecaster import Forecaster, Memory
from .given_frames import check_no_nan, check_tensor


class Nowcaster:
    """A model and what it remembers of the frames pushed so far.

    A recurrent model remembers its state and the forecast of its last step, so that a new frame is one step of work,
    however many there were before; a direct one remembers the last `in_frames` frames. `"advection"` and
    `"lagrangian"`, whose optical flow is that of all past frames, remember all of them, until `reset()`.

    Frames and forecasts are in the units that the model was trained in. Scaling is not done here: the scaler of a model
    that knows its data is `stblocks.data.DataSpec.of_model(model).scaler()`.

    Args:
        model: A forecaster; it is switched to `eval()`, and everything is computed on its device, without gradients.

    Attributes:
        pushed: How many frames have been pushed.

    Raises:
        ValueError: If `model` is no forecaster.

    Example:
        >>> live = Nowcaster(model)
        >>> for frame in past.unbind(1):                   # (B, C, H, W) each
        ...     live.push(frame)
        >>> future = live.forecast(10)                     # equals model(past, 10)
        >>> live.push(radar.next())                        # goes on from the frames pushed, not from forecasts
    """

    def __init__(self, model: Forecaster) -> None:
        if not isinstance(model, Forecaster):
            raise ValueError(f"model must be a Forecaster, got {type(model).__name__}; see create_model.")
        self.model = model.eval()
        self.pushed = 0
        self._shape: tuple[int, ...] | None = None
        self._memory: Memory | None = None

    @property
    def device(self) -> torch.device | None:
        """Where the model is, and with it what it remembers; `None` if it has no weights: where the frames are."""
        return next((value.device for value in self.model.parameters()), None)

    @torch.no_grad()
    def push(self, frame: Tensor) -> None:
        """Take in the next observed frame.

        Args:
            frame: `(B, C, H, W)`, on any device.

        Raises:
            ValueError: If it is no such frame, its shape is not that of the frames before, or it is on the CPU and has
                NaN, which every later forecast would have, too.
        """
        check_tensor("frame", frame)
        check_no_nan("frame", frame)
        if self._shape is not None and tuple(frame.shape) != self._shape:
            raise ValueError(
                f"frame must be {self._shape} like the {self.pushed} frames before it, got {tuple(frame.shape)}; "
                f"another batch or field needs a Nowcaster of its own, or reset() on this one."
            )
        self._memory = self.model.observe(frame.to(self.device), self._here())
        self._shape = tuple(frame.shape)
        self.pushed += 1

    def forecast(self, horizon: int) -> Tensor:
        """The frames after the last one pushed; nothing of it is remembered.

        Args:
            horizon: How many, at least 1.

        Returns:
            `(B, horizon, C, H, W)`, equal to `model(past, horizon)` where `past` is all frames pushed, or the last
            `in_frames` of them if the model is a direct one.

        Raises:
            ValueError: If no frame has been pushed, fewer than a direct model needs, or `horizon` is below 1.
        """
        check_positive(horizon=horizon)
        return torch.stack([*islice(self.steps(), horizon)], dim=1)

    def steps(self) -> Iterator[Tensor]:
        """The same without end, a frame `(B, C, H, W)` at a time; frames pushed meanwhile do not change it.

        Raises:
            ValueError: If no frame has been pushed; when the first frame is asked for, if fewer than a direct model
                needs.
        """
        memory = self._here()
        if memory is None:
            raise ValueError("A forecast needs frames to start from, and none has been pushed; push(frame) first.")
        return self._steps(memory)

    @torch.no_grad()
    def _steps(self, memory: Memory) -> Iterator[Tensor]:
        yield from self.model.forecasts(memory)

    def reset(self) -> None:
        """Forget all frames."""
        self.pushed, self._shape, self._memory = 0, None, None

    def to(self, device: torch.device | str) -> Self:
        """Move the model; what is remembered goes where the model is."""
        self.model.to(device)
        return self

    def state_dict(self) -> dict[str, Any]:
        """What is remembered, without the model: numbers and tensors, which `torch.load(weights_only=True)` reads."""
        return {"pushed": self.pushed, "shape": self._shape, "memory": self._here()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that `state_dict` returned.

        Raises:
            ValueError: If it is no such state, or that of another model or dtype. One that was saved under autocast is
                to be loaded under autocast.
        """
        if not isinstance(state, dict) or state.keys() != self.state_dict().keys():
            raise ValueError(
                f"state must be what state_dict() of a Nowcaster returned, with {', '.join(self.state_dict())}, "
                f"got {', '.join(map(str, state)) if isinstance(state, dict) else type(state).__name__}."
            )
        memory = state["memory"]
        if memory is not None and set(memory) != set(self.model.remembers):
            raise ValueError(
                f"state must be of a model that remembers {', '.join(self.model.remembers)}, as this one does, got "
                f"{', '.join(memory)}; load it with the model that it was saved with."
            )
        shape = None if state["shape"] is None else tuple(state["shape"])
        if memory is not None and shape is not None:
            with torch.no_grad():
                like = next(filter(is_tensor, (*self.model.parameters(), *tree_leaves(memory))), torch.empty(0))
                own = self.model.observe(like.new_zeros(shape))
            if (found := _described(memory)) != (expected := _described(own)):
                name = next(key for key in expected | found if expected.get(key) != found.get(key))
                raise ValueError(
                    f"state must be of the same model, whose memory has {name} of {expected.get(name)}, got "
                    f"{found.get(name)}; load it with the model that it was saved with."
                )
        self.pushed, self._shape, self._memory = state["pushed"], shape, memory

    def _here(self) -> Memory | None:
        """The memory, where the model is now."""
        self._memory = tree_map_only(Tensor, lambda value: value.to(self.device), self._memory)
        return self._memory


def _described(memory: Memory) -> dict[str, str]:
    """The shape and dtype of each tensor in a memory, by its place; remembered frames may be of any number and dtype.

    Under autocast a model takes frames of any dtype, and forecasting checks those of others.
    """
    leaves, _ = tree_flatten_with_path(memory)
    found: dict[str, str] = {}
    for path, value in leaves:
        if isinstance(value, Tensor):
            place = keystr(path)
            if place == "['frames']":
                found[place] = f"{(value.shape[0], *value.shape[2:])}"
            else:
                found[place] = f"{tuple(value.shape)} in {value.dtype}"
    return found
