"""What the recurrent models share: frames cut into patches, a stack of cells, a 1x1 convolution back to patches."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from ..blocks.layers import Norm, choose
from ..core import Cell, RecurrentForecaster, RecurrentStack, Route, Slot


def patch_forecaster(
    cells: Iterable[nn.Module],
    *,
    in_channels: int,
    image_size: Sequence[int],
    patch_size: int,
    norm: str | None,
    checkpointing: bool,
    routes: Mapping[Slot, Route] | None = None,
) -> RecurrentForecaster:
    """A forecaster over patches, the frame of the PredRNN family and of GMG.

    Args:
        cells: Layers, bottom to top; the bottom one takes `in_channels * patch_size**2` channels.
        in_channels, image_size, patch_size, checkpointing, norm: Options of the model.
        routes: See `RecurrentStack`.
    """
    stack = RecurrentStack(cells, routes)
    top = stack.layers[-1]
    width = top.out_channels if isinstance(top, Cell) else 0
    head = nn.Conv2d(width, in_channels * patch_size**2, 1, bias=False)
    return RecurrentForecaster(
        nn.PixelUnshuffle(patch_size),
        stack,
        nn.Sequential(head, nn.PixelShuffle(patch_size)),
        size_multiple=patch_size,
        checkpointing=checkpointing,
        in_channels=in_channels,
        image_size=(image_size[0], image_size[1]) if norm == "layer" else None,
    )


def make_norm(norm: str | None, image_size: Sequence[int], patch_size: int) -> Norm | None:
    """The norm that an option names.

    Args:
        norm: `"layer"`, over channels and positions as released, which binds the model to `image_size`; `"group"`, the
            same without parameters per position, for any size; `None`.
        image_size, patch_size: Options of the model.
    """
    if norm is None:
        return None
    if choose("norm", norm, ("layer", "group")) == "group":
        return partial(nn.GroupNorm, 1)
    height, width = (-(-side // patch_size) for side in image_size)
    return lambda channels: nn.LayerNorm([channels, height, width])


def layer_widths(in_channels: int, patch_size: int, channels: int, num_layers: int) -> list[tuple[int, int]]:
    """`(in_channels, channels)` of every layer.

    Raises:
        ValueError: If a number is not positive.
    """
    sizes: dict[str, Any] = {
        "in_channels": in_channels, "patch_size": patch_size, "channels": channels, "num_layers": num_layers
    }  # fmt: skip
    for name, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    return [(in_channels * patch_size**2, channels)] + [(channels, channels)] * (num_layers - 1)
