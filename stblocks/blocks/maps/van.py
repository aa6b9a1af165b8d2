"""VANBlock: large kernel attention."""

from torch import Tensor, nn

from ..layers import Pointwise
from .gsta import LargeKernel
from .mixing import Mixing


class VANBlock(Mixing):
    r"""Block of the Visual Attention Network, inside the frame of `Mixing`.

    Guo et al., "Visual attention network", CVMJ 2023, Eqs. 1 and 2:

    $$A = W_{1 \times 1} * (\mathrm{DW\text{-}D} * (\mathrm{DW} * H)) \tag{1}$$
    $$H' = A \circ H \tag{2}$$

    Args:
        channels: Of the map.
        kernel_size: Side of the convolution that the two depth-wise ones imitate.
        dilation: Of the second one.
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
        attention = LargeKernelAttention(channels, kernel_size, dilation)
        super().__init__(channels, attention, mlp_ratio=mlp_ratio, drop=drop, drop_path=drop_path)


class LargeKernelAttention(nn.Module):
    """Equations 1 and 2."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.large = LargeKernel(channels, kernel_size, dilation)
        self.across = Pointwise(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        return self.across(self.large(maps)) * maps
