"""MMVP: appearance and motion apart, the one moved along forecast matrices of the other."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_each_positive, check_positive, choose
from ...ops.motion_matrix import as_weights, composed, motion_matrices, resized_matrices
from ..layers import Pointwise
from ..maps.batch_norm import BatchNorm
from ..maps.rrdb import RRDB
from .matrix_predictor import MatrixPredictor

#: How many of the scales, from the coarsest up, are composed and given to the decoder.
SCALES = 3


class MMVP(nn.Module):
    r"""Motion-matrix-based video prediction.

    Zhong et al., ICCV 2023, https://arxiv.org/abs/2308.16154, Fig. 2. An encoder takes every frame by itself to maps of
    several scales. Filters of the two coarsest make features whose likeness from frame to frame is the motion
    (`motion_matrices`); `MatrixPredictor` forecasts it. The maps of the past, and the frames themselves, are moved
    along past and future matrices (`composed`), and a decoder and an enhancer make frames of them.

    Args:
        in_channels: Of a past frame.
        out_channels: Of a future frame.
        channels: Of the finest maps; twice as many on each coarser scale.
        matrix_channels: See `MatrixPredictor`.
        in_frames: Past frames, at least 2.
        out_frames: Future frames.
        depths: RRDBs in encoder, decoder and enhancer.
        factors: What each scale is coarser by than the one before, 2 or 4 each, at least two; the finest has half the
            resolution of the frames.
        weights: What the softmax of a motion matrix goes over: `"matrix"`, all of it, as released, so that a past frame
            counts by a factor of about the number of positions less than the one after it, or `"column"`, where every
            past frame counts alike.
        scrambled: Whether forecasts of several channels are read out in the order of the released code, which mixes
            channels with positions: for released weights alone. One channel stays as it is.

    Shapes:
        past: `(B, in_frames, in_channels, H, W)`, `H` and `W` multiples of twice the product of `factors`.
        returns: `(B, out_frames, out_channels, H, W)`.

    Raises:
        ValueError: If a number is not positive, `in_frames` is 1, `depths` or `factors` has another length, a factor is
            neither 2 nor 4, or `weights` is another word.
    """

    whole_map = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int,
        matrix_channels: int,
        in_frames: int,
        out_frames: int,
        *,
        depths: Sequence[int] = (2, 2, 2),
        factors: Sequence[int] = (2, 2, 2),
        weights: str = "matrix",
        scrambled: bool = False,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels)
        check_positive(channels=channels, matrix_channels=matrix_channels, in_frames=in_frames, out_frames=out_frames)
        check_each_positive("depths", depths)
        check_each_positive("factors", factors)
        if in_frames < 2:
            raise ValueError(f"in_frames must be at least 2, between which there is motion, got {in_frames}.")
        if len(depths) != 3:
            raise ValueError(f"depths must have 3 entries, for encoder, decoder and enhancer, got {list(depths)}.")
        if len(factors) < 2 or not set(factors) <= {2, 4}:
            raise ValueError(f"factors must be at least two numbers, 2 or 4 each, got {list(factors)}.")
        self.weights, self.scrambled = choose("weights", weights, ("matrix", "column")), scrambled
        self.reach = math.prod(factors[:-1])  # from the finest maps to the grid of the matrices
        self.folds = [factors[-2], 1]  # from the two finer composed scales to it
        widths = [channels * 2**scale for scale in range(len(factors) + 1)]
        self.enter = nn.Conv2d(4 * in_channels, channels, 3, padding=1)
        self.encode = nn.Sequential(*(RRDB(channels) for _ in range(depths[0])))
        self.downs = nn.ModuleList(
            Down(below, above, factor) for below, above, factor in zip(widths, widths[1:], factors, strict=False)
        )
        self.filters = nn.ModuleList([_filter(widths[-2], channels), _filter(widths[-1], 2 * channels)])
        self.predictor = MatrixPredictor(matrix_channels, in_frames - 1, out_frames)
        self.ups = nn.ModuleList(
            Up(widths[scale + 1], widths[scale], factors[scale], skip=index < SCALES - 1)
            for index, scale in enumerate(reversed(range(len(factors))))
        )
        self.decode = nn.Sequential(*(RRDB(channels) for _ in range(depths[1])))
        self.leave = Pointwise(channels, 4 * out_channels)
        self.enhance = nn.Sequential(
            nn.Conv2d(out_channels + in_channels, channels, 3, padding=1),
            *(RRDB(channels) for _ in range(depths[2])),
            Pointwise(channels, out_channels),
        )

    def forward(self, past: Tensor) -> Tensor:
        """The future frames."""
        batch = past.shape[0]
        frames = functional.pixel_unshuffle(past.flatten(0, 1), 2)
        maps = [self.encode(self.enter(frames))]
        for down in self.downs:
            maps.append(down(maps[-1]))
        seen = [each(scale).unflatten(0, (batch, -1)) for each, scale in zip(self.filters, maps[-2:], strict=True)]
        fine, coarse = (motion_matrices(features) for features in seen)
        size, small = (tuple(features.shape[3:]) for features in seen)
        future = self.predictor(fine, size)
        coarser = as_weights(resized_matrices(future, size, small), self.weights)
        on_fine = as_weights(fine, self.weights), as_weights(future, self.weights)
        on_coarse = as_weights(coarse, self.weights), coarser
        moved = [self._moved(scale, fold, *on_fine) for scale, fold in zip(maps[-SCALES:-1], self.folds, strict=True)]
        features = self._moved(maps[-1], 1, *on_coarse)
        for up in self.ups:
            features = up(features, moved.pop() if moved else None)
        forecast = functional.pixel_shuffle(self.leave(self.decode(features)), 2)
        moved_frames = functional.pixel_shuffle(self._moved(frames, self.reach, *on_fine), 2)
        forecast = self.enhance(torch.cat([forecast, moved_frames], dim=1))
        if self.scrambled:
            forecast = forecast.movedim(1, -1).reshape(forecast.shape)
            return forecast.view(batch, -1, *forecast.shape[1:])
        return forecast.unflatten(0, (batch, -1))

    def _moved(self, maps: Tensor, fold: int, past: Tensor, future: Tensor) -> Tensor:
        """Maps of all past frames, `(B T, C, H, W)`, to those of all future ones, on a grid that `fold` is coarser."""
        folded = functional.pixel_unshuffle(maps, fold).unflatten(0, (past.shape[0], -1))
        return functional.pixel_shuffle(composed(folded, past, future).flatten(0, 1), fold)


class Down(nn.Module):
    """A residual block to coarser maps.

    Args:
        in_channels: Of the map.
        out_channels: Of the result.
        factor: 2, or 4 by pooling besides.
    """

    def __init__(self, in_channels: int, out_channels: int, factor: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=2)
        self.pool: nn.Module = nn.MaxPool2d(2) if factor == 4 else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """`(N, in_channels, H, W)` to `(N, out_channels, H / factor, W / factor)`."""
        mixed = functional.relu(self.second(functional.relu(self.first(maps))))
        return functional.leaky_relu(self.pool(mixed + self.shortcut(maps)))


class Up(nn.Module):
    """To finer maps, and what there is on their scale beside them.

    Args:
        in_channels: Of the map.
        out_channels: Of the result, and of what is beside.
        factor: How much finer.
        skip: Whether there is something beside.
    """

    def __init__(self, in_channels: int, out_channels: int, factor: int, *, skip: bool) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, factor, stride=factor)
        self.conv = nn.Conv2d(2 * out_channels if skip else out_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, maps: Tensor, beside: Tensor | None) -> Tensor:
        """`(N, in_channels, H, W)` to `(N, out_channels, factor H, factor W)`."""
        maps = self.up(maps)
        return functional.relu(self.conv(maps if beside is None else torch.cat([beside, maps], dim=1)))


def _filter(in_channels: int, channels: int) -> nn.Sequential:
    """What of a map tells motion: three convolutions, each with batch norm and leaky ReLU."""
    layers: list[nn.Module] = []
    for below in (in_channels, channels, channels):
        layers += [nn.Conv2d(below, channels, 3, padding=1), BatchNorm(channels), nn.LeakyReLU()]
    return nn.Sequential(*layers)
