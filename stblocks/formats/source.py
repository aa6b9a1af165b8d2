"""Source: frames in a file, in physical units, with what the file says of their times and places."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..data import Scaler
from ..data.series import Coded, Series, Span
from ..data.times import holes

#: The axes of maps, by the names of their coordinates in `.npz` files.
PLACES = ("lat", "lon")


@dataclass(frozen=True)
class Choice:
    """What of a file is meant, and what its numbers are.

    Args:
        scaler: From physical to model units: what pixel codes stand for.
        channels: Of the frames that are wanted; `None` for any.
        names: Of the channels, to look for in the file.
        key: The array of an `.npz` file; `None` takes the only one that can be frames.
        sequence: Which of the sequences an array holds, `(N, T, H, W)` or `(N, T, C, H, W)`; `"all"` of them; `None`
            where it holds one, `(T, H, W)` or `(T, C, H, W)`.
        values: Are the integers of an array `"codes"`, whose whole range is the model's [0, 1], or `"physical"` values?
        variables: Of a NetCDF or zarr file.
        axes: Names of its axes "time", "lat" and "lon", where they are not known by themselves.
    """

    scaler: Scaler = Scaler()  # noqa: RUF009  (frozen)
    channels: int | None = None
    names: tuple[str, ...] = ()
    key: str | None = None
    sequence: int | Literal["all"] | None = None
    values: Literal["codes", "physical"] | None = None
    variables: tuple[str, ...] | None = None
    axes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Source:
    """Frames of one sequence.

    Args:
        series: `(T, C, H, W)` or `(T, H, W)` in physical units, read when it is sliced.
        time: `(T,)`, dates of NumPy or cftime; `None` if unknown.
        places: Axis to coordinates, of those known: `{"lat": (H,), "lon": (W,)}`.
        arrays: Of a grid, one of xarray for each variable: what else the file says of it.
    """

    series: Series
    time: np.ndarray | None = None
    places: Mapping[str, np.ndarray] = field(default_factory=dict)
    arrays: tuple[Any, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, C, H, W)`."""
        shape = tuple(self.series.shape)
        return (shape[0], 1, *shape[1:]) if len(shape) == 3 else shape

    def parts(self) -> "list[Source]":
        """What lies between holes in time, in order; the whole where there are none, or times are unknown."""
        if self.time is None or not (after := holes(self.time).tolist()):
            return [self]
        spans = pairwise([0, *after, len(self.time)])
        return [replace(self, series=Span(self.series, *span), time=self.time[slice(*span)]) for span in spans]


def decoded(path: Path, values: Any, choice: Choice) -> Series:
    """Numbers of an array as a series in physical units.

    Raises:
        ValueError: If they are integers that may be codes or physical values, which are not the same here.
    """
    dtype = np.dtype(values.dtype).newbyteorder("=")
    if choice.values == "codes":
        if dtype not in (np.uint8, np.uint16):
            raise ValueError(f"values can be 'codes' in arrays of uint8 and uint16, got {dtype} in {path}.")
        return Coded(values, choice.scaler)
    if choice.values is None and dtype in (np.uint8, np.uint16):
        most = np.iinfo(dtype).max
        if (choice.scaler.offset, choice.scaler.scale) != (0, most):  # then both readings are one
            raise ValueError(
                f"{path} holds {dtype} numbers, which may be codes of 0 to {most} for the model's 0 to 1, or physical "
                f"values{_of(choice.scaler)}; say which: --values codes or --values physical."
            )
    return values


def _of(scaler: Scaler) -> str:
    return f" in {scaler.unit}" if isinstance(scaler.unit, str) and scaler.unit else ""
