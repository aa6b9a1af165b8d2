"""Windows of frames as samples: the data set for anyone's arrays, and the base of all the others."""

import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from .scaler import Scaler
from .sequence import Sequence, check_numbers, to_tensor
from .series import Series
from .stored_series import stored_series


class SequenceWindows(Dataset[Sequence]):
    """Every window of `in_frames + out_frames` consecutive frames, read when it is asked for.

    Args:
        frames: Physical values, as one series, `(T, C, H, W)` or `(T, H, W)`: an array, memmap, tensor, or whatever has
            `.shape` and can be sliced (zarr, HDF5); or a list of such series, and no window reaches from one into
            another; or a function that makes window `i` of `length`, `(in_frames + out_frames, C, H, W)`.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        stride: Frames from the start of a window to that of the next.
        length: Number of windows that the function makes; only for a function.
        size: `(H, W)` to resize frames to, bilinear with half-pixel centres and no antialiasing; `None` leaves them.
        scaler: From physical to model units.
        out_channels: Channels to forecast: `future` has the first so many of `past`; `None` stands for all.
        missing: `"error"` refuses windows with NaN, at once if the series is in memory, else when they are read.
            `"mask"` takes NaN for missing cells: in `past` they become 0 (the scaler's offset, in physical units), in
            `future` they stay NaN. Masked entries of masked arrays count as NaN.

    Attributes:
        frame_shape: `(C, H, W)` of the frames seen.
        out_channels: Channels of the frames to forecast.

    Raises:
        ValueError: If an argument is not as said here, a series is shorter than one window, frames differ in shape, or
            values are not finite.
    """

    def __init__(
        self,
        frames: Series | list[Any] | tuple[Any, ...] | Callable[[int], Any],
        in_frames: int,
        out_frames: int,
        *,
        stride: int = 1,
        length: int | None = None,
        size: tuple[int, int] | None = None,
        scaler: Scaler = Scaler(),  # noqa: B008  (frozen)
        out_channels: int | None = None,
        missing: Literal["error", "mask"] = "error",
    ) -> None:
        check_at_least_one(in_frames=in_frames, out_frames=out_frames, stride=stride)
        if size is not None:
            check_size(size)
        if missing not in ("error", "mask"):
            raise ValueError(f"missing must be 'error' or 'mask', got {missing!r}.")
        self.in_frames, self.out_frames = in_frames, out_frames
        self.size, self.scaler, self.missing = size, scaler, missing
        self._windows: _Made | _Cut
        if callable(frames):
            if length is None or stride != 1:
                raise ValueError(
                    f"A function of frames makes one window for each index: it needs length=, and no stride; "
                    f"got length={length}, stride={stride}."
                )
            check_at_least_one(length=length)
            self._windows = _Made(frames, length)
        else:
            if length is not None:
                raise ValueError(f"length is for a function of frames, got length={length}; cut the series instead.")
            series = list(frames) if isinstance(frames, list | tuple) else [frames]
            self._windows = _Cut(series, in_frames + out_frames, stride, any_size=size is not None)
        _warn_of_channels_last(self._windows.frame_shape)
        self.frame_shape = self._windows.frame_shape if size is None else (self._windows.frame_shape[0], *size)
        channels = self.frame_shape[0]
        self.out_channels = channels if out_channels is None else out_channels
        if not 1 <= self.out_channels <= channels:
            raise ValueError(
                f"out_channels must be from 1 to {channels}, the channels of the frames, got {out_channels}; "
                f"None forecasts all."
            )
        if missing == "error" and self._windows.has_known_gaps():
            for index in range(len(self)):
                self[index]  # the window with the gap says so
        if callable(frames):
            self[0]  # a function that makes something else is found out now

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Sequence:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index must be below {len(self)}, the number of windows, got {index}.")
        index %= len(self)
        frames = self.scaler.to_model(to_tensor(self._windows[index])).to(torch.float32)
        self._check_values(frames, index)
        if self.size is not None and frames.ndim == 4 and frames.shape[2:] != self.size:
            frames = interpolate(frames, size=self.size, mode="bilinear", align_corners=False)
        shape = (self.in_frames + self.out_frames, *self.frame_shape)
        if frames.shape != shape:
            raise ValueError(
                f"{self._windows.name(index)} must be (in_frames + out_frames, C, H, W) = {shape} as the data set is, "
                f"got {tuple(frames.shape)}; make all windows of one shape."
            )
        past, future = frames.split([self.in_frames, self.out_frames])
        return Sequence(past.nan_to_num(nan=0.0), future[:, : self.out_channels])

    def _check_values(self, frames: Tensor, index: int) -> None:
        broken = frames.isinf() if self.missing == "mask" else ~frames.isfinite()
        if broken.any():
            way_out = (
                "replace infinities with NaN, which marks missing cells"
                if self.missing == "mask"
                else "fill them, or pass missing='mask' to leave NaN out of the loss and the scores"
            )
            raise ValueError(
                f"{self._windows.name(index)} has {int(broken.sum())} values that are NaN or infinite; {way_out}."
            )


