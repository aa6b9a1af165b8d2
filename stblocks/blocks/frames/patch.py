"""Patches: how VMRNN and SwinLSTM get from frames to features and back, and from fine maps to coarse ones and back."""

import math
from collections.abc import Sequence

from einops import rearrange
from torch import Tensor, nn

from ...borders.checks import check_positive


class PatchEmbed(nn.Module):
    r"""Frame to features: each patch through one linear map, then layer norm.

    VMRNN paper, Sec. 3.1: $z_p = \mathrm{LN}(W x_p + b)$ for each patch $x_p$.

    Args:
        in_channels: Channels of the frame.
        channels: Of the features.
        patch_size: Side of a patch.

    Shapes:
        frame: `(B, in_channels, H, W)`, `H` and `W` multiples of `patch_size`.
        returns: `(B, channels, H / patch_size, W / patch_size)`.

    Raises:
        ValueError: If a number is not positive, or when called, if `frame` has other channels, or sides that are no
            multiples of `patch_size`.
    """

    def __init__(self, in_channels: int, channels: int, *, patch_size: int = 4) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels, patch_size=patch_size)
        self.in_channels, self.out_channels, self.patch_size = in_channels, channels, patch_size
        self.conv = nn.Conv2d(in_channels, channels, patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(channels)

    def forward(self, frame: Tensor) -> Tensor:
        """Features of each patch."""
        _check_map("frame", frame, self.in_channels, self.patch_size)
        return self.norm(self.conv(frame).movedim(1, -1)).movedim(-1, 1)


class PatchMerging(nn.Module):
    r"""To half the height and width and twice the channels: layer norm of each 2x2 positions, then one linear map.

    VMRNN paper, Sec. 3.1, after Liu et al. (Swin Transformer), ICCV 2021; with rows before columns in the indices,

    $$y = W \, \mathrm{LN}([x_{00}, x_{10}, x_{01}, x_{11}])$$

    Args:
        channels: Of the features.

    Shapes:
        x: `(B, channels, H, W)`, `H` and `W` even.
        returns: `(B, 2 * channels, H / 2, W / 2)`.

    Raises:
        ValueError: If `channels` is not positive, or when called, if `x` has other channels, or an odd side.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        check_positive(channels=channels)
        self.in_channels, self.out_channels = channels, 2 * channels
        self.norm = nn.LayerNorm(4 * channels)
        self.linear = nn.Linear(4 * channels, 2 * channels, bias=False)

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """That of the result, from that of `x`."""
        batch, _, height, width = shape
        return batch, self.out_channels, height // 2, width // 2

    def forward(self, x: Tensor) -> Tensor:
        """The coarser map."""
        _check_map("x", x, self.in_channels, 2)
        four = rearrange(x, "b c (h row) (w column) -> b h w (column row c)", row=2, column=2)
        return self.linear(self.norm(four)).movedim(-1, 1)


class PatchExpanding(nn.Module):
    r"""To twice the height and width and half the channels: one linear map to 2x2 positions, then their layer norm.

    VMRNN paper, Sec. 3.1, after Cao et al. (Swin-Unet), 2021; with rows before columns in the indices,

    $$[y'_{00}, y'_{01}, y'_{10}, y'_{11}] = W x \qquad y_{ij} = \mathrm{LN}(y'_{ij})$$

    Args:
        channels: Of the features, even.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W`.
        returns: `(B, channels / 2, 2 H, 2 W)`.

    Raises:
        ValueError: If `channels` is not a positive even number, or when called, if `x` has other channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        check_positive(channels=channels)
        if channels % 2:
            raise ValueError(f"channels must be even, since half of them come out, got {channels}.")
        self.in_channels, self.out_channels = channels, channels // 2
        self.linear = nn.Linear(channels, 2 * channels, bias=False)
        self.norm = nn.LayerNorm(channels // 2)

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """That of the result, from that of `x`."""
        batch, _, height, width = shape
        return batch, self.out_channels, 2 * height, 2 * width

    def forward(self, x: Tensor) -> Tensor:
        """The finer map."""
        _check_map("x", x, self.in_channels, 1)
        four = self.linear(x.movedim(1, -1))
        finer = rearrange(four, "b h w (row column c) -> b (h row) (w column) c", row=2, column=2)
        return self.norm(finer).movedim(-1, 1)


class PatchInflate(nn.Module):
    r"""Features to frame: the reconstruction layer, transposed convolutions that together enlarge `patch_size` times.

    VMRNN paper, Sec. 3.1:

    $$z \leftarrow \mathrm{LeakyReLU}(\mathrm{GN}(W_p *^\top z)) \qquad \hat x = W_q *^\top z$$

    There is one convolution for each prime factor p of the patch size, the largest first; the last, of factor q, has
    neither norm nor leaky ReLU behind it. Kernels have side 2p - 1, but at least 3. For patches of
    2, 4 and 8 these are the released layers.

    Args:
        channels: Of the features.
        out_channels: Channels of the frame.
        patch_size: Side of a patch.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W`.
        returns: `(B, out_channels, H * patch_size, W * patch_size)`.

    Raises:
        ValueError: If a number is not positive, or when called, if `x` has other channels.
    """

    def __init__(self, channels: int, out_channels: int, *, patch_size: int = 4) -> None:
        super().__init__()
        check_positive(channels=channels, out_channels=out_channels, patch_size=patch_size)
        self.in_channels, self.out_channels = channels, out_channels
        *strides, last = prime_factors(patch_size) or [1]
        layers: list[nn.Module] = []
        for stride in strides:
            norm = nn.GroupNorm(math.gcd(16, channels), channels)
            layers += [_enlarge(channels, channels, stride), norm, nn.LeakyReLU(0.2)]
        self.grow, self.conv = nn.Sequential(*layers), _enlarge(channels, out_channels, last)

    def forward(self, x: Tensor) -> Tensor:
        """The frame."""
        _check_map("x", x, self.in_channels, 1)
        return self.conv(self.grow(x))


def prime_factors(number: int) -> list[int]:
    """With their multiplicity, the largest first; none of 1."""
    factors, factor = [], 2
    while number > 1:
        while number % factor == 0:
            factors.append(factor)
            number //= factor
        factor += 1
    return factors[::-1]


def _enlarge(in_channels: int, out_channels: int, stride: int) -> nn.ConvTranspose2d:
    """To exactly `stride` times the height and width; the kernel is the smallest centred one that leaves no gaps."""
    kernel_size = max(3, 2 * stride - 1)
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, output_padding=stride - 1
    )


def _check_map(name: str, maps: Tensor, channels: int, multiple: int) -> None:
    if maps.ndim != 4 or maps.shape[1] != channels:
        raise ValueError(f"{name} must be (B, {channels}, H, W), got {tuple(maps.shape)}.")
    height, width = maps.shape[2:]
    if height % multiple or width % multiple:
        to = tuple(side + -side % multiple for side in (height, width))
        raise ValueError(f"H and W of {name} must be multiples of {multiple}, got {(height, width)}; pad to {to}.")
