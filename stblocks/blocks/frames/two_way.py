"""The two-way autoencoder of CrevNet: an encoder that loses nothing, and is undone instead of decoded."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_positive
from ..layers import conv, side_by_side


class Coupling(nn.Module):
    r"""A bijection of pairs of maps, by two additive couplings.

    Yu et al. (CrevNet), ICLR 2020, Sec. 3.1 (letters are ours), after Dinh et al. (NICE), 2014:

    $$\hat X^2 = X^2 + F_1(X^1) \qquad \hat X^1 = X^1 + F_2(\hat X^2) \tag{a}$$

    with each F a 3x3 convolution, a group norm in one group, a ReLU and another convolution.

    Args:
        channels: Of the pair, even.

    Shapes:
        pair: `(B, channels, H, W)`.
        returns: The same.

    Raises:
        ValueError: If `channels` is not a positive even number.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        check_positive(channels=channels)
        if channels % 2:
            raise ValueError(f"channels must be even, for a pair of maps, got {channels}.")
        half = channels // 2
        self.to_second, self.to_first = (
            nn.Sequential(conv(half, half, 3, norm=_norm), nn.ReLU(), conv(half, half, 3, bias=True)) for _ in range(2)
        )

    def forward(self, pair: Tensor) -> Tensor:
        """(a)."""
        first, second = pair.chunk(2, dim=1)
        second = second + self.to_second(first)
        return side_by_side(first + self.to_first(second), second)

    def undo(self, pair: Tensor) -> Tensor:
        """What `forward` made this pair of, to rounding."""
        first, second = pair.chunk(2, dim=1)
        first = first - self.to_first(second)
        return side_by_side(first, second - self.to_second(first))


class TwoWayEncoder(nn.Module):
    """Frames to features and back: patches, zeros beside them, and a chain of `Coupling`.

    Yu et al. (CrevNet), ICLR 2020.

    Args:
        in_channels: Channels of a frame.
        channels: Of the features, even, at least `in_channels * patch_size**2`.
        patch_size: Side of the patches that frames are cut into.
        depth: Number of couplings.

    Shapes:
        frames: `(B, in_channels, H, W)`, `H` and `W` multiples of `patch_size`.
        returns: `(B, channels, H / patch_size, W / patch_size)`.

    Raises:
        ValueError: If a number is not positive, or `channels` odd or too few for a patch.
    """

    def __init__(self, in_channels: int, channels: int, *, patch_size: int = 4, depth: int = 4) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels, patch_size=patch_size, depth=depth)
        self.patch_size, self.patch = patch_size, in_channels * patch_size**2
        if channels < self.patch:
            raise ValueError(
                f"channels must be at least in_channels * patch_size**2 = {self.patch}, so that nothing is lost, got "
                f"{channels}; take more, or smaller patches."
            )
        self.couplings = nn.ModuleList(Coupling(channels) for _ in range(depth))
        self.channels = channels

    def forward(self, frames: Tensor) -> Tensor:
        """Features."""
        maps = functional.pixel_unshuffle(frames, self.patch_size)
        maps = functional.pad(maps, (0, 0, 0, 0, 0, self.channels - self.patch))
        for coupling in self.couplings:
            maps = coupling(maps)
        return maps


class TwoWayDecoder(nn.Module):
    """Features to frames: an encoder undone, by the same weights. Where it made the features, to rounding the frames.

    Yu et al. (CrevNet), ICLR 2020.

    Args:
        encoder: The encoder, which is shared.

    Shapes:
        features: `(B, channels, H, W)`.
        returns: `(B, in_channels, H * patch_size, W * patch_size)`.

    Raises:
        ValueError: If `encoder` is no `TwoWayEncoder`.
    """

    def __init__(self, encoder: TwoWayEncoder) -> None:
        super().__init__()
        if not isinstance(encoder, TwoWayEncoder):
            raise ValueError(f"encoder must be a TwoWayEncoder, which can be undone, got {type(encoder).__name__}.")
        self.encoder = encoder

    def forward(self, features: Tensor) -> Tensor:
        """Frames."""
        for coupling in reversed(cast("list[Coupling]", list(self.encoder.couplings))):
            features = coupling.undo(features)
        return functional.pixel_shuffle(features[:, : self.encoder.patch], self.encoder.patch_size)


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(1, channels)
