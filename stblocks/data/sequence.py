"""The one sample type of all data sets, and frames as tensors."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset


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


def check_countable(name: str, data: object) -> None:
    """Raise a `ValueError` unless sequences can be counted and had by their numbers, which scores and runs go by."""
    stream = isinstance(data, IterableDataset)  # torch gives it a `__getitem__`, too
    if stream or not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        way_out = f"pass its data set, {name}.dataset" if isinstance(data, DataLoader) else "make it a map-style one"
        raise ValueError(
            f"{name} must be a data set with len({name}) and {name}[i], got {type(data).__name__}; {way_out}."
        )


def to_tensor(frames: Any) -> Tensor:
    """`(T, C, H, W)`, of `(T, C, H, W)` or `(T, H, W)`; masked entries become NaN.

    In float32, or in float64 if float32 does not hold all values of the type: scalers come first, float32 after them.

    Raises:
        ValueError: If the entries are not real numbers.
    """
    if isinstance(frames, Tensor):
        check_numbers(frames.dtype)
        wide = frames.dtype in (torch.float64, torch.int32, torch.int64)
        tensor = frames.to(torch.float64 if wide else torch.float32)
    else:
        array = np.asanyarray(frames)
        check_numbers(array.dtype)
        dtype = np.float32 if np.can_cast(array.dtype, np.float32) else np.float64
        if np.ma.isMaskedArray(array):
            array = np.ma.filled(array.astype(dtype), np.nan)
        tensor = torch.from_numpy(np.array(array, dtype=dtype, order="C"))
    return tensor.unsqueeze(1) if tensor.ndim == 3 else tensor


def check_numbers(dtype: Any) -> None:
    """Raise a `ValueError` unless a dtype of NumPy or torch is one of real numbers."""
    real = not dtype.is_complex if isinstance(dtype, torch.dtype) else np.dtype(dtype).kind in "biuf"
    if not real:
        raise ValueError(
            f"frames must be real numbers, got {dtype}; convert them, such as complex ones to two channels, real and "
            f"imaginary part."
        )
