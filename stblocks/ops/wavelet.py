"""The Haar wavelet transform of any axes, and back."""

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional


def haar(x: Tensor, axes: Sequence[int]) -> list[Tensor]:
    r"""One level of the Haar transform: what neighbours share along each axis, and what they differ in.

    $$L_i = (x_{2i} + x_{2i + 1}) / \sqrt 2 \qquad H_i = (x_{2i} - x_{2i + 1}) / \sqrt 2$$

    along one axis after the other; an odd length gets one zero at its end.

    Args:
        x: Of any shape.
        axes: Which axes are transformed.

    Returns:
        $2^n$ bands for n axes, with half the length in each: for `axes` (2, 3) those called LL, LH, HL, HH, a letter
        for each axis in the order given.
    """
    bands = [x]
    for axis in axes:
        bands = [half for band in bands for half in _halves(band, axis % x.ndim)]
    return bands


def inverse_haar(bands: Sequence[Tensor], axes: Sequence[int]) -> Tensor:
    """What `haar` made these bands of.

    Args:
        bands: As `haar` returns them, all of one shape.
        axes: The same as there.

    Returns:
        The map, with twice the length in each axis.

    Raises:
        ValueError: If there are not $2^n$ bands for n axes.
    """
    if len(bands) != 2 ** len(axes):
        raise ValueError(f"bands must be {2 ** len(axes)} for {len(axes)} axes, got {len(bands)}.")
    bands = list(bands)
    for axis in reversed(axes):
        bands = [_whole(low, high, axis % low.ndim) for low, high in zip(bands[::2], bands[1::2], strict=True)]
    return bands[0]


def _halves(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    if x.shape[axis] % 2:
        x = functional.pad(x, [0, 0] * (x.ndim - 1 - axis) + [0, 1])
    first, second = x.unflatten(axis, (-1, 2)).unbind(axis + 1)
    return (first + second) / sqrt(2), (first - second) / sqrt(2)


def _whole(low: Tensor, high: Tensor, axis: int) -> Tensor:
    pairs = torch.stack([low + high, low - high], dim=axis + 1) / sqrt(2)
    return pairs.flatten(axis, axis + 1)
