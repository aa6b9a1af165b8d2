"""The encoder and decoder of PhyDNet: strided convolutions in the manner of DC-GAN."""

from collections.abc import Sequence

from torch import Tensor, nn

from ...borders.checks import check_positive

#: Side of the patches that one position of the features stands for, to the strides of the three convolutions.
STRIDES = {1: (1, 1, 1), 2: (2, 1, 1), 4: (2, 1, 2), 8: (2, 2, 2)}


class DCGANUnit(nn.Module):
    r"""A 3x3 convolution, group norm, and a leaky ReLU of slope 0.2: $\mathrm{LeakyReLU}(\mathrm{GN}(W * x))$.

    PhyDNet, Le Guen and Thome, CVPR 2020, supplement; after Radford et al. (DC-GAN), ICLR 2016.

    Args:
        in_channels: Of the map that comes in.
        channels: Of the map that goes out, a multiple of `groups`.
        stride: What H and W are divided by.
        groups: Of the norm; `None` leaves it out.
        up: Whether the convolution is transposed, so that H and W are multiplied by the stride instead.

    Shapes:
        maps: `(N, in_channels, H, W)`.
        returns: `(N, channels, H', W')`.

    Raises:
        ValueError: If a number is not positive, or `channels` no multiple of `groups`.
    """

    def __init__(
        self, in_channels: int, channels: int, *, stride: int = 1, groups: int | None = 16, up: bool = False
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels, stride=stride)
        if groups is not None:
            check_positive(groups=groups)
            if channels % groups:
                raise ValueError(
                    f"groups must be a divisor of the channels that are normed, {channels}, got {groups}; take another "
                    f"number of groups or of channels."
                )
        self.in_channels, self.out_channels, self.stride, self.up = in_channels, channels, stride, up
        self.conv = resizing_conv(in_channels, channels, stride, up)
        self.norm = None if groups is None else nn.GroupNorm(groups, channels)
        self.activation = nn.LeakyReLU(0.2)

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """That of the result, from that of `maps`."""
        batch, _, *sides = shape
        sides = [side * self.stride if self.up else -(-side // self.stride) for side in sides]
        return (batch, self.out_channels, *sides)

    def forward(self, maps: Tensor) -> Tensor:
        """The new map."""
        maps = self.conv(maps)
        return self.activation(maps if self.norm is None else self.norm(maps))


class DCGANEncoder(nn.Sequential):
    """Frames to features: three `DCGANUnit`, $U_3(U_2(U_1(x)))$.

    PhyDNet, Le Guen and Thome, CVPR 2020, supplement of the paper.

    Args:
        in_channels: Of a frame.
        channels: Of the features, even; half of them in the first two units.
        patch_size: 1, 2, 4 or 8: what H and W are divided by.
        groups: See `DCGANUnit`.

    Shapes:
        frames: `(N, in_channels, H, W)`, `H` and `W` multiples of `patch_size`.
        returns: `(N, channels, H / patch_size, W / patch_size)`.

    Raises:
        ValueError: If a number is not positive, `channels` is odd, `patch_size` is another number, or `groups` does not
            divide the channels that are normed.
    """

    def __init__(self, in_channels: int, channels: int, *, patch_size: int = 4, groups: int | None = 16) -> None:
        half, strides = _half(channels), _strides(patch_size)
        widths = (in_channels, half, half, channels)
        super().__init__(
            *(DCGANUnit(widths[i], widths[i + 1], stride=stride, groups=groups) for i, stride in enumerate(strides))
        )


class DCGANDecoder(nn.Sequential):
    r"""Features to frames: two transposed `DCGANUnit` and a transposed convolution without norm and activation.

    PhyDNet, Le Guen and Thome, CVPR 2020, supplement of the paper: $W *^\top U_2(U_1(z))$.

    Args:
        channels: Of the features, even; half of them after the first unit.
        out_channels: Of a frame.
        patch_size: 1, 2, 4 or 8: what H and W are multiplied by.
        groups: See `DCGANUnit`.

    Shapes:
        features: `(N, channels, H, W)`.
        returns: `(N, out_channels, H * patch_size, W * patch_size)`.

    Raises:
        ValueError: See `DCGANEncoder`.
    """

    def __init__(self, channels: int, out_channels: int, *, patch_size: int = 4, groups: int | None = 16) -> None:
        check_positive(out_channels=out_channels)
        half, (first, second, third) = _half(channels), _strides(patch_size)
        super().__init__(
            DCGANUnit(channels, half, stride=first, groups=groups, up=True),
            DCGANUnit(half, half, stride=second, groups=groups, up=True),
            resizing_conv(half, out_channels, third, up=True),
        )


def resizing_conv(in_channels: int, channels: int, stride: int, up: bool) -> nn.Conv2d | nn.ConvTranspose2d:
    """A 3x3 convolution that divides H and W by the stride, or one that multiplies them exactly by it."""
    if up:
        return nn.ConvTranspose2d(in_channels, channels, 3, stride, padding=1, output_padding=stride - 1)
    return nn.Conv2d(in_channels, channels, 3, stride, padding=1)


def _half(channels: int) -> int:
    check_positive(channels=channels)
    if channels % 2:
        raise ValueError(f"channels must be even, since half of them are in the first layers, got {channels}.")
    return channels // 2


def _strides(patch_size: int) -> tuple[int, int, int]:
    if patch_size not in STRIDES:
        raise ValueError(f"patch_size must be one of {', '.join(map(str, STRIDES))}, got {patch_size!r}.")
    return STRIDES[patch_size]
