"""The time-frequency aware block of WaST: long and short kernels with attention for each, then a mixer of channels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_odd
from ..layers import Pointwise, branch_dropout, hidden_channels
from .batch_norm import BatchNorm
from .map_block import MapBlock

#: Start of the scale of both branches: a new block is close to the identity.
SCALE = 0.01
#: Short side of the large kernels.
NARROW = 5


class TFAwareBlock(MapBlock):
    r"""Low and high frequencies by kernels of different reach, then frames and channels by an inverted bottleneck.

    Nie et al., WaST, AAAI 2024, https://doi.org/10.1609/aaai.v38i5.28230, "Time-Frequency Aware Translator". With
    depth-wise convolutions of $k \times 5$, $5 \times k$ and $s \times s$, each followed by batch norm, and coordinate
    attention $A$ (`FrequencyAttention`),

    $$y = x + \lambda \, (A_l((\mathrm{DW}_{k \times 5} + \mathrm{DW}_{5 \times k}) * \mathrm{norm}(x))
      + A_h(\mathrm{DW}_{s \times s} * \mathrm{norm}(x)))$$
    $$z = y + \lambda \, \mathrm{mixer}(\mathrm{norm}(y))$$

    Time lies in the channels, so that the mixer is one of times.

    Args:
        channels: Of the map.
        large_kernel: k, odd.
        small_kernel: s, odd.
        mlp_ratio: Channels inside the mixer for each channel, made a multiple of 8.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If a kernel is even, `mlp_ratio` leaves no hidden channel, or the rate is not in [0, 1).
    """

    whole_map = True

    def __init__(
        self,
        channels: int,
        *,
        large_kernel: int = 51,
        small_kernel: int = 5,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__(channels)
        check_odd("large_kernel", large_kernel)
        check_odd("small_kernel", small_kernel)
        self.norm1, self.norm2 = BatchNorm(channels), BatchNorm(channels)
        self.tall, self.wide = (_reach(channels, side) for side in ((large_kernel, NARROW), (NARROW, large_kernel)))
        self.near = _reach(channels, (small_kernel, small_kernel))
        self.low, self.high = FrequencyAttention(channels), FrequencyAttention(channels)
        self.mixer = InvertedBottleneck(channels, _rounded(hidden_channels(channels, mlp_ratio)))
        self.scale = nn.Parameter(SCALE * torch.ones(channels, 1, 1))
        self.drop_path = branch_dropout(drop_path)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, mixed."""
        (h,) = self.take(h)
        normed = self.norm1(h)
        mixed = self.low(self.tall(normed) + self.wide(normed)) + self.high(self.near(normed))
        h = h + self.drop_path(self.scale * mixed)
        return h + self.drop_path(self.scale * self.mixer(self.norm2(h)))


class FrequencyAttention(nn.Module):
    r"""Coordinate attention: every row and every column of a map is weighed by what all have in the mean.

    $$A(x) = x \circ \sigma(W_h * r) \circ \sigma(W_w * c) \qquad
      [r, c] = \mathrm{HardSwish}(\mathrm{norm}(W * [\mathrm{mean}_w x, \mathrm{mean}_h x]))$$

    After Hou et al., CVPR 2021.

    Args:
        channels: Of the map.
        reduction: Channels for each inner one, of which there are 8 at least.

    Shapes:
        maps: `(B, channels, H, W)`.
        returns: The same.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        inner = max(8, channels // reduction)
        self.squeeze, self.norm = Pointwise(channels, inner), BatchNorm(inner)
        self.rows, self.columns = Pointwise(inner, channels), Pointwise(inner, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """`maps`, weighed."""
        height = maps.shape[2]
        means = torch.cat([maps.mean(dim=3, keepdim=True), maps.mean(dim=2, keepdim=True).mT], dim=2)
        inner = functional.hardswish(self.norm(self.squeeze(means)))
        rows, columns = inner.tensor_split([height], dim=2)
        return maps * torch.sigmoid(self.columns(columns.mT)) * torch.sigmoid(self.rows(rows))


class InvertedBottleneck(nn.Module):
    """Wide inside: a 1x1 convolution, a depth-wise one of 7x7, squeeze and excitation, and a 1x1 convolution back.

    After Sandler et al. (MobileNetV2), CVPR 2018, without its skip; a batch norm follows each convolution.

    Args:
        channels: Of the map.
        hidden: Channels inside.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.widen, self.norm1 = Pointwise(channels, hidden, bias=False), BatchNorm(hidden)
        self.local = nn.Conv2d(hidden, hidden, 7, padding=3, groups=hidden, bias=False)
        self.norm2 = BatchNorm(hidden)
        squeezed = max(1, round(hidden / 4))
        self.squeeze, self.excite = Pointwise(hidden, squeezed), Pointwise(squeezed, hidden)
        self.narrow, self.norm3 = Pointwise(hidden, channels, bias=False), BatchNorm(channels)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        maps = functional.relu(self.norm1(self.widen(maps)))
        maps = functional.relu(self.norm2(self.local(maps)))
        mean = maps.mean(dim=(2, 3), keepdim=True)
        maps = maps * torch.sigmoid(self.excite(functional.relu(self.squeeze(mean))))
        return self.norm3(self.narrow(maps))


def _reach(channels: int, sides: tuple[int, int]) -> nn.Sequential:
    """A depth-wise convolution of such a kernel, and batch norm."""
    padding = (sides[0] // 2, sides[1] // 2)
    return nn.Sequential(nn.Conv2d(channels, channels, sides, padding=padding, groups=channels), BatchNorm(channels))


def _rounded(channels: int) -> int:
    """The multiple of 8 that is nearest, and no less than nine tenths."""
    near = max(8, (channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8
