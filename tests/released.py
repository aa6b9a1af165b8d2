"""Weights under released names, without a released checkpoint."""

from functools import partial

import torch

from stblocks.weights.state import weights


def randomise(module):
    """The module in float64, no two of its weights alike."""
    module.double().requires_grad_(False)
    for parameter in module.parameters():
        parameter.normal_(std=0.3)
    for buffer in module.buffers():  # statistics of batch norms
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    return module


def released(plan):
    """Weights of a plan's module under the released names; the module's frames are patches of side 1."""
    found = {}
    for name, value in weights(plan.module).items():
        if name in plan.halves:
            value = torch.cat(value.chunk(2), dim=-1)
        parts = plan.names[name].split("+")
        found |= dict(zip(parts, value.chunk(len(parts)) if len(parts) > 1 else [value], strict=True))
    return found


close = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-10)
