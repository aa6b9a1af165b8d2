"""Frames on a grid with coordinates: NetCDF and zarr, by xarray."""

from pathlib import Path
from typing import Any

import numpy as np

from ..borders.reading import reading
from ..data.times import check_ascending
from ..data.weather_arrays import KIND, WAY_OUT, FirstKnown, arrange, open_arrays
from .source import Choice, Source


class Grid:
    """Maps of some variables as channels, levels one after the other; read when it is sliced.

    Args:
        arrays: Of xarray, `(time, lat, lon)` or `(time, level, lat, lon)`, maybe with `expver` before `lat`.
        path: Their file.
    """

    def __init__(self, arrays: list[Any], path: Path) -> None:
        self.arrays, self.path = arrays, path
        channels = sum(int(np.prod([array.sizes[dim] for dim in _levels(array)])) for array in arrays)
        self.shape = (len(arrays[0]), channels, *arrays[0].shape[-2:])

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        with reading(self.path, KIND, WAY_OUT):
            return np.concatenate([_maps(array, frames) for array in self.arrays], axis=1)


def open_grid(path: Path, choice: Choice) -> Source:
    """The variables of a file: those that are named, or that the model knows, or the only one there is.

    Raises:
        ValueError: If the file is damaged, a variable is not there or not on (time, lat, lon), or several can be meant.
        ImportError: If xarray is not installed.
    """
    held = open_arrays(path)
    names = choice.variables or _names(path, held, choice)
    axes = choice.axes or {}
    if missing := [name for name in names if name not in held]:
        known = sorted(map(str, held.data_vars))
        raise ValueError(f"{path} has no variable {missing[0]!r}, only {', '.join(known)}; choose with --variable.")
    arrays = [arrange(held[name], path, axes) for name in names]
    first = arrays[0]
    for array in arrays[1:]:
        if array.sizes[array.dims[0]] != len(first) or array.shape[-2:] != first.shape[-2:]:
            raise ValueError(
                f"{array.name!r} and {first.name!r} of {path} are on other grids; forecast each by itself."
            )
    time = first[first.dims[0]].values
    if time.dtype.kind == "M":
        check_ascending(time, f"{path}")
    return Source(Grid(arrays, path), time, arrays=tuple(_with_attributes(array, held) for array in arrays))


def _names(path: Path, held: Any, choice: Choice) -> list[str]:
    if choice.names and all(name in held for name in choice.names):
        return list(choice.names)
    fit = []
    for name in held.data_vars:
        try:
            arrange(held[name], path, choice.axes or {})
        except ValueError:  # of other axes
            continue
        fit.append(str(name))
    if len(fit) != 1:
        raise ValueError(
            f"{path} has {len(fit)} variables on (time, lat, lon) among {', '.join(map(str, held.data_vars))}; "
            f"choose with --variable, or say which axes they are on with --axes lat=... lon=...."
        )
    return fit


def _levels(array: Any) -> list[Any]:
    return [dim for dim in array.dims[1:-2] if dim != "expver"]


def _maps(array: Any, frames: slice) -> np.ndarray:
    """`(T, levels, H, W)`."""
    if "expver" in array.dims:
        levels = [array[:, level] for level in range(array.shape[1])] if _levels(array) else [array]
        return np.stack([FirstKnown(level)[frames] for level in levels], axis=1)
    maps = np.asarray(array[frames])
    return maps.reshape(len(maps), -1, *maps.shape[-2:])


def _with_attributes(array: Any, held: Any) -> Any:
    """The array without versions, and with the map that it is on among its coordinates."""
    array = array.isel(expver=0, drop=True) if "expver" in array.dims else array
    mapping = array.attrs.get("grid_mapping", array.encoding.get("grid_mapping"))
    return array.assign_coords({mapping: held[mapping]}) if mapping in held else array
