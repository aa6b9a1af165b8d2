"""Weather on a grid, in NetCDF, zarr or `.npz` files: only the maps asked for are read."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..borders.reading import reading
from .numpy_files import npz_names, open_npz
from .times import check_ascending, to_seconds
from .weather_arrays import (
    KIND,
    WAY_OUT,
    arrange,
    by_level,
    check_axes,
    first_time,
    in_degrees,
    no_levels,
    one_unit,
    open_arrays,
    read_axes,
    turned,
)

#: Names of variables, with their levels where they have some.
Variables = str | Sequence[str] | Mapping[str, Sequence[float] | None]

UNITS = {"t2m": "K"}  # for files that do not say


class Joined:
    """The maps of one channel, from files that follow one another in time.

    Args:
        parts: Arrays `(T, H, W)`, of NumPy or xarray.
        files: The file of each.
    """

    def __init__(self, parts: Sequence[Any], files: Sequence[Path]) -> None:
        self.parts, self.files, self.ends = parts, files, np.cumsum([len(part) for part in parts])

    def read(self, frames: np.ndarray, *place: slice) -> np.ndarray:
        """Those of some frames, given in ascending order, of all rows and columns or of some: `(n, H, W)`."""
        maps = []
        for part, file, end in zip(self.parts, self.files, self.ends, strict=True):
            inside = frames[(frames >= end - len(part)) & (frames < end)] - (end - len(part))
            if inside.size:
                in_memory = isinstance(part, np.ndarray)
                with nullcontext() if in_memory else reading(file, KIND, WAY_OUT):
                    maps.append(np.asarray(part[(_as_slice(inside), *place)]))
        return np.concatenate(maps)


@dataclass(frozen=True)
class Grid:
    """Maps of some variables over one grid and time."""

    channels: Sequence[Joined]
    units: tuple[str, ...]
    time: np.ndarray  #: `(T,)` in seconds, ascending
    lat: np.ndarray  #: `(H,)` in degrees
    lon: np.ndarray  #: `(W,)` in degrees
    splits: Mapping[str, np.ndarray] = field(default_factory=dict)  #: indices of frames, where the file has them
    days_a_year: int | None = None  #: in calendars where every year has as many; then `time` counts from the year 1970
    degrees: bool = True  #: are lat and lon these, or places on a projected map?

    def read(self, frames: np.ndarray, *place: slice) -> np.ndarray:
        """The maps of some frames, given in ascending order, of all rows and columns or of some: `(n, C, H, W)`."""
        return np.stack([channel.read(frames, *place) for channel in self.channels], axis=1)

    @property
    def years(self) -> np.ndarray:
        """The year of each frame, `(T,)`."""
        if self.days_a_year is None:
            return self.time.astype("M8[Y]").astype(int) + 1970
        return self.time.astype("M8[D]").astype(int) // self.days_a_year + 1970


def open_grid(path: Path, variables: Variables, named: Mapping[str, str] | None = None) -> Grid:
    """The variables, and levels, in the order they are asked for.

    Args:
        path: A file, or a folder of NetCDF files.
        variables: What to read.
        named: Names of the axes "time", "lat" and "lon", where they are not known by themselves.

    Raises:
        ValueError: If a file, variable or level is not there, or files do not fit together.
    """
    if not path.exists():
        raise ValueError(f"There is no {path}; name a .nc, .zarr or .npz file, or a folder of .nc files.")
    names = [variables] if isinstance(variables, str) else list(variables)
    levels = variables if isinstance(variables, Mapping) else dict.fromkeys(names)
    if not names:
        raise ValueError("variables must name at least one, got none.")
    if path.suffix == ".npz":
        return _open_npz(path, levels)
    files = sorted(path.rglob("*.nc")) if path.is_dir() and path.suffix != ".zarr" else [path]
    if not files:
        raise ValueError(f"{path} holds no .nc files; name a folder that does.")
    sets = {file: open_arrays(file) for file in files}
    channels, units, like = [], [], None
    axes: list[tuple[Any, ...]] = []
    for name in names:
        held = {file: arrange(each[name], file, named or {}) for file, each in sets.items() if name in each}
        if not held:
            known = sorted({str(variable) for each in sets.values() for variable in each})
            raise ValueError(f"{path} has no variable '{name}', only {', '.join(known)}; pass variables=.")
        ordered = sorted(held, key=lambda file: first_time(held[file]))
        like = held[ordered[0]] if like is None else like
        arrays = [turned(held[file], like) for file in ordered]
        axes.append(read_axes(arrays, ordered, name))
        unit = one_unit(arrays, name, UNITS.get(name, ""))
        for parts in by_level(arrays, ordered, name, levels[name]):
            channels.append(Joined(parts, ordered))
            units.append(unit)
    for name, other in zip(names, axes, strict=True):
        if not all(map(np.array_equal, axes[0], other)):
            raise ValueError(f"'{name}' and '{names[0]}' differ in time, lat or lon; make a data set for each.")
    time, days, lat, lon = axes[0]
    return Grid(channels, tuple(units), time, lat, lon, days_a_year=days, degrees=in_degrees(like))


def _open_npz(path: Path, levels: Mapping[str, Sequence[float] | None]) -> Grid:
    held, names = npz_names(path), list(levels)
    if missing := [name for name in (*names, "time", "lat", "lon") if name not in held]:
        raise ValueError(f"{path} has no variable '{missing[0]}', only {', '.join(held)}; pass variables=.")
    stored = open_npz(path, dict.fromkeys([*names, "time", "lat", "lon", *(n for n in held if n.endswith("_index"))]))
    for name, array in stored.items():
        kinds = "M" if name == "time" else "iu" if name.endswith("_index") else "iuf"
        if name not in names and (array.ndim != 1 or not array.size or array.dtype.kind not in kinds):
            what = {"M": "times", "iu": "integers", "iuf": "numbers"}[kinds]
            raise ValueError(f"{name} of {path} must be a list of {what}, got {array.dtype} {array.shape}.")
    axes = [stored[name].shape[0] for name in ("time", "lat", "lon")]
    for name in names:
        if (asked := levels[name]) is not None:
            raise ValueError(no_levels(name, asked))
        if stored[name].shape != tuple(axes) or stored[name].dtype.kind not in "iuf":
            raise ValueError(
                f"'{name}' of {path} must be numbers on (time, lat, lon) = {tuple(axes)}, "
                f"got {stored[name].dtype} {stored[name].shape}."
            )
    time, lat, lon = (stored[name].read() for name in ("time", "lat", "lon"))
    time = to_seconds(time)
    check_axes(time, lat, lon, f"{path}")
    check_ascending(time, f"{path}")
    splits = {key.removesuffix("_index"): stored[key].read().astype(int) for key in stored if key.endswith("_index")}
    units = tuple(UNITS.get(name, "") for name in names)
    return Grid([Joined([stored[name].read()], [path]) for name in names], units, time, lat, lon, splits)


def _as_slice(frames: np.ndarray) -> slice | np.ndarray:
    """Evenly spaced frames as a slice, which files read at once."""
    steps = np.unique(np.diff(frames))
    if steps.size > 1:
        return frames
    return slice(int(frames[0]), int(frames[-1]) + 1, int(steps[0]) if steps.size else 1)
