"""The spatial encoder and decoder of SimVP: convolutions, half of which change the resolution."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_odd, check_positive, choose
from ..layers import Pointwise
from ..starts import SPREAD


class ConvUnit(nn.Module):
    r"""A convolution, group norm in two groups, and SiLU.

    $$\sigma(\mathrm{Norm2d}(\mathrm{Conv2d}(x))) \tag{6}$$

    SimVPv2 paper, Sec. IV-B; with `resample="up"` Eq. 7, by pixel shuffle.

    Args:
        in_channels: Of the map that comes in.
        channels: Of the map that goes out, even.
        kernel_size: Side of the kernel, odd.
        resample: `"down"` halves H and W by a stride, `"up"` doubles them.

    Shapes:
        maps: `(N, in_channels, H, W)`.
        returns: `(N, channels, H', W')`.

    Raises:
        ValueError: If a number is not positive, `channels` is odd or the kernel even, or `resample` another word.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int = 3,
        resample: Literal["up", "down"] | None = None,
    ) -> None:
        super().__init__()
        check_odd("kernel_size", kernel_size)
        check_positive(in_channels=in_channels, channels=channels)
        if channels % 2:
            raise ValueError(f"channels must be even, for a norm in two groups, got {channels}.")
        if resample is not None:
            choose("resample", resample, ("up", "down"))
        self.up = resample == "up"
        self.conv = nn.Conv2d(
            in_channels,
            4 * channels if self.up else channels,
            kernel_size,
            stride=2 if resample == "down" else 1,
            padding=kernel_size // 2,
        )
        self.norm = nn.GroupNorm(2, channels)
        nn.init.trunc_normal_(self.conv.weight, std=SPREAD)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        """A map of `channels`."""
        maps = self.conv(maps)
        return functional.silu(self.norm(functional.pixel_shuffle(maps, 2) if self.up else maps))


class Encoder(nn.Module):
    r"""Frames to features, each by itself: every second convolution halves H and W.

    SimVPv2 paper, Sec. IV-B, with $U_i$ the units of Eq. 6, of which $U_2, U_4, \dots$ have a stride:

    $$S = U_1(x) \qquad Z = U_N(\cdots U_2(S))$$

    Args:
        in_channels: Of a frame.
        channels: Of the features.
        num_layers: Number of convolutions; `num_layers // 2` of them have a stride.
        kernel_size: Side of their kernels.

    Shapes:
        frames: `(N, in_channels, H, W)`.
        returns: Features `(N, channels, H', W')`, and what the first convolution found, `(N, channels, H, W)`, for the
            decoder's skip.

    Raises:
        ValueError: If a number is not positive, `channels` is odd or the kernel even.
    """

    def __init__(self, in_channels: int, channels: int, *, num_layers: int = 4, kernel_size: int = 3) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, num_layers=num_layers)
        self.first = ConvUnit(in_channels, channels, kernel_size=kernel_size)
        self.rest = nn.Sequential(
            *(
                ConvUnit(channels, channels, kernel_size=kernel_size, resample="down" if layer % 2 else None)
                for layer in range(1, num_layers)
            )
        )

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Features and skip."""
        skip = self.first(frames)
        return self.rest(skip), skip


class Decoder(nn.Module):
    r"""Features to frames, the encoder's convolutions mirrored: the skip is added before the last one.

    SimVPv2 paper, Sec. IV-B, with $U_i$ the units of Eqs. 6 and 7, of which $U_2, U_4, \dots$ double the size:

    $$\hat x = W_{1 \times 1} * U_1(S + U_2(\cdots U_N(Z)))$$

    Args:
        channels: Of the features.
        out_channels: Of a frame.
        num_layers: See `Encoder`.
        kernel_size: See `Encoder`.

    Shapes:
        features: `(N, channels, H', W')`.
        skip: `(N, channels, H, W)`.
        returns: Frames `(N, out_channels, H, W)`.

    Raises:
        ValueError: If a number is not positive, `channels` is odd or the kernel even.
    """

    def __init__(self, channels: int, out_channels: int, *, num_layers: int = 4, kernel_size: int = 3) -> None:
        super().__init__()
        check_positive(out_channels=out_channels, num_layers=num_layers)
        self.rest = nn.Sequential(
            *(
                ConvUnit(channels, channels, kernel_size=kernel_size, resample="up" if layer % 2 else None)
                for layer in reversed(range(1, num_layers))
            )
        )
        self.last = ConvUnit(channels, channels, kernel_size=kernel_size)
        self.readout = Pointwise(channels, out_channels)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Frames."""
        return self.readout(self.last(self.rest(features) + skip))
