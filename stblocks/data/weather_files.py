"""Weather on a grid, in NetCDF, zarr or `.npz` files: only the maps asked for are read."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..files import reading
from .hdf5_files import import_h5py, open_hdf5
from .numpy_files import npz_names, open_npz
from .times import check_ascending, to_seconds
from .zarr_files import check_zarr

#: Names of variables, with their levels where they have some.
Variables = str | Sequence[str] | Mapping[str, Sequence[float] | None]

UNITS = {"t2m": "K"}  # for files that do not say
KIND = "NetCDF or zarr"
WAY_OUT = "fetch it again, or pip install 'stblocks[data]'"


class Joined:
    """The maps of one channel, from files that follow one another in time.

    Args:
        parts: Arrays `(T, H, W)`, of NumPy or xarray.
        files: The file of each.
    """

    def __init__(self, parts: Sequence[Any], files: Sequence[Path]) -> None:
        self.parts, self.files, self.ends = parts, files, np.cumsum([len(part) for part in parts])

    def read(self, frames: np.ndarray) -> np.ndarray:
        """Those of some frames, given in ascending order: `(n, H, W)`."""
        maps = []
        for part, file, end in zip(self.parts, self.files, self.ends, strict=True):
            inside = frames[(frames >= end - len(part)) & (frames < end)] - (end - len(part))
            if inside.size:
                in_memory = isinstance(part, np.ndarray)
                with nullcontext() if in_memory else reading(file, KIND, WAY_OUT):
                    maps.append(np.asarray(part[_as_slice(inside)]))
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

    def read(self, frames: np.ndarray) -> np.ndarray:
        """The maps of some frames, given in ascending order: `(n, C, H, W)`."""
        return np.stack([channel.read(frames) for channel in self.channels], axis=1)


def open_grid(path: Path, variables: Variables) -> Grid:
    """The variables, and levels, in the order they are asked for.

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
    sets = {file: _open(file) for file in files}
    channels, units, axes = [], [], []
    for name in names:
        held = {file: _arrange(each[name], file) for file, each in sets.items() if name in each}
        if not held:
            known = sorted({str(variable) for each in sets.values() for variable in each})
            raise ValueError(f"{path} has no variable '{name}', only {', '.join(known)}; pass variables=.")
        ordered = sorted(held, key=lambda file: held[file][held[file].dims[0]].values[0])
        arrays = [held[file] for file in ordered]
        axes.append(_axes(arrays, ordered, name))
        for parts in _by_level(arrays, name, levels[name]):
            channels.append(Joined(parts, ordered))
            units.append(str(arrays[0].attrs.get("units", UNITS.get(name, ""))))
    for name, other in zip(names, axes, strict=True):
        if not all(map(np.array_equal, axes[0], other)):
            raise ValueError(f"'{name}' and '{names[0]}' differ in time, lat or lon; make a data set for each.")
    return Grid(channels, tuple(units), *axes[0])


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
            raise ValueError(_no_levels(name, asked))
        if stored[name].shape != tuple(axes) or stored[name].dtype.kind not in "iuf":
            raise ValueError(
                f"'{name}' of {path} must be numbers on (time, lat, lon) = {tuple(axes)}, "
                f"got {stored[name].dtype} {stored[name].shape}."
            )
    time, lat, lon = (stored[name].read() for name in ("time", "lat", "lon"))
    time = to_seconds(time)
    _check_axes(time, lat, lon, f"{path}")
    check_ascending(time, f"{path}")
    splits = {key.removesuffix("_index"): stored[key].read().astype(int) for key in stored if key.endswith("_index")}
    units = tuple(UNITS.get(name, "") for name in names)
    return Grid([Joined([stored[name].read()], [path]) for name in names], units, time, lat, lon, splits)


