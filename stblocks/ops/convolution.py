"""Convolutions that take less than they look: of a map and a constant, and sums of kernels of several sizes."""

from torch import Tensor, cat
from torch.nn import functional


def conv2d_with_constant(maps: Tensor, constant: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The 3x3 convolution of `[maps, constant]` that keeps H and W, without convolving a constant at every position.

    Where a 3x3 kernel sees a constant, its result differs only between the first, a middle and the last row and
    column, so that a map of 3x3 has all values there are.

    Args:
        maps: `(B, C, H, W)`, any `H` and `W`.
        constant: `(B, C, 1, 1)`: a map with one value for all positions.
        weight: `(C', 2 C, 3, 3)`.
        bias: `(C',)`.

    Returns:
        `(B, C', H, W)`.
    """
    for_maps, for_constant = weight.chunk(2, dim=1)
    few = [min(side, 3) for side in maps.shape[2:]]
    result = functional.conv2d(constant.expand(-1, -1, *few), for_constant, padding=1)
    for dim, side in enumerate(maps.shape[2:], start=2):
        if side > 3:
            first, middle, last = result.split(1, dim)
            shape = [side - 2 if axis == dim else -1 for axis in range(4)]
            result = cat([first, middle.expand(shape), last], dim)
    return functional.conv2d(maps, for_maps, bias, padding=1) + result


def sum_of_kernels(*weights: Tensor) -> Tensor:
    """The kernel whose convolution is the sum of those of several kernels, each of which keeps H and W.

    Args:
        weights: `(C', C, k, k)`, k odd, smallest first.

    Returns:
        `(C', C, k, k)` with the largest k.
    """
    total, *larger = weights
    for weight in larger:
        total = weight + functional.pad(total, [(weight.shape[-1] - total.shape[-1]) // 2] * 4)
    return total
