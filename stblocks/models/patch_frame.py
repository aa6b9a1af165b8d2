"""What most recurrent models share: frames cut into patches, a stack of cells, a 1x1 convolution back to patches."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from ..blocks.layers import MapNorm, Norm
from ..borders.checks import check_each_positive, check_positive
from ..core import Cell, Parallel, RecurrentForecaster, RecurrentStack
from .base import Base, Place
from .frame import Frame


@dataclass(frozen=True, kw_only=True)
class PatchFrame(Frame):
    """The frame of the PredRNN family and of GMG, without its cells.

    Args:
        in_channels: See `Frame`.
        image_size: See `Frame`; binding with `norm="layer"`, where blocks take it.
        out_channels: See `Frame`.
        channels: Width of every layer, or one width for each, bottom to top. What climbs from layer to layer (the
            memory of PredRNN and its kin, the motion highway) needs one width.
        num_layers: Number of layers.
        patch_size: Side of the patches that frames are cut into.
        kernel_size: Side of the kernels in the cells, where the papers vary it.
        norm: Of blocks that take one: `"layer"`, over channels and positions as released; `"group"`, the same without
            parameters per position, for any size; or `None`.
        checkpointing: See `RecurrentForecaster`.

    Raises:
        ValueError: If a number is not positive, there is not a width for each layer, or the norm is unknown.
    """

    channels: int | Sequence[int] = 128
    num_layers: int = 4
    patch_size: int = 4
    kernel_size: int = 5
    norm: str | None = None
    checkpointing: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(num_layers=self.num_layers, patch_size=self.patch_size)
        if isinstance(self.channels, str) or not isinstance(self.channels, Sequence):
            check_positive(channels=self.channels)
        else:
            check_each_positive("channels", self.channels)
            if len(self.channels) != self.num_layers:
                raise ValueError(
                    f"channels must be one width, or one for each of num_layers={self.num_layers} layers, "
                    f"got {list(self.channels)}."
                )
        self.make_norm()  # checks its name

    @property
    def widths(self) -> list[int]:
        """Channels of each layer, bottom to top."""
        return list(self.channels) if isinstance(self.channels, Sequence) else [self.channels] * self.num_layers

    def make_norm(self) -> Norm | None:
        """The norm for the blocks."""
        return self.norm_named(self.norm, self.patch_size)

    @property
    def feature_size(self) -> tuple[int, int]:
        """`(H, W)` of the feature maps for frames of `image_size`."""
        return self.map_size(self.patch_size)

    def build(self, base: Base, beside: Base | None = None) -> RecurrentForecaster:
        """The forecaster that has the layers of a base, or those of two in `Parallel`, whose outputs are added.

        Raises:
            ValueError: If the layers do not fit each other.
        """
        stem: list[nn.Module] = [nn.PixelUnshuffle(self.patch_size)]
        if beside is None:
            bases, stem = [base], stem + self._embedding(base)
            stack = RecurrentStack(self._layers(base), base.routes)
        else:
            bases = [base, beside]
            branches = (RecurrentStack(self._embedding(own) + self._layers(own), own.routes) for own in bases)
            stack = RecurrentStack([Parallel(*branches)])
        forecast = self.forecast_channels * self.patch_size**2
        head = nn.Conv2d(self.widths[-1], forecast, 1, bias=any(own.embed for own in bases))
        return RecurrentForecaster(
            nn.Sequential(*stem),
            stack,
            nn.Sequential(head, nn.PixelShuffle(self.patch_size)),
            size_multiple=self.patch_size,
            checkpointing=self.checkpointing,
            in_channels=self.in_channels,
            out_channels=self.forecast_channels,
            image_size=self.bound_size(any(own.bound for own in bases) or _has_map_norms(stack)),
        )

    def _embedding(self, base: Base) -> list[nn.Module]:
        """What makes maps of the bottom layer's width of patches, if the base wants them."""
        return [nn.Conv2d(self.in_channels * self.patch_size**2, self.widths[0], 1)] if base.embed else []

    def _layers(self, base: Base) -> list[nn.Module]:
        """The layers of a base, bottom to top."""
        bottom = self.widths[0] if base.embed else self.in_channels * self.patch_size**2
        norm, layers = self.make_norm(), list[nn.Module]()
        for layer, (below, width) in enumerate(pairwise([bottom, *self.widths])):
            place = Place(layer, self.num_layers, below, width, self.kernel_size, norm)
            layers.append(Cell(*base.cell(place)))
        return [layers[0], *base.above_bottom, *layers[1:]]


def _has_map_norms(stack: nn.Module) -> bool:
    """Whether there are norms with a weight for each position."""
    return any(isinstance(part, MapNorm) for part in stack.modules())