class _Cut:
    """Windows cut out of series."""

    def __init__(self, series: list[Series], frames: int, stride: int, *, any_size: bool) -> None:
        if not series:
            raise ValueError("frames must hold at least one series, got an empty list.")
        self.series, self.frames, self.stride = [stored_series(one) for one in series], frames, stride
        shapes = [tuple(getattr(one, "shape", None) or ()) for one in series]
        self.frame_shape = _frame_shape(shapes[0])
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
            if _frame_shape(shape)[:compared] != self.frame_shape[:compared]:
                raise ValueError(
                    f"Series {number} has frames of shape (C, H, W) = {_frame_shape(shape)}, series 0 has "
                    f"{self.frame_shape}; pass size=(H, W) to resize them all, or make one data set for each shape."
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

    def __getitem__(self, index: int) -> Any:
        number, first = self._place(index)
        return self.series[number][first : first + self.frames]

    def name(self, index: int) -> str:
        number, first = self._place(index)
        return f"Window {index} (series {number}, frames {first} to {first + self.frames - 1})"

    def has_known_gaps(self) -> bool:
        return any(_has_gaps(series) for series in self.series)

    def _place(self, index: int) -> tuple[int, int]:
        """The number of a window's series, and its first frame there."""
        number = int(np.searchsorted(self.ends, index, side="right"))
        before = int(self.ends[number - 1]) if number else 0
        return number, (index - before) * self.stride


class _Made:
    """Windows made by a function."""

    def __init__(self, make: Callable[[int], Any], length: int) -> None:
        self.make, self.length = make, length
        shape = np.shape(make(0))
        if len(shape) not in (3, 4):
            raise ValueError(
                f"{self.name(0)} must be (in_frames + out_frames, C, H, W) or (in_frames + out_frames, H, W), "
                f"got shape {shape}; let the function stack its frames along time."
            )
        self.frame_shape = _frame_shape(shape)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return self.make(index)

    def name(self, index: int) -> str:
        return f"Window {index}"

    def has_known_gaps(self) -> bool:
        return False


def check_size(size: tuple[int, int]) -> None:
    """Raise a `ValueError` unless a size is `(H, W)`."""
    if not (isinstance(size, tuple | list) and len(size) == 2):
        raise ValueError(f"size must be (H, W), got {size!r}.")
    check_at_least_one(height=size[0], width=size[1])


def check_at_least_one(**counts: int) -> None:
    """Raise a `ValueError` that names the first count below 1."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}.")


def _frame_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`(C, H, W)`."""
    return (1, *shape[1:]) if len(shape) == 3 else tuple(shape[1:])


def _warn_of_channels_last(frame_shape: tuple[int, ...]) -> None:
    """Images of 64 x 64 in colour are `(3, 64, 64)` here; `(64, 64, 3)` would be 64 channels of 64 x 3 pixels."""
    channels, height, width = frame_shape
    if width <= 4 and min(channels, height) >= 16:
        warnings.warn(
            f"Frames of shape (C, H, W) = {frame_shape} look like channels-last images, (H, W, C); if they are, move "
            f"the channels: np.moveaxis(frames, -1, -3).",
            stacklevel=3,
        )


def _has_gaps(series: Series) -> bool:
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
