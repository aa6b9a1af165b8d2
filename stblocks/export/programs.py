"""What of a model is written: modules whose arguments and results are rows of tensors."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from ..core import AtOnce, Cell, Forecaster, Parallel, RecurrentForecaster, RecurrentStack


class WholeForecast(nn.Module):
    """The whole forecast of a direct model."""

    def __init__(self, model: AtOnce) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Past frames to the forecast."""
        return (self.model(frames, self.model.out_frames),)


class Step(nn.Module):
    """The step of a recurrent model, with its state as a row of tensors; without what a step never reads."""

    def __init__(self, model: RecurrentForecaster, frame: Tensor) -> None:
        super().__init__()
        self.model = model
        state = _carried(model.stack, model.stack.init_state(model.stem(frame)))
        self.names = [*_names(state)]
        self.layout = tree_flatten(state)[1]

    def start(self, frame: Tensor) -> list[Tensor]:
        """The state before the first frame."""
        return tree_flatten(_carried(self.model.stack, self.model.stack.init_state(self.model.stem(frame))))[0]

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """A frame and the state to the forecast and the state after it."""
        forecast, after = self.model.step(frame, tree_unflatten(list(state), self.layout))
        return (forecast, *tree_flatten(_carried(self.model.stack, after))[0])


def _carried(layer: nn.Module, state: Any) -> Any:
    """The state of a layer as its next step needs it: the slots it starts with, in one order whatever made them."""
    if isinstance(layer, Cell):
        return {name: state[name] for name in sorted(layer.starts) if name in state}
    if isinstance(layer, RecurrentStack):
        if unknown := [number for number, own in enumerate(state["layers"]) if own is None]:
            raise ValueError(
                f"layer {unknown[0]} of the stack must know its state beforehand: the layer below it "
                f"needs a method output_shape((B, C, H, W))."
            )
        layers = [_carried(*each) for each in zip(layer.layers, state["layers"], strict=True)]
        return {"layers": layers, "zigzag": dict(sorted(state["zigzag"].items()))}
    if isinstance(layer, Parallel):
        return [_carried(*each) for each in zip(layer.branches, state, strict=True)]
    return state


class Start(nn.Module):
    """The state before the first frame, which only the shape of the frame says."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        """A frame to the state before it."""
        return tuple(self.step.start(frame))


def _names(state: Any, prefix: str = "state") -> Iterator[str]:
    """A name for each tensor of a state, in the order of `tree_flatten`."""
    if isinstance(state, Tensor):
        yield prefix
        return
    for key, value in state.items() if isinstance(state, dict) else enumerate(state):
        yield from _names(value, f"{prefix}.{key}")


def some_frames(model: Forecaster, size: tuple[int, int], *frames: int) -> Tensor:
    """Random frames `(2, *frames, C, H, W)` for a model, of its dtype and on its device."""
    if model.in_channels is None:
        raise ValueError("model must know its in_channels to be exported; give them to its constructor.")
    some = next(model.parameters())
    return torch.rand(2, *frames, model.in_channels, *size).to(some)
