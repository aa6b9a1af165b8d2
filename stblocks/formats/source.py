"""Source: frames in a file, in physical units, with what the file says of their times and places."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..borders.checks import did_you_mean
from ..data import Scaler
from ..data.series import Coded, Series

GRIDS = (".nc", ".nc4", ".zarr")

#: Options of `open_sources` that choose within a file, and the endings of files that they are for.
CHOICES: dict[str, tuple[str, ...]] = {
    "key": (".npz",),
    "sequence": (".npy", ".npz"),
    "values": (".npy", ".npz"),
    "variables": GRIDS,
    "axes": GRIDS,
}


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


def open_sources(path: str | Path, choice: Choice) -> list[Source]:
    """The sequences of a file, which are one unless `choice.sequence` is `"all"`.

    Args:
        path: An `.npy`, `.npz`, `.nc` or `.gif` file, a `.zarr` store, or a folder of images or `.npy` frames.
        choice: What of it is meant.

    Raises:
        ValueError: If the file is none of these or damaged, an option is for others, or frames do not have the channels
            that are wanted.
        ImportError: If the package that reads it is not installed.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if not path.exists():
        raise ValueError(f"There is no {path}; name a file or folder of frames.")
    for name, endings in CHOICES.items():
        if getattr(choice, name) is not None and ending not in endings:
            raise ValueError(f"{name} is for {' and '.join(endings)} files, got {path}; leave it out.")
    if ending in GRIDS:
        from .grids import open_grid

        sources = [open_grid(path, choice)]
    elif path.is_dir():
        from .images import open_folder

        sources = [open_folder(path, choice)]
    elif ending == ".gif":
        from .images import open_gif

        sources = [open_gif(path, choice)]
    elif ending in (".npy", ".npz"):
        from .arrays import open_arrays

        sources = open_arrays(path, choice)
    else:
        known = (".npy", ".npz", ".gif", *GRIDS)
        raise ValueError(
            f"{path} must be a folder of images or end in {', '.join(known)}; {did_you_mean(ending, known)}"
        )
    for source in sources:
        _check_channels(path, source, choice)
    return sources


def decoded(path: Path, values: Any, choice: Choice) -> Series:
    """Numbers of an array as a series in physical units.

    Raises:
        ValueError: If they are integers that may be codes or physical values, which are not the same here.
    """
    dtype = np.dtype(values.dtype)
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


def _check_channels(path: Path, source: Source, choice: Choice) -> None:
    channels = source.shape[1]
    if choice.channels in (None, channels):
        return
    hint = "name as many of its variables" if source.arrays else "bring the frames to the channels of the training data"
    if path.suffix in (".npy", ".npz") and choice.sequence is None:
        hint = f"if it holds sequences (N, T, H, W), choose one, as by --sequence 0; else {hint}"
    own = f"{channels} channel" if channels == 1 else f"{channels} channels"
    raise ValueError(f"{path} has frames of {own}, but the model takes {choice.channels}; {hint}.")