def _open(file: Path) -> Any:
    try:
        import xarray
    except ImportError as error:
        raise ImportError("Reading NetCDF and zarr needs xarray: pip install 'stblocks[data]'.") from error
    engine = None
    if file.suffix == ".zarr":
        check_zarr(file)
        engine = "zarr"
    elif _is_hdf5(file):
        engine = "h5netcdf"
        for data in open_hdf5(file).values():
            data.check_size()
    with reading(file, KIND, WAY_OUT):
        return xarray.open_dataset(file, engine=engine)


def _is_hdf5(file: Path) -> bool:
    with reading(file, KIND, WAY_OUT):
        return bool(import_h5py().is_hdf5(file))


def _arrange(array: Any, file: Path) -> Any:
    """`(time, lat, lon)` or `(time, level, lat, lon)`, whatever their order in the file."""
    time = [dim for dim in array.dims if array[dim].dtype.kind == "M"]
    lat, lon = ([dim for dim in array.dims if str(dim).lower().startswith(axis)] for axis in ("lat", "lon"))
    if not (len(time) == len(lat) == len(lon) == 1 and array.ndim in (3, 4)):
        raise ValueError(
            f"'{array.name}' of {file} must be on (time, lat, lon) or (time, level, lat, lon), with dates as time, "
            f"got ({', '.join(map(str, array.dims))})."
        )
    if array.dtype.kind not in "iuf" or not array.size:
        raise ValueError(f"'{array.name}' of {file} must be numbers, got {array.dtype} {array.shape}.")
    return array.transpose(time[0], ..., lat[0], lon[0])


def _axes(arrays: list[Any], files: list[Path], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time, latitude and longitude of files that follow one another."""
    times = [to_seconds(array[array.dims[0]].values) for array in arrays]
    for each, file in zip(times, files, strict=True):
        check_ascending(each, f"'{name}' in {file}")
    time = np.concatenate(times)
    if (np.diff(time) <= np.timedelta64(0)).any():
        raise ValueError(f"The files of '{name}' overlap in time; name a folder where each time is there once.")
    lat, lon = ([array[array.dims[axis]].values for array in arrays] for axis in (-2, -1))
    if not all(np.array_equal(each, axis[0]) for axis in (lat, lon) for each in axis):
        raise ValueError(f"The files of '{name}' differ in lat or lon; name a folder of one resolution.")
    _check_axes(time, lat[0], lon[0], f"'{name}'")
    return time, lat[0], lon[0]


def _check_axes(time: np.ndarray, lat: np.ndarray, lon: np.ndarray, of: str) -> None:
    degrees = all(axis.dtype.kind in "iuf" and np.isfinite(axis).all() for axis in (lat, lon))
    if np.isnat(time).any() or not degrees:
        raise ValueError(f"time, lat and lon of {of} must be known everywhere, dates and degrees; write them again.")


def _by_level(arrays: list[Any], name: str, levels: Sequence[float] | None) -> list[list[Any]]:
    """The arrays of each level, `(time, lat, lon)`."""
    if arrays[0].ndim == 3:
        if levels is not None:
            raise ValueError(_no_levels(name, levels))
        return [arrays]
    held = arrays[0][arrays[0].dims[1]].values.tolist()
    if not levels or not set(levels) <= set(held):
        raise ValueError(
            f"'{name}' has the levels {', '.join(map(str, held))}, got {levels}; choose among them: "
            f"variables={{'{name}': ({held[0]},)}}."
        )
    return [[array[:, held.index(level)] for array in arrays] for level in levels]


def _no_levels(name: str, levels: Sequence[float]) -> str:
    return f"'{name}' has no levels, got {tuple(levels)}; give None."


def _as_slice(frames: np.ndarray) -> slice | np.ndarray:
    """Evenly spaced frames as a slice, which files read at once."""
    steps = np.unique(np.diff(frames))
    if steps.size > 1:
        return frames
    return slice(int(frames[0]), int(frames[-1]) + 1, int(steps[0]) if steps.size else 1)
