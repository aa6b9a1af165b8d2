"""Series of frames: what windows are cut from."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .scaler import Scaler
from .stored_series import stored_series


class Series(Protocol):
    """Frames in the order of time: an array, memmap, tensor, zarr or HDF5 array, or whatever else has these."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, C, H, W)`, or `(T, H, W)` for one channel."""
        ...

    def __getitem__(self, frames: slice, /) -> Any:
        """Some of the frames."""
        ...


#: What a series of ours is asked for: frames, or rows and columns of these: `series[frames, :, rows, columns]`.
Part = slice | tuple[slice, ...]


def place_of(part: Part) -> tuple[slice, tuple[Any, ...]]:
    """The frames that are asked for, and which rows and columns of them; none where it is the whole."""
    return (part[0], part[-2:]) if isinstance(part, tuple) else (part, ())


class Coded:
    """A series of pixel codes, read as physical values.

    Args:
        codes: A series of 8- or 16-bit codes.
        scaler: Says what they stand for, see `decode`.
    """

    def __init__(self, codes: Series, scaler: Scaler) -> None:
        self.codes, self.scaler = stored_series(codes), scaler

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the codes."""
        return self.codes.shape

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        codes = self.codes[frames]
        if codes.ndim == 3:  # scalers look for channels before rows and columns
            return decode(codes[:, None], self.scaler)[:, 0]
        return decode(codes, self.scaler)


@dataclass(frozen=True)
class CentreCrop:
    """A series, cut to an aspect ratio around its centre.

    Args:
        series: `(T, C, H, W)`.
        size: `(H, W)` of that aspect ratio.
    """

    series: Series
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, C, H, W)` after cutting."""
        rows, columns = self._parts()
        return (*self.series.shape[:2], rows.stop - rows.start, columns.stop - columns.start)

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        return self.series[frames][..., *self._parts()]

    def _parts(self) -> tuple[slice, slice]:
        height, width = self.series.shape[2:]
        kept = min(height, max(1, round(width * self.size[0] / self.size[1])))
        across = min(width, max(1, round(height * self.size[1] / self.size[0])))
        top, left = (height - kept) // 2, (width - across) // 2
        return slice(top, top + kept), slice(left, left + across)


@dataclass(frozen=True)
class Span:
    """The frames `first` to `last - 1` of a series."""

    series: Series
    first: int
    last: int

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, C, H, W)` or `(T, H, W)`."""
        return (self.last - self.first, *self.series.shape[1:])

    def __getitem__(self, frames: slice, /) -> Any:
        first, last, step = frames.indices(self.last - self.first)
        return self.series[self.first + first : self.first + last : step]


@dataclass(frozen=True)
class EveryNth:
    """Every so many frames of a series."""

    series: Series
    step: int

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, C, H, W)`."""
        return (-(-self.series.shape[0] // self.step), *self.series.shape[1:])

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        first, last, step = frames.indices(self.shape[0])
        return self.series[first * self.step : last * self.step : step * self.step]


def long_enough(recordings: list[Any], frames: int, kind: str) -> list[Any]:
    """Those of some series, clips or videos, that have so many frames.

    Raises:
        ValueError: If none has.
    """
    long = [one for one in recordings if one.shape[0] >= frames]
    if not long:
        longest = max((one.shape[0] for one in recordings), default=0)
        raise ValueError(f"All {kind} are shorter than {frames} frames, at most {longest}; take fewer frames.")
    return long


def decode(frames: np.ndarray, scaler: Scaler) -> np.ndarray:
    """Physical values: 8- and 16-bit codes span the model's [0, 1] with their whole range, floats are physical already.

    Args:
        frames: `(..., C, H, W)`.
        scaler: Says what codes stand for.

    Raises:
        ValueError: If the type is another.
    """
    if frames.dtype.kind == "f":
        return frames
    if frames.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise ValueError(
            f"Frames must be uint8 or uint16 codes, or floats in physical units, got {frames.dtype}; convert them."
        )
    return scaler.to_physical(frames.astype(np.float32) / np.iinfo(frames.dtype).max)
