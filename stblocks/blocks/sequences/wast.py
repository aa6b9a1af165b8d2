"""WaST: a network that halves and restores maps by wavelets, and carries the high bands past its middle."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from ...borders.checks import check_each_positive, check_positive, check_rate, choose
from ...ops.wavelet import haar, inverse_haar
from ..maps.tf_aware import TFAwareBlock

#: Axes of a volume `(B, C, T, H, W)` in the order of a band's letters: the two bands that differ in the last letter
#: alone, and are low in the others, lie one behind the other along time.
KEPT = {"time": (3, 4, 2), "width": (2, 3, 4)}


class WaST(nn.Module):
    r"""Wavelet-based spatiotemporal network of one level.

    Nie et al., AAAI 2024, https://doi.org/10.1609/aaai.v38i5.28230. Blocks over the maps of all frames, on whole maps
    and on halved ones between; the wavelet transform halves them, and its inverse restores them from the blocks' result
    and from the high bands of before.

    Args:
        in_channels: Of a past frame.
        out_channels: Of a future frame.
        channels: Of a frame's map; twice as many on halved maps.
        frames: Past frames, and future ones. An odd number is made even by the first frame twice.
        depths: Blocks before the transform, between, and after it.
        large_kernels: Large kernel of the blocks on whole maps, and on halved ones; see `TFAwareBlock`.
        mlp_ratio: See `TFAwareBlock`.
        drop_path: Chance that a branch is left out for a sample, in training; it grows evenly from 0 to this.
        keep: Along which axis both bands go on, one behind the other in time; of the other two axes it is the low band
            alone. `"time"`, so that space is what is halved, or `"width"`, as released, where the letter of a band that
            stands for the width is taken for that of time.

    Shapes:
        past: `(B, frames, in_channels, H, W)`, `H` and `W` even.
        returns: `(B, frames, out_channels, H, W)`.

    Raises:
        ValueError: If a number is not positive, `depths` or `large_kernels` has another length, `drop_path` is not in
            [0, 1), or `keep` is another word.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int,
        frames: int,
        *,
        depths: Sequence[int] = (2, 8, 2),
        large_kernels: Sequence[int] = (51, 21),
        mlp_ratio: float = 4.0,
        drop_path: float = 0.1,
        keep: str = "time",
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, channels=channels, frames=frames)
        check_rate("drop_path", drop_path)
        for name, value, length in (("depths", depths, 3), ("large_kernels", large_kernels, 2)):
            check_each_positive(name, value)
            if len(value) != length:
                raise ValueError(f"{name} must have {length} entries, got {list(value)}.")
        even, total = frames + frames % 2, sum(depths)
        rates = [drop_path * index / max(total - 1, 1) for index in range(total)]
        ends = list(accumulate(depths, initial=0))

        def blocks(part: int, width: int, kernel: int) -> nn.Sequential:
            options: dict[str, Any] = {"large_kernel": kernel, "mlp_ratio": mlp_ratio}
            return nn.Sequential(
                *(TFAwareBlock(width * even, drop_path=rate, **options) for rate in rates[ends[part] : ends[part + 1]])
            )

        whole, halved = large_kernels
        self.enter = conv3d(in_channels, channels)
        self.before = blocks(0, channels, whole)
        self.down = WaveletEmbedding(channels, 2 * channels, in_channels, keep=keep)
        self.between = blocks(1, 2 * channels, halved)
        self.up = WaveletReconstruction(2 * channels, channels, channels, keep=keep)
        self.join = nn.Conv2d(2 * channels * even, channels * even, 3, padding=1)
        self.after = blocks(2, channels, whole)
        self.leave = nn.Sequential(nn.BatchNorm3d(channels), nn.GELU(), nn.Conv3d(channels, out_channels, 3, padding=1))

    def forward(self, past: Tensor) -> Tensor:
        """The future frames."""
        frames = past.shape[1]
        if frames % 2:
            past = torch.cat([past[:, :1], past], dim=1)
        volume = past.transpose(1, 2)
        shape = (-1, past.shape[1])
        skip = self.before(self.enter(volume).flatten(1, 2))
        halved, high = self.down(skip.unflatten(1, shape), volume)
        halved = self.between(halved.flatten(1, 2)).unflatten(1, shape)
        restored = self.up(halved, high).flatten(1, 2)
        mixed = self.after(self.join(torch.cat([restored, skip], dim=1)))
        return self.leave(mixed.unflatten(1, shape)).transpose(1, 2)[:, :frames]


class WaveletEmbedding(nn.Module):
    """To half the height and width: the low bands go on, the high ones are handed to `WaveletReconstruction`.

    The bands of the frames themselves are added to what goes on.

    Args:
        in_channels: Of the volume.
        out_channels: Of what goes on.
        frame_channels: Of the frames.
        keep: See `WaST`.

    Shapes:
        volume: `(B, in_channels, T, H, W)`, all three even.
        frames: `(B, frame_channels, T, H, W)`.
        returns: `(B, out_channels, T, H / 2, W / 2)`, and the six other bands `(B, 6 * in_channels, T / 2, H / 2,
            W / 2)`.

    Raises:
        ValueError: If `keep` is another word.
    """

    def __init__(self, in_channels: int, out_channels: int, frame_channels: int, *, keep: str = "time") -> None:
        super().__init__()
        self.axes = KEPT[choose("keep", keep, tuple(KEPT))]
        self.before, self.after = conv3d(in_channels, in_channels), conv3d(in_channels, out_channels)
        self.frames = nn.Conv3d(4 * frame_channels, out_channels, 3, padding=1)

    def forward(self, volume: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """What goes on, and the high bands."""
        bands = haar(frames, self.axes)
        low, high = (torch.cat(bands[last::2], dim=1) for last in (0, 1))  # by their last letters
        beside = self.frames(torch.cat([low, high], dim=2))
        first, second, *others = haar(self.before(volume), self.axes)
        return self.after(torch.cat([first, second], dim=2)) + beside, torch.cat(others, dim=1)


class WaveletReconstruction(nn.Module):
    """Back to the height and width that there were, from what went on and the high bands.

    Args:
        in_channels: Of what went on.
        out_channels: Of the result.
        high_channels: Of each high band.
        keep: See `WaST`.

    Shapes:
        volume: `(B, in_channels, T, H / 2, W / 2)`.
        high: `(B, 6 * high_channels, T / 2, H / 2, W / 2)`.
        returns: `(B, out_channels, T, H, W)`.

    Raises:
        ValueError: If `keep` is another word.
    """

    def __init__(self, in_channels: int, out_channels: int, high_channels: int, *, keep: str = "time") -> None:
        super().__init__()
        self.axes = KEPT[choose("keep", keep, tuple(KEPT))]
        self.low = conv3d(in_channels, out_channels)
        self.high = conv3d(6 * high_channels, 6 * out_channels, groups=6)

    def forward(self, volume: Tensor, high: Tensor) -> Tensor:
        """The restored volume."""
        return inverse_haar([*self.low(volume).chunk(2, dim=2), *self.high(high).chunk(6, dim=1)], self.axes)


def conv3d(in_channels: int, out_channels: int, *, groups: int = 1) -> nn.Sequential:
    """A convolution over time and space, batch norm and GELU."""
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, 3, padding=1, groups=groups), nn.BatchNorm3d(out_channels), nn.GELU()
    )
