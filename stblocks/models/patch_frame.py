"""What the recurrent models share: frames cut into patches, a stack of cells, a 1x1 convolution back to patches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from torch import nn

from ..blocks.layers import MapNorm, Norm
from ..borders.checks import check_image_size, check_positive, choose
from ..core import Cell, RecurrentForecaster, RecurrentStack, Route, Slot


@dataclass(frozen=True)
class PatchRNN:
    """The frame of the PredRNN family and of GMG, without its cells.

    Args:
        in_channels: Channels of a frame.
        image_size: `(H, W)` of a frame; binding only with `norm="layer"`.
        out_channels: Channels of the forecast frames; `None` stands for those of a frame. With others, to forecast more
            than one frame, set `model.feedback`.
        channels: Width of every layer, or one width for each, bottom to top. What climbs from layer to layer (the
            memory of PredRNN and its kin, the motion highway) needs one width.
        num_layers: Number of layers.
        patch_size: Side of the patches that frames are cut into.
        norm: `"layer"`, over channels and positions as released; `"group"`, the same without parameters per position,
            for any size; or `None`.
        checkpointing: See `RecurrentForecaster`.

    Raises:
        ValueError: If a number is not positive, there is not a width for each layer, or the norm is unknown.
    """

    in_channels: int
    image_size: Sequence[int]
    out_channels: int | None
    channels: int | Sequence[int]
    num_layers: int
    patch_size: int
    norm: str | None
    checkpointing: bool

    def __post_init__(self) -> None:
        check_positive(
            in_channels=self.in_channels,
            out_channels=self.in_channels if self.out_channels is None else self.out_channels,
            num_layers=self.num_layers,
            patch_size=self.patch_size,
        )
        if isinstance(self.channels, str) or not isinstance(self.channels, Sequence):
            check_positive(channels=self.channels)
        else:
            check_positive(**{f"channels[{layer}]": width for layer, width in enumerate(self.channels)})
            if len(self.channels) != self.num_layers:
                raise ValueError(
                    f"channels must be one width, or one for each of num_layers={self.num_layers} layers, "
                    f"got {list(self.channels)}."
                )
        check_image_size(self.image_size)
        if self.norm is not None:
            choose("norm", self.norm, ("layer", "group"))

    @property
    def widths(self) -> list[int]:
        """Channels of each layer, bottom to top."""
        return [self.channels] * self.num_layers if isinstance(self.channels, int) else list(self.channels)

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
        cell: Callable[[int, int, int], Cell],
        *,
        embed: bool = False,
        above_bottom: Sequence[nn.Module] = (),
        bound: bool = False,
        routes: Mapping[Slot, Route] | None = None,
    ) -> RecurrentForecaster:
        """The forecaster.

        Args:
            cell: The layers, bottom to top: `cell(layer, its in_channels, its channels)`.
            embed: Widen the patches to the channels of the bottom layer by a 1x1 convolution below it; it and the head
                then have biases.
            above_bottom: More layers, between the bottom one and the next.
            bound: Do weights depend on `image_size`, whatever the norm?
            routes: See `RecurrentStack`.

        Raises:
            ValueError: If the layers do not fit each other.
        """
        out_channels = self.in_channels if self.out_channels is None else self.out_channels
        patch, forecast = (channels * self.patch_size**2 for channels in (self.in_channels, out_channels))
        bottom, top = self.widths[0], self.widths[-1]
        widths = pairwise([bottom if embed else patch, *self.widths])
        layers = [cell(layer, below, width) for layer, (below, width) in enumerate(widths)]
        stem: nn.Module = nn.PixelUnshuffle(self.patch_size)
        return RecurrentForecaster(
            nn.Sequential(stem, nn.Conv2d(patch, bottom, 1)) if embed else stem,
            RecurrentStack([layers[0], *above_bottom, *layers[1:]], routes),
            nn.Sequential(nn.Conv2d(top, forecast, 1, bias=embed), nn.PixelShuffle(self.patch_size)),
            size_multiple=self.patch_size,
            checkpointing=self.checkpointing,
            in_channels=self.in_channels,
            out_channels=out_channels,
            image_size=(self.image_size[0], self.image_size[1]) if bound or self.norm == "layer" else None,
        )
