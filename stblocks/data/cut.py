"""Where windows come from: cut out of series of frames, or made by a function."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .sequence import check_numbers
from .series import Series
from .stored_series import stored_series

#: Rows or columns, all of them.
ALL = slice(None)


class Window:
    """Consecutive frames of a series, which are read when it is said which part of them.

    Args:
        series: `(T, C, H, W)` or `(T, H, W)`.
        first: The first frame.
        frames: How many there are.
        name: For messages.
    """

    def __init__(self, series: Series, first: int, frames: int, name: str) -> None:
        self.series, self.first, self.frames, self.name = series, first, frames, name

    @property
    def size(self) -> tuple[int, int]:
        """`(H, W)`."""
        return self.series.shape[-2], self.series.shape[-1]

    def read(self, rows: slice = ALL, columns: slice = ALL, frame: int | None = None) -> Any:
        """Some rows and columns of all frames, or of one of them, whose axis is kept."""
        start, count = (self.first, self.frames) if frame is None else (self.first + frame, 1)
        times = slice(start, start + count)
        if rows == columns == ALL:  # a series need not know more than slices of frames
            return self.series[times]
        channels = (ALL,) * (len(self.series.shape) - 3)
        return self.series[(times, *channels, rows, columns)]  # type: ignore[index]


class Cut:
    """Windows cut out of series.

    Args:
        series: Series of frames, see `Window`.
        frames: Frames of a window.
        stride: Frames from the start of a window to that of the next.
        any_size: Whether series may differ in H and W.

    Raises:
        ValueError: If a series is none, is shorter than a window, or differs from others.
    """

    def __init__(self, series: list[Series], frames: int, stride: int, *, any_size: bool) -> None:
        if not series:
            raise ValueError("frames must hold at least one series, got an empty list.")
        self.series, self.frames, self.stride = [stored_series(one) for one in series], frames, stride
        shapes = [tuple(getattr(one, "shape", None) or ()) for one in series]
        self.frame_shape = frame_shape(shapes[0])
        compared = 1 if any_size else 3
        counts = []
        for number, shape in enumerate(shapes):
            if len(shape) not in (3, 4) or 0 in shape:
                raise ValueError(
                    f"Series {number} must be (T, C, H, W) or (T, H, W), got {type(series[number]).__name__} of shape "
                    f"{shape}; give an array of frames stacked along time, or a list of such arrays."
                )
            if (dtype := getattr(series[number], "dtype", None)) is not None:
                check_numbers(dtype)
            if frame_shape(shape)[:compared] != self.frame_shape[:compared]:
                raise ValueError(
                    f"Series {number} has frames of shape (C, H, W) = {frame_shape(shape)}, series 0 has "
                    f"{self.frame_shape}; pass size=(H, W) to resize them all, "
                    f"crop=(H, W) to cut parts out of them, or make one data set for each shape."
                )
            if shape[0] < frames:
                raise ValueError(
                    f"Series {number} has {shape[0]} frames, fewer than in_frames + out_frames = {frames}; "
                    f"leave it out, or take fewer frames."
                )
            counts.append((shape[0] - frames) // stride + 1)
        self.ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Window:
        number, first = self._place(index)
        name = f"Window {index} (series {number}, frames {first} to {first + self.frames - 1})"
        return Window(self.series[number], first, self.frames, name)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """`(H, W)` of each series, by its name in messages."""
        return {f"series {number}": one.shape[-2:] for number, one in enumerate(self.series)}

    def has_known_gaps(self) -> bool:
        """Whether a series in memory holds values that are not finite."""
        return any(has_gaps(series) for series in self.series)

    def _place(self, index: int) -> tuple[int, int]:
        """The number of a window's series, and its first frame there."""
        number = int(np.searchsorted(self.ends, index, side="right"))
        before = int(self.ends[number - 1]) if number else 0
        return number, (index - before) * self.stride


class Made:
    """Windows made by a function.

    Args:
        make: Index to `(frames, C, H, W)` or `(frames, H, W)`.
        length: How many it makes.

    Raises:
        ValueError: If the first one has another number of axes.
    """

    def __init__(self, make: Callable[[int], Any], length: int) -> None:
        self.make, self.length = make, length
        shape = np.shape(make(0))
        if len(shape) not in (3, 4):
            raise ValueError(
                f"Window 0 must be (in_frames + out_frames, C, H, W) or (in_frames + out_frames, H, W), "
                f"got shape {shape}; let the function stack its frames along time."
            )
        self.frame_shape = frame_shape(shape)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Window:
        made = self.make(index)
        made = made if hasattr(made, "shape") else np.asarray(made)
        return Window(made, 0, len(made), f"Window {index}")

    def sizes(self) -> dict[str, tuple[int, int]]:
        """That of the first window."""
        return {"window 0": (self.frame_shape[1], self.frame_shape[2])}

    def has_known_gaps(self) -> bool:
        """Nobody knows."""
        return False


def frame_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`(C, H, W)`."""
    return (1, *shape[1:]) if len(shape) == 3 else tuple(shape[1:])


def has_gaps(series: Series) -> bool:
    """Does it hold NaN or infinities? Looks only at what is in memory."""
    if isinstance(series, np.memmap):
        return False
    if np.ma.is_masked(series):
        return True
    if isinstance(series, np.ndarray) and series.dtype.kind == "f":
        return not np.isfinite([series.min(), series.max()]).all()  # both are NaN if anything is
    if isinstance(series, Tensor) and series.is_floating_point():
        return not torch.stack(series.aminmax()).isfinite().all()
    return False
