"""Memory for time: activations that backward computes again."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recomputed(function: Callable[..., Any], *args: Any, module: nn.Module) -> Any:
    """`function(*args)`, whose activations backward computes again instead of keeping them.

    Args:
        function: What to call.
        args: Its arguments.
        module: What it runs, whose batch norms are to see the batch once.
    """
    # Generators cannot be asked where they stand while a CUDA graph is recorded, whose random numbers are its own.
    recording = torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
    return checkpoint(
        function,
        *args,
        use_reentrant=False,
        preserve_rng_state=not recording,
        context_fn=lambda: (nullcontext(), StatisticsKept(module)),
    )


class StatisticsKept:
    """Within it, batch norms inside a module leave their running statistics as they are."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __enter__(self) -> None:
        self.norms = [part for part in self.module.modules() if isinstance(part, _BatchNorm)]
        self.settings = [(norm.momentum, norm.num_batches_tracked) for norm in self.norms]
        for norm, (_, tracked) in zip(self.norms, self.settings, strict=True):
            norm.momentum, norm.num_batches_tracked = 0.0, None if tracked is None else tracked.clone()

    def __exit__(self, *_: object) -> None:
        for norm, (momentum, tracked) in zip(self.norms, self.settings, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, tracked
