"""How weights lie in memory."""

import torch
from torch import nn


def lay_channels_last(model: nn.Module) -> None:
    """Lay the weights of convolutions and of norms of maps out as maps lie, channels last, so that none is reordered.

    Values, names and shapes stay. A model is made with contiguous parameters, which `parameters_to_vector`, L-BFGS,
    pruning and FSDP2 need; they refuse these.

    Args:
        model: Changed in place.
    """
    model.to(memory_format=torch.channels_last)
    for part in model.modules():
        if hasattr(part, "lay_channels_last"):
            part.lay_channels_last()  # type: ignore[operator]
