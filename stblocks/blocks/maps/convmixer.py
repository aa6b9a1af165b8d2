"""ConvMixerBlock: one depth-wise and one 1x1 convolution."""

from torch import Tensor
from torch.nn import functional

from ..layers import Pointwise, depthwise
from ..starts import start_like_he
from .batch_norm import BatchNorm
from .map_block import MapBlock


class ConvMixerBlock(MapBlock):
    r"""Block of the ConvMixer.

    From the paper of Trockman and Kolter, "Patches are all you need?", TMLR 2023, Eqs. 2 and 3:

    $$z' = \mathrm{BN}(\mathrm{GELU}(\mathrm{DW} * z)) + z \tag{2}$$
    $$z \leftarrow \mathrm{BN}(\mathrm{GELU}(W_{1 \times 1} * z')) \tag{3}$$

    Args:
        channels: Of the map.
        kernel_size: Side of the depth-wise kernel, odd.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    def __init__(self, channels: int, *, kernel_size: int = 9) -> None:
        super().__init__(channels)
        self.spatial, self.norm1 = depthwise(channels, kernel_size), BatchNorm(channels)
        self.across, self.norm2 = Pointwise(channels, channels), BatchNorm(channels)
        start_like_he(self)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, mixed over positions, then over channels."""
        (h,) = self.take(h)
        h = self.norm1(functional.gelu(self.spatial(h))) + h  # (2)
        return self.norm2(functional.gelu(self.across(h)))  # (3)
