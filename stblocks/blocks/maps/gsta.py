"""GSTA: the gated spatiotemporal attention of SimVPv2."""

from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_positive
from ..layers import Pointwise, depthwise
from .mixing import Mixing


class GSTA(Mixing):
    r"""Gated spatiotemporal attention block.

    SimVPv2 paper, Sec. IV-C2, inside the frame of `Mixing`:

    $$\hat H = W_{1 \times 1} * (\mathrm{DW\text{-}D} * (\mathrm{DW} * H)) \tag{12}$$
    $$[g, \bar H] = \mathrm{split}(\hat H) \qquad H' = \sigma(g) \circ \bar H \tag{13, 14}$$

    $g$ is the second half of the channels, as released; in the equation it is the first, which is the same network.
    A depth-wise convolution of side $2d - 1$, a depth-wise one with dilation $d$, and a 1x1 convolution see as far as
    one convolution of side `kernel_size`. Time lies in the channels.

    Args:
        channels: Of the map.
        kernel_size: Side of the convolution that is imitated.
        dilation: $d$.
        mlp_ratio: See `Mixing`.
        drop: See `Mixing`.
        drop_path: See `Mixing`.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `dilation` is not from 1 to `kernel_size`, `mlp_ratio` leaves no hidden channel, or a rate is not
            in [0, 1).
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 21,
        dilation: int = 3,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__(
            channels,
            GatedAttention(channels, kernel_size, dilation),
            mlp_ratio=mlp_ratio,
            drop=drop,
            drop_path=drop_path,
        )


class GatedAttention(nn.Module):
    """Equations 12 to 14."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.large = LargeKernel(channels, kernel_size, dilation)
        self.split = Pointwise(channels, 2 * channels)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        return functional.glu(self.split(self.large(maps)), dim=1)


class LargeKernel(nn.Sequential):
    """A depth-wise convolution of a large side, as a small one and a dilated one.

    Args:
        channels: Of the map.
        kernel_size: Side of the convolution that is imitated.
        dilation: Of the second convolution.

    Raises:
        ValueError: If a number is not positive, or `dilation` more than `kernel_size`.
    """

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        check_positive(channels=channels, kernel_size=kernel_size, dilation=dilation)
        if dilation > kernel_size:
            raise ValueError(
                f"dilation must be at most kernel_size={kernel_size}, got {dilation}; the dilated "
                f"convolution has kernel_size // dilation taps a side."
            )
        taps = kernel_size // dilation
        super().__init__(
            depthwise(channels, 2 * dilation - 1), depthwise(channels, taps - 1 + taps % 2, dilation=dilation)
        )
