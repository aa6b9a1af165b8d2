"""How weights lie in memory."""

import torch
from torch import Tensor, nn


def channels_last(maps: Tensor) -> Tensor:
    """Maps `(B, C, H, W)` with their channels last in memory; unlike with `memory_format`, under `vmap` too."""
    return maps.movedim(1, -1).contiguous().movedim(-1, 1)


def lay_channels_last(model: nn.Module) -> None:
    """Lay the weights of convolutions and of norms of maps out as maps lie, channels last, so that none is reordered.

    Values, names and shapes stay. A model is made with contiguous parameters, which `parameters_to_vector`, L-BFGS,
    pruning and FSDP2 need; they refuse these.

    Args:
        model: Changed in place.
    """
    for value in (*model.parameters(), *model.buffers()):
        if value.ndim == 4:  # what convolves in time, too, stays as it is
            value.data = value.data.to(memory_format=torch.channels_last)  # of 1x1 kernels, too, unlike `contiguous`
    for part in model.modules():
        if hasattr(part, "lay_channels_last"):
            part.lay_channels_last()  # type: ignore[operator]
