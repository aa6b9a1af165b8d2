"""Memory for time: activations that backward computes again."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(function: Callable[..., Any], *args: Any, module: nn.Module) -> Any:
    """`function(*args)`, whose activations backward computes again instead of keeping them.

    Args:
        function: What to call.
        args: Its arguments.
        module: What it runs, whose buffers are to see the call once: statistics of batch norms, vectors of spectral
            norms.
    """
    # Generators cannot be asked where they stand while a CUDA graph is recorded, whose random numbers are its own.
    recording = torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
    lent = LentBuffers(module)
    return checkpoint(
        function,
        *args,
        use_reentrant=False,
        preserve_rng_state=not recording,
        context_fn=lambda: (nullcontext(), lent),
    )


class LentBuffers:
    """Within it, a module has copies of the buffers that it had when this was made; whatever it does to them is lost.

    So a second call within it computes what the first call after the making did, and leaves no trace.
    """

    def __init__(self, module: nn.Module) -> None:
        self.owners = [part for part in module.modules() if part._buffers]
        self.before = [_copies(owner._buffers) for owner in self.owners]

    def __enter__(self) -> None:
        self.own = [dict(owner._buffers) for owner in self.owners]
        for owner, buffers in zip(self.owners, self.before, strict=True):
            owner._buffers.update(_copies(buffers))

    def __exit__(self, *_: object) -> None:
        for owner, buffers in zip(self.owners, self.own, strict=True):
            owner._buffers.update(buffers)


def _copies(buffers: Mapping[str, Tensor | None]) -> dict[str, Tensor | None]:
    return {name: None if value is None else value.clone() for name, value in buffers.items()}
