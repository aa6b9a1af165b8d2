"""What stands in for missing cells of past frames."""

from typing import Literal, get_args

import torch
from torch import Tensor

#: Ways to fill: with 0 in model units, or with the cell's last known value.
Fill = Literal["zero", "last"]
FILLS: tuple[Fill, ...] = get_args(Fill)


def fill_past(past: Tensor, fill: Fill) -> Tensor:
    """Past frames in model units, without NaN; of the shape that they have, see `fill_missing`."""
    return fill_missing(past)[0] if fill == "last" else past.masked_fill(past.isnan(), 0.0)


def fill_missing(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Frames without NaN, and which cells were known.

    A missing cell gets its own last known value; before the first one, the mean of all known cells of its channel;
    where a channel has none, 0.

    Args:
        frames: `(T, C, H, W)`, or `(B, T, C, H, W)`, NaN where missing.

    Returns:
        Frames of the same shape, and booleans, True where the cell was known.

    Raises:
        ValueError: If the shape is another.
    """
    if frames.ndim not in (4, 5):
        raise ValueError(f"frames must be (T, C, H, W) or (B, T, C, H, W), got {tuple(frames.shape)}.")
    known = ~frames.isnan()
    filled, count = frames.masked_fill(~known, 0), known.sum(dim=(-4, -2, -1), keepdim=True)
    mean = filled.sum(dim=(-4, -2, -1), keepdim=True) / count.clamp_min(1)
    last, result = mean.squeeze(-4), []
    for frame, there in zip(filled.unbind(-4), known.unbind(-4), strict=True):
        last = torch.where(there, frame, last)
        result.append(last)
    return torch.stack(result, dim=-4), known
