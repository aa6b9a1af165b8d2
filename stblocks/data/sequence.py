"""The one sample type of all data sets, and frames as tensors."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Sequence(NamedTuple):
    """One sample: frames seen and frames to forecast, float32, in model units.

    torch's default collation keeps the type and puts a batch axis in front.

    Attributes:
        past: `(in_frames, C, H, W)`, finite.
        future: `(out_frames, C_out, H, W)`: the first `C_out` channels of `past`, which are all of them unless the data
            set says otherwise (`out_channels`). NaN marks missing cells, in data sets told to let them through.
    """

    past: Tensor
    future: Tensor


def to_tensor(frames: Any) -> Tensor:
    """`(T, C, H, W)` in float32, of `(T, C, H, W)` or `(T, H, W)`; masked entries become NaN."""
    if np.ma.isMaskedArray(frames):
        frames = np.ma.filled(frames.astype(np.float32), np.nan)
    if not isinstance(frames, Tensor):
        frames = torch.from_numpy(np.array(frames, dtype=np.float32, order="C"))
    return (frames.unsqueeze(1) if frames.ndim == 3 else frames).to(torch.float32)
