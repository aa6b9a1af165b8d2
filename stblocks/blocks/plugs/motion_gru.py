"""MotionGRU: warps the hidden state along a motion field that it learns from it."""

import torch
from torch import Tensor, nn

from ...borders.checks import check_odd
from ...core.block import Block
from ...core.slot import D, F, H, Slot
from ...ops.deformable import deformable_conv2d
from ..layers import blend, conv, side_by_side


class MotionGRU(Block):
    r"""Motion by transient variation F and trending momentum D, on half the resolution and a quarter of the channels.

    Wu et al. (MotionRNN), CVPR 2021, https://arxiv.org/abs/2103.02243, Sec. 3.2, in the symbols of the GMG paper. With
    X the hidden state after a convolution of stride 2,

    $$u_t = \sigma(W_u * [X, F_{t-1}]) \qquad r_t = \sigma(W_r * [X, F_{t-1}]) \tag{7, 8}$$
    $$F' = (1 - u_t) \circ F_{t-1} + u_t \circ \tanh(W_z * [X, r_t \circ F_{t-1}]) \tag{9, 10}$$
    $$D_t = \tfrac12 D_{t-1} + \tfrac12 F_{t-1} \qquad F_t = F' + D_t \tag{17, 18}$$
    $$X' = \mathrm{DeformableConv}(X, F_t) \tag{19}$$

    and the result, back at full resolution, is mixed into the hidden state by a gate:
    $H = g \circ X' + (1 - g) \circ H$.

    Args:
        channels: Channels of `h`.
        kernel_size: Side of the kernels of the first convolution and of the gate, odd.
        warp_kernel_size: Side k of the deformable kernel, odd; `f` and `d` have 2 k^2 channels.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        f, d: `(B, 2 k^2, ceil(H / 2), ceil(W / 2))`, offsets in pixels; left out, they start from zeros.
        returns: `h, f, d`.

    Raises:
        ValueError: If a kernel is even.
    """

    reads = (H, F, D)
    writes = (H, F, D)
    owns = (F, D)

    def __init__(self, channels: int, *, kernel_size: int = 5, warp_kernel_size: int = 3) -> None:
        check_odd("kernel_size", kernel_size)
        check_odd("warp_kernel_size", warp_kernel_size)
        motion = 2 * warp_kernel_size**2
        super().__init__({H: channels, F: motion, D: motion})
        inner = max(1, channels // 4)
        self.encode = nn.Conv2d(channels, inner, kernel_size, stride=2, padding=kernel_size // 2)
        self.motion = MotionUnit(inner, warp_kernel_size)
        self.decode = nn.ConvTranspose2d(inner, channels, 4, stride=2, padding=1)
        self.gate = conv(2 * channels, channels, kernel_size, bias=True)

    def size_of(self, slot: Slot, height: int, width: int) -> tuple[int, int]:
        """Motion has half the resolution."""
        return (-(-height // 2), -(-width // 2)) if slot in self.owns else (height, width)

    def forward(self, h: Tensor, f: Tensor | None = None, d: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """One step: `h, f, d`."""
        h, f, d = self.take(h, f, d)
        moved, f, d = self.motion(self.encode(h), f, d)
        moved = self.decode(moved)[..., : h.shape[2], : h.shape[3]]  # odd sizes come back one too large
        gate = torch.sigmoid(self.gate(side_by_side(moved, h)))
        return blend(h, moved, gate), f, d


class MotionUnit(nn.Module):
    """The inner part of MotionGRU and MGM: a GRU over F, the trend D, and the warp. See `MotionGRU`.

    Args:
        channels: Channels of `x`.
        kernel_size: Side k of the deformable kernel.
        trend: `(x, d) -> d`, applied to the trend before it is averaged with F; `None` leaves it as it is.
    """

    def __init__(self, channels: int, kernel_size: int = 3, trend: nn.Module | None = None) -> None:
        super().__init__()
        taps = kernel_size**2
        self.gates = nn.Conv2d(channels + 2 * taps, 4 * taps, 3, padding=1)  # update, reset
        self.candidate = nn.Conv2d(channels + 2 * taps, 2 * taps, 3, padding=1)
        self.warp = Warp(channels, channels, kernel_size)
        self.trend = trend
        nn.init.zeros_(self.gates.weight)  # to begin with, motion is the same everywhere
        nn.init.zeros_(self.candidate.weight)  # not its bias: bilinear reading has a kink at whole offsets

    def forward(self, x: Tensor, f: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`x` `(B, C, H, W)`, `f` and `d` `(B, 2 k^2, H, W)` to the same."""
        u, r = torch.sigmoid(self.gates(side_by_side(x, f))).chunk(2, dim=1)  # (7, 8)
        z = torch.tanh(self.candidate(side_by_side(x, r * f)))  # (9)
        if self.trend is not None:
            d = self.trend(x, d)  # GMG (11-16)
        d = 0.5 * d + 0.5 * f  # (17)
        f = blend(f, z, u) + d  # (10, 18)
        return self.warp(x, f), f, d  # (19)


class Warp(nn.Module):
    """Moves a map along a field of offsets: a deformable convolution whose mask comes from the map itself.

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of the result.
        kernel_size: Side k of the kernel, odd.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        check_odd("warp_kernel_size", kernel_size)
        self.mask = nn.Conv2d(in_channels, kernel_size**2, 3, padding=1)
        self.conv = DeformableConv2d(in_channels, out_channels, kernel_size)
        nn.init.zeros_(self.mask.weight)

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """`x` `(B, C, H, W)` and `offset` `(B, 2 k^2, H, W)`, pixels, rows first, to `(B, out_channels, H, W)`."""
        return self.conv(x, offset, torch.sigmoid(self.mask(x)))


class DeformableConv2d(nn.Module):
    """`deformable_conv2d` with its weight.

    No `nn.Conv2d`, for it takes more than a map; its `weight` is that of one without bias.

    Args:
        in_channels, out_channels: Channels of the map and of the result.
        kernel_size: Side of the kernel, odd.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.weight = nn.Conv2d(in_channels, out_channels, kernel_size, bias=False).weight

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """See `deformable_conv2d`."""
        return deformable_conv2d(x, offset, mask, self.weight)
