"""The part of MMVP that forecasts: future motion matrices from past ones."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..maps.batch_norm import BatchNorm


class MatrixPredictor(nn.Module):
    """Future motion matrices, each row of which is a map: where a position of the frame before goes to.

    Rows of the same position through time are a sequence of maps, which convolutions over time and space take at half
    and at a quarter of the resolution. Zhong et al., MMVP, ICCV 2023, Sec. 3.3; all future matrices at once, as
    released.

    Args:
        channels: Of the maps inside.
        in_matrices: Past matrices.
        out_matrices: Future matrices.

    Shapes:
        matrices: `(B, in_matrices, H W, H W)`.
        size: `(H, W)`.
        returns: `(B, out_matrices, H W, H W)`.
    """

    def __init__(self, channels: int, in_matrices: int, out_matrices: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.before = nn.Sequential(_conv(channels, channels), _conv(channels, channels))
        self.halve = _conv(channels, channels, stride=2)
        self.over_time = Conv3D(channels)
        self.translate = nn.Sequential(
            nn.Conv2d(in_matrices * channels, out_matrices * channels, 1),
            nn.LeakyReLU(),
            BatchNorm(out_matrices * channels),
        )
        self.quarter = _conv(channels, 2 * channels, stride=2)
        self.deep: nn.Module = (
            Conv3D(2 * channels)
            if out_matrices > 1
            else Alone(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1), nn.LeakyReLU())
        )
        self.up, self.leave = _conv(3 * channels, channels), _conv(channels, channels)
        self.readout = nn.Conv2d(channels, 1, 3, padding=1, bias=False)
        self.out_matrices = out_matrices

    def forward(self, matrices: Tensor, size: tuple[int, int]) -> Tensor:
        """The future matrices."""
        batch = matrices.shape[0]
        rows = matrices.transpose(1, 2).flatten(0, 1).unflatten(2, size)  # (B H W, T, H, W)
        maps = self.halve(self.before(self.enter(rows.flatten(0, 1).unsqueeze(1))))
        maps = self.over_time(maps.unflatten(0, (rows.shape[0], -1)))
        maps = self.translate(maps.flatten(1, 2)).unflatten(1, (self.out_matrices, -1))
        deep = self.deep(self.quarter(maps.flatten(0, 1)).unflatten(0, (-1, maps.shape[1]))).flatten(0, 1)
        maps = maps.flatten(0, 1)
        maps = self.up(torch.cat([functional.interpolate(deep, maps.shape[2:]), maps], dim=1))
        maps = self.readout(self.leave(functional.interpolate(maps, size)))
        return maps.flatten(1).unflatten(0, (batch, -1, self.out_matrices)).transpose(1, 2)


class Conv3D(nn.Module):
    """A convolution over the time and space of sequences `(B, T, channels, H, W)`, batch norm and leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv3d(channels, channels, 3, padding=1), nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return functional.leaky_relu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)


class Alone(nn.Sequential):
    """Layers of maps, on sequences of one frame."""

    def forward(self, x: Tensor) -> Tensor:
        """`(B, 1, channels, H, W)` to the same."""
        maps = x.flatten(0, 1)
        for layer in self:
            maps = layer(maps)
        return maps.unflatten(0, (-1, x.shape[1]))


def _conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """A convolution, batch norm and leaky ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)
    return nn.Sequential(conv, BatchNorm(out_channels), nn.LeakyReLU())
