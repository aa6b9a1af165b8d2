"""Small parts that several blocks share."""

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ..borders.checks import check_odd, check_positive, check_rate, check_ratio
from ..ops.map_norm import map_norm

#: Channels to a normalisation module; `None` stands for no normalisation.
Norm = Callable[[int], nn.Module]


def make_norm(norm: Norm, channels: int, argument: str = "norm") -> nn.Module:
    """A norm for maps of so many channels.

    Raises:
        ValueError: If what makes it is no function.
    """
    if isinstance(norm, nn.Module) or not callable(norm):
        raise ValueError(
            f"{argument} must be a function from channels to a norm, such as partial(nn.GroupNorm, 1), got {norm!r}."
        )
    return norm(channels)


def conv(
    in_channels: int, out_channels: int, kernel_size: int, *, norm: Norm | None = None, bias: bool = False
) -> nn.Module:
    """A convolution that keeps H and W, then a norm if one is given.

    Raises:
        ValueError: If the kernel is even, or what makes the norm no function.
    """
    check_odd("kernel_size", kernel_size)
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)
    return layer if norm is None else nn.Sequential(layer, make_norm(norm, out_channels))


class MapNorm(nn.LayerNorm):
    """Layer norm over channels and positions, with a weight for each; made for channels-last maps.

    Args:
        channels: Of the maps.
        height: Of the maps.
        width: Of the maps.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__([channels, height, width])

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, C, H, W)`, normed."""
        return map_norm(maps, self.weight, self.bias, self.eps)

    def lay_channels_last(self) -> None:
        """See `stblocks.lay_channels_last`."""
        for parameter in self.parameters():
            parameter.data = parameter.data.movedim(0, -1).contiguous().movedim(-1, 0)


class Pointwise(nn.Conv2d):
    """A 1x1 convolution: a linear layer over the channels at every position."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)


def depthwise(channels: int, kernel_size: int, *, dilation: int = 1) -> nn.Conv2d:
    """A convolution of every channel by itself, that keeps H and W.

    Raises:
        ValueError: If the kernel is even.
    """
    check_odd("kernel_size", kernel_size)
    kind = nn.Conv2d if dilation == 1 else Dilated
    return kind(channels, channels, kernel_size, padding=kernel_size // 2, dilation=dilation, groups=channels)


#: torch 2.6 does not tell exporting from compiling.
_is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


class Dilated(nn.Conv2d):
    """A dilated convolution; on a CPU as a dense one on each grid of every `dilation`-th row and column.

    The same sums, for which a CPU has faster kernels. `padding` is that of the dense convolution.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, in_channels, H, W)` to `(B, out_channels, H, W)`."""
        # How far grids are padded depends on H and W, which an exported program is not to ask.
        return self._by_dilation(maps) if maps.is_cuda or _is_exporting() else self._by_grids(maps)

    def _by_dilation(self, maps: Tensor) -> Tensor:
        # The kernels for dilated depth-wise convolutions are those for the plain layout, of maps and of weight.
        plain, weight = maps.contiguous(), self.weight.flatten(1).unflatten(1, self.weight.shape[1:])
        padding = [side // 2 * step for side, step in zip(self.kernel_size, self.dilation, strict=True)]
        maps = functional.conv2d(plain, weight, self.bias, 1, padding, self.dilation, self.groups)
        return maps.contiguous(memory_format=torch.channels_last)

    def _by_grids(self, maps: Tensor) -> Tensor:
        (height, width), (i, j) = maps.shape[2:], self.dilation
        padded = functional.pad(maps, (0, -width % j, 0, -height % i)).movedim(1, -1)
        grids = rearrange(padded, "b (h i) (w j) c -> (b i j) h w c", i=i, j=j).movedim(-1, 1)
        grids = functional.conv2d(grids, self.weight, self.bias, padding=self.padding, groups=self.groups)
        maps = rearrange(grids.movedim(1, -1), "(b i j) h w c -> b (h i) (w j) c", i=i, j=j)
        return maps[:, :height, :width].movedim(-1, 1)


def branch_dropout(drop_path: float) -> nn.Module:
    """Leaves what it is given out for a sample with chance `drop_path`, in training: stochastic depth.

    Raises:
        ValueError: If `drop_path` is not in [0, 1).
    """
    from torchvision.ops import StochasticDepth  # slow to import

    check_rate("drop_path", drop_path)
    return StochasticDepth(drop_path, "row")


def hidden_channels(channels: int, mlp_ratio: float) -> int:
    """How many channels an MLP has inside.

    Raises:
        ValueError: If it has none, or `mlp_ratio` is no number.
    """
    check_positive(channels=channels)
    check_ratio("mlp_ratio", mlp_ratio)
    hidden = int(channels * mlp_ratio)
    if hidden < 1:
        raise ValueError(f"mlp_ratio must leave the MLP a channel of {channels}, got {mlp_ratio}.")
    return hidden


def blend(old: Tensor, new: Tensor, gate: Tensor) -> Tensor:
    r"""$(1 - g) \circ \mathrm{old} + g \circ \mathrm{new}$, keeping nothing for backward but the three; any dtypes."""
    dtype = torch.promote_types(torch.promote_types(old.dtype, new.dtype), gate.dtype)
    return torch.lerp(old.to(dtype), new.to(dtype), gate.to(dtype))


def side_by_side(*maps: Tensor) -> Tensor:
    """Concatenate feature maps by channel."""
    return torch.cat(maps, dim=1)
