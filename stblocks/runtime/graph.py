"""A function of tensors as one CUDA graph: its kernels are recorded once, then launched together again and again."""

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map, tree_map_only

from .recorder import Cuda, Recorder


class Graphed:
    """A function of tensors that is recorded at its first call; later calls with such inputs replay the record.

    Inputs are copied to where the record reads them, and results lie where it writes them: the next call overwrites
    them. A call with inputs of other shapes, dtypes or values that are no tensors runs the function itself.

    The function must not read values of tensors, and must not draw random numbers on the CPU. Those of the device are
    drawn from its generator at every replay, as without a graph.

    Args:
        function: Of nests of tensors, numbers, strings and `None`; returns a nest of tensors.
        module: What it runs. Its buffers are as before after warming up; it must not recompute activations that have
            random numbers in them.
        gradients: Whether the function makes gradients of the module's parameters: it zeroes those that are there, and
            adds to them. A replay does so where they lay at the recording, and puts them back there.
        fall_back: Where recording fails, say why in one sentence and run the function itself from then on.
        recorder: Device to what records on it.

    Raises:
        ValueError: When called, if an input is no tensor, number, string, `None` or nest of these.
        RuntimeError: When called, if the function cannot be recorded.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        module: nn.Module,
        *,
        gradients: bool = False,
        fall_back: bool = False,
        recorder: Callable[[torch.device], Recorder] = Cuda,
    ) -> None:
        self.function, self.module, self.gradients = function, module, gradients
        self.fall_back, self.recorder = fall_back, recorder
        self._kind: Any = None
        self._replay: Callable[[], None] | None = None

    def __call__(self, *inputs: Any) -> Any:
        """What the function returns."""
        leaves, spec = tree_flatten(inputs)
        kind = spec, [_kind(leaf) for leaf in leaves]
        if self._kind is None:
            self._kind = kind
            try:
                self._record(inputs)
            except RuntimeError as error:
                if not self.fall_back:
                    raise
                reason = str(error).partition("\n")[0].rstrip(".")
                logging.getLogger("stblocks").warning("Not run as a CUDA graph, but kernel by kernel: %s.", reason)
        if self._replay is None or kind != self._kind:
            return self.function(*inputs)
        for place, leaf in zip(self._places, leaves, strict=True):
            if isinstance(leaf, Tensor):
                place.copy_(leaf, non_blocking=True)
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        self._replay()
        return self._results

    def _record(self, inputs: Any) -> None:
        own = tree_map_only(Tensor, lambda leaf: leaf.detach().clone(), inputs)
        self._places, _ = tree_flatten(own)
        device = next(leaf.device for leaf in self._places if isinstance(leaf, Tensor))
        recorder = self.recorder(device)
        with _as_before(self.module, device):
            on_device, on_host = _generators(device)
            recorder.warm_up(lambda: self.function(*own))
            moved = _generators(device)
            if moved[1] != on_host:
                raise RuntimeError(
                    "random numbers drawn on the CPU would be the same at every step; draw them on the device"
                )
            if moved[0] != on_device and any(getattr(part, "checkpointing", False) for part in self.module.modules()):
                raise RuntimeError(
                    "recomputed activations cannot draw the same random numbers again in a CUDA graph; set "
                    "checkpointing=False, or dropout and drop_path to 0"
                )
            self._results, self._replay = recorder.record(lambda: self.function(*own))
        owners = self.module.parameters() if self.gradients else ()
        self._gradients = [(owner, owner.grad) for owner in owners if owner.grad is not None]


def graphed(
    function: Callable[..., Any],
    *example: Any,
    recorder: Callable[[torch.device], Recorder] = Cuda,
) -> Callable[..., Any]:
    """A forecast, or a step of a stream, as one CUDA graph, for inputs of the shapes of an example.

    Without gradients. The graph reads the weights where they lie: it sees what training or `load_state_dict` make of
    them, but not a model that was moved or cast. It stays in the mode, `eval()` or `train()`, it was made in. It keeps
    the memory of all activations of a call.

    Args:
        function: A forecaster, or a method of it such as `model.step`.
        example: What to call it with: tensors on a CUDA device, numbers, and nests of both.
        recorder: For tests without a GPU.

    Returns:
        A function of the same arguments and results. Arguments of other shapes, or another `horizon`, are passed to the
        function itself.

    Raises:
        ValueError: If `function` is no module or method of one, or `example` holds no tensors or some that are not on a
            CUDA device.

    Example:
        >>> forecast = graphed(model, past, 10)  # doctest: +SKIP
        >>> frames = forecast(past, 10)  # doctest: +SKIP
        >>> _, state = model.step(frame)  # doctest: +SKIP
        >>> step = graphed(model.step, frame, state)  # doctest: +SKIP
        >>> frame, state = step(frame, state)  # doctest: +SKIP
    """
    module = getattr(function, "__self__", function)
    if not isinstance(module, nn.Module):
        raise ValueError(f"function must be a module or a method of one, got {type(function).__name__}.")
    devices = {leaf.device.type for leaf in tree_flatten(example)[0] if isinstance(leaf, Tensor)}
    if recorder is Cuda and devices != {"cuda"}:
        found = " and ".join(sorted(devices)) or "none"
        raise ValueError(f"example must hold tensors on a CUDA device, got {found}; call the function itself there.")
    replayed = Graphed(torch.no_grad()(function), module, recorder=recorder)

    def call(*inputs: Any) -> Any:
        return tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, replayed(*inputs))

    call(*example)
    return call


def obstacle(device: torch.device, processes: int = 1) -> str | None:
    """Why work on a device, with gradients shared among processes, cannot be a CUDA graph, if it cannot."""
    if device.type != "cuda":
        return f"needs a CUDA device, got {device.type}"
    if processes > 1:
        return f"needs a single process, got {processes}"
    return None


def _kind(leaf: Any) -> Any:
    """What must be the same for a record to fit."""
    if isinstance(leaf, Tensor):
        return leaf.shape, leaf.dtype, leaf.device
    if leaf is None or isinstance(leaf, bool | int | float | str):
        return type(leaf), leaf
    raise ValueError(
        f"inputs must be tensors, numbers, strings and None in tuples, lists and dicts, got {type(leaf).__name__}."
    )


@contextmanager
def _as_before(module: nn.Module, device: torch.device) -> Iterator[None]:
    """After the block, the buffers of a module and torch's generators are what they were before it."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in kept:
                    buffer.copy_(value)


def _generators(device: torch.device) -> tuple[list[int], list[Any]]:
    """Where the generator of the device stands, and where the others do."""
    cpu, numpy = torch.get_rng_state().tolist(), np.random.get_state()
    host = [random.getstate(), [value.tolist() if isinstance(value, np.ndarray) else value for value in numpy]]
    if device.type != "cuda":
        return cpu, host
    return torch.cuda.get_rng_state(device).tolist(), [*host, cpu]
