"""Frame: what stands around the part that a paper is about, and the options that come with it."""

from dataclasses import KW_ONLY, dataclass
from functools import partial

from torch import nn

from ..blocks.layers import MapNorm, Norm
from ..borders.checks import check_image_size, check_positive, choose


@dataclass(frozen=True)
class Frame:
    """What the frames of all models have. `register_model(frame=...)` makes its fields options of a model.

    Args:
        in_channels: Channels of a frame of the video.
        image_size: `(H, W)` of a frame; binding only where weights depend on the size.
        out_channels: Channels of the forecast frames; `None` stands for those that come in. With others, to forecast
            beyond what is forecast at once, set `model.feedback`.

    Raises:
        ValueError: If a number is not positive, or `image_size` is none.
    """

    in_channels: int = 1
    image_size: tuple[int, int] = (64, 64)
    _: KW_ONLY
    out_channels: int | None = None

    def __post_init__(self) -> None:
        check_positive(in_channels=self.in_channels, out_channels=self.forecast_channels)
        check_image_size(self.image_size)

    @property
    def forecast_channels(self) -> int:
        """Channels of the forecast frames."""
        return self.in_channels if self.out_channels is None else self.out_channels

    def readout(self) -> nn.Module:
        """From frames as they come in to those that are forecast: nothing, or a 1x1 convolution to other channels."""
        if self.out_channels in (None, self.in_channels):
            return nn.Identity()
        return nn.Conv2d(self.in_channels, self.forecast_channels, 1)

    def map_size(self, side: int) -> tuple[int, int]:
        """`(H, W)` of a map that has one position for each square of `side` pixels, the last ones padded."""
        height, width = (-(-length // side) for length in self.image_size)
        return height, width

    def norm_named(self, name: str | None, side: int) -> Norm | None:
        """The norm `"layer"` or `"group"` for maps that have one position for each square of `side` pixels, or none.

        Raises:
            ValueError: If it is another word.
        """
        if name is None:
            return None
        if choose("norm", name, ("layer", "group")) == "group":
            return partial(nn.GroupNorm, 1)
        return lambda channels: MapNorm(channels, *self.map_size(side))

    def bound_size(self, bound: bool) -> tuple[int, int] | None:
        """`(H, W)` of the only frames that a model takes, if its weights depend on it."""
        return self.map_size(1) if bound else None
