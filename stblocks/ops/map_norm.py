"""Layer norm of whole feature maps, in the form that a device is quick at."""

import torch
from torch import Tensor
from torch.nn import functional


def map_norm(maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Layer norm over the channels and positions of each map, made for channels-last maps.

    The mean over all three axes does not care for their order, so that such maps are normed as they lie.

    A batch of maps is a few long rows. CUDA's layer norm gives a row to one block of 128 threads, which leaves most of
    the device idle. Group norm of as many channels as a map has values is the same; there a block that takes the
    statistics of a row has 512 threads, and what follows is divided among the whole device.

    Args:
        maps: `(B, C, H, W)`.
        weight: `(C, H, W)`.
        bias: `(C, H, W)`.
        eps: Added to the variance.

    Returns:
        `(B, C, H, W)`.

    Raises:
        ValueError: If a map has another shape than the weight.
    """
    if maps.shape[1:] != weight.shape:
        raise ValueError(
            f"maps must be of the shape of weight, (B, {', '.join(map(str, weight.shape))}), got shape "
            f"{tuple(maps.shape)}; a norm of whole maps is bound to their size."
        )
    form = by_groups if maps.is_cuda else by_rows
    return form(maps.movedim(1, -1), weight.movedim(0, -1), bias.movedim(0, -1), eps).movedim(-1, 1)


def by_rows(maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Layer norm, `(B, H, W, C)` by `(H, W, C)`."""
    return functional.layer_norm(maps, weight.shape, weight, bias, eps)


def by_groups(maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """The same as group norm of a single group, each value a channel."""
    return torch.group_norm(maps.flatten(1), 1, weight.flatten(), bias.flatten(), eps).view_as(maps)
