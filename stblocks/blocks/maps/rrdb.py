"""RRDB: dense blocks within a residual block, as super-resolution has them."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .map_block import MapBlock

#: What each residual branch is multiplied by.
SCALE = 0.2


class RRDB(MapBlock):
    r"""Residual in residual dense block.

    Wang et al. (ESRGAN), ECCVW 2018, Fig. 4, with dense blocks D of four convolutions, as MMVP has them:

    $$y = x + 0.2 \, D_3(D_2(D_1(x))) \qquad D(x) = x + 0.2 \, W_4 * [x, x_1, x_2, x_3] \qquad
      x_k = \mathrm{LeakyReLU}(W_k * [x, x_1, \dots, x_{k-1}])$$

    Args:
        channels: Of the map; half as many are added by each inner convolution.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If there is a single channel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        if channels < 2:
            raise ValueError(f"channels must be at least 2, half of which each convolution adds, got {channels}.")
        self.dense = nn.Sequential(*(DenseBlock(channels, channels // 2) for _ in range(3)))

    def forward(self, h: Tensor) -> Tensor:
        """`h`, refined."""
        (h,) = self.take(h)
        return h + SCALE * self.dense(h)


class DenseBlock(nn.Module):
    """Convolutions that see all before them, added to the map: D of `RRDB`.

    Args:
        channels: Of the map.
        growth: Channels that each convolution but the last adds.
    """

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(channels + index * growth, growth if index < 3 else channels, 3, padding=1) for index in range(4)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        *inner, last = self.convs
        seen = maps
        for conv in inner:
            seen = torch.cat([seen, functional.leaky_relu(conv(seen), 0.2)], dim=1)
        return maps + SCALE * last(seen)
