"""The Inception translator of SimVP: branches of several kernel sizes, in a U without contraction."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_positive
from ..layers import Pointwise

KERNEL_SIZES = (3, 5, 7, 11)


class Inception(nn.Module):
    r"""Inception temporal module.

    $$\hat z = W_{1 \times 1} * z \tag{10}$$
    $$z' = \sum_{k} \mathrm{LeakyReLU}(\mathrm{GN}(W_{k \times k} * \hat z)) \tag{11}$$

    SimVPv2 paper, Sec. IV-C1; convolutions and norms in groups.

    Args:
        in_channels: Of the map that comes in.
        channels: Of $\hat z$.
        out_channels: Of the map that goes out.
        kernel_sizes: The sides $k$, odd.
        groups: Of convolutions and norms; must divide `channels` and `out_channels`.

    Shapes:
        maps: `(B, in_channels, H, W)`.
        returns: `(B, out_channels, H, W)`.

    Raises:
        ValueError: If a number is not positive, `groups` does not divide the channels, or a kernel is even, or there
            is none.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        out_channels: int,
        *,
        kernel_sizes: Sequence[int] = KERNEL_SIZES,
        groups: int = 8,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels, out_channels=out_channels, groups=groups)
        if channels % groups or out_channels % groups:
            raise ValueError(
                f"groups must divide the {channels} inner and {out_channels} outer channels, got {groups}; "
                f"groups=1 always does."
            )
        check_sides("kernel_sizes", kernel_sizes)
        self.narrow = Pointwise(in_channels, channels)
        self.branches = nn.ModuleList(_branch(channels, out_channels, side, groups) for side in kernel_sizes)

    def forward(self, maps: Tensor) -> Tensor:
        """A map of `out_channels`."""
        narrow = self.narrow(maps)
        return torch.stack([functional.leaky_relu(branch(narrow), 0.2) for branch in self.branches]).sum(dim=0)


def check_sides(argument: str, kernel_sizes: Sequence[int]) -> None:
    """Raise a `ValueError` unless these are sides of kernels that have a centre."""
    listed = isinstance(kernel_sizes, Sequence) and len(kernel_sizes) > 0
    if not listed or not all(isinstance(side, int) and side > 0 and side % 2 for side in kernel_sizes):
        raise ValueError(f"{argument} must hold at least one side, each an odd integer, got {kernel_sizes!r}.")


def _branch(in_channels: int, out_channels: int, kernel_size: int, groups: int) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups)
    return nn.Sequential(conv, nn.GroupNorm(groups, out_channels))


class InceptionUNet(nn.Module):
    r"""IncepU: Inception modules down and up again, each on the way up sees what its mirror found on the way down.

    SimVPv2 paper, Sec. IV-C1, with $I_i$ and $J_i$ the Inception modules of the way down and up:

    $$d_i = I_i(d_{i-1}) \qquad u_1 = J_1(d_N) \qquad u_i = J_i([u_{i-1}, d_{N-i+1}])$$

    Args:
        in_channels: Of the map that comes in.
        channels: Width in between.
        out_channels: Of the map that goes out.
        num_layers: Modules on the way down, as many go up.
        kernel_sizes: See `Inception`.
        groups: See `Inception`.

    Shapes:
        maps: `(B, in_channels, H, W)`.
        returns: `(B, out_channels, H, W)`.

    Raises:
        ValueError: If a number is not positive, or `groups` does not divide the channels.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        out_channels: int,
        *,
        num_layers: int,
        kernel_sizes: Sequence[int] = KERNEL_SIZES,
        groups: int = 8,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels, out_channels=out_channels, num_layers=num_layers)

        def module(first: int, last: int) -> Inception:
            return Inception(first, channels // 2, last, kernel_sizes=kernel_sizes, groups=groups)

        last = num_layers - 1
        self.down = nn.ModuleList(module(channels if i else in_channels, channels) for i in range(num_layers))
        self.up = nn.ModuleList(
            module(2 * channels if i else channels, out_channels if i == last else channels) for i in range(num_layers)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """A map of `out_channels`."""
        found = []
        for down in self.down:
            maps = down(maps)
            found.append(maps)
        maps = self.up[0](found.pop())
        for up in self.up[1:]:
            maps = up(torch.cat([maps, found.pop()], dim=1))
        return maps
