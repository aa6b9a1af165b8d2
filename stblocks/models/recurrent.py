"""What the recurrent models share: frames cut into patches, a stack of cells, a 1x1 convolution back to patches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from ..blocks.layers import MapNorm, Norm
from ..core import Cell, RecurrentForecaster, RecurrentStack, Route, Slot
from ..core.checks import check_image_size, check_positive, choose


@dataclass(frozen=True)
class PatchRNN:
    """The frame of the PredRNN family and of GMG, without its cells.

    Args:
        in_channels: Channels of a frame.
        image_size: `(H, W)` of a frame; binding only with `norm="layer"`.
        channels: Width of every layer.
        num_layers: Number of layers.
        patch_size: Side of the patches that frames are cut into.
        norm: `"layer"`, over channels and positions as released; `"group"`, the same without parameters per position,
            for any size; or `None`.
        checkpointing: See `RecurrentForecaster`.

    Raises:
        ValueError: If a number is not positive or the norm is unknown.
    """

    in_channels: int
    image_size: Sequence[int]
    channels: int
    num_layers: int
    patch_size: int
    norm: str | None
    checkpointing: bool

    def __post_init__(self) -> None:
        check_positive(
            in_channels=self.in_channels,
            channels=self.channels,
            num_layers=self.num_layers,
            patch_size=self.patch_size,
        )
        check_image_size(self.image_size)
        if self.norm is not None:
            choose("norm", self.norm, ("layer", "group"))

    def make_norm(self) -> Norm | None:
        """The norm for the blocks."""
        if self.norm != "layer":
            return None if self.norm is None else partial(nn.GroupNorm, 1)
        return lambda channels: MapNorm(channels, *self.feature_size())

    def feature_size(self) -> tuple[int, int]:
        """`(H, W)` of the feature maps for frames of `image_size`."""
        height, width = (-(-side // self.patch_size) for side in self.image_size)
        return height, width

    def build(
        self,
        cell: Callable[[int, int], Cell],
        *,
        embed: bool = False,
        above_bottom: Sequence[nn.Module] = (),
        bound: bool = False,
        routes: Mapping[Slot, Route] | None = None,
    ) -> RecurrentForecaster:
        """The forecaster.

        Args:
            cell: The layers, bottom to top: `cell(layer, in_channels of that layer)`.
            embed: Widen the patches to `channels` by a 1x1 convolution below the bottom layer; it and the head then
                have biases.
            above_bottom: More layers, between the bottom one and the next.
            bound: Do weights depend on `image_size`, whatever the norm?
            routes: See `RecurrentStack`.
        """
        patch = self.in_channels * self.patch_size**2
        lowest = self.channels if embed else patch
        layers = [cell(layer, self.channels if layer else lowest) for layer in range(self.num_layers)]
        stem: nn.Module = nn.PixelUnshuffle(self.patch_size)
        model = RecurrentForecaster(
            nn.Sequential(stem, nn.Conv2d(patch, self.channels, 1)) if embed else stem,
            RecurrentStack([layers[0], *above_bottom, *layers[1:]], routes),
            nn.Sequential(nn.Conv2d(self.channels, patch, 1, bias=embed), nn.PixelShuffle(self.patch_size)),
            size_multiple=self.patch_size,
            checkpointing=self.checkpointing,
            in_channels=self.in_channels,
            image_size=(self.image_size[0], self.image_size[1]) if bound or self.norm == "layer" else None,
        )
        return model.to(memory_format=torch.channels_last)  # in which convolutions need no reordering of their maps
