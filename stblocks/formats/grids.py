"""Frames on a grid with coordinates: NetCDF and zarr, by xarray."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..borders.reading import reading
from ..data.times import check_ascending
from ..data.weather_arrays import KIND, WAY_OUT, FirstKnown, arrange, in_degrees, level_axis, open_arrays
from .levels import channel_names, levels_among, named_channels, named_levels
from .source import PLACES, Choice, Source


class Grid:
    """Maps of some variables as channels, levels one after the other; read when it is sliced.

    Args:
        arrays: Of xarray, `(time, lat, lon)` or `(time, level, lat, lon)`, maybe with `expver` before `lat`.
        path: Their file.
    """

    def __init__(self, arrays: list[Any], path: Path) -> None:
        self.arrays, self.path = arrays, path
        channels = sum(len(channel_names(array)) for array in arrays)
        self.shape = (len(arrays[0]), channels, *arrays[0].shape[-2:])

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        with reading(self.path, KIND, WAY_OUT):
            return np.concatenate([_maps(array, frames) for array in self.arrays], axis=1)


def open_grid(path: Path, choice: Choice) -> Source:
    """The variables of a file: those that are named, or that the model knows, or the only one there is.

    Of levels, those that the model's channels are named after are taken, in its order.

    Raises:
        ValueError: If the file is damaged, times do not ascend, a variable or level is not there or not on
            (time, lat, lon), or several can be meant.
        ImportError: If xarray is not installed.
    """
    held = open_arrays(path)
    arrays = _arrays(path, held, choice)
    first = arrays[0]
    for array in arrays[1:]:
        if array.sizes[array.dims[0]] != len(first) or array.shape[-2:] != first.shape[-2:]:
            raise ValueError(
                f"{array.name!r} and {first.name!r} of {path} are on other grids; forecast each by itself."
            )
    time = first[first.dims[0]].values
    check_ascending(time, f"{path}")
    known = {name: dim for name, dim in zip(PLACES, first.dims[-2:], strict=True) if dim in first.coords}
    places = {name: first[dim].values for name, dim in known.items()} if in_degrees(first) else {}
    return Source(Grid(arrays, path), time, places, tuple(_with_attributes(array, held) for array in arrays))


def _arrays(path: Path, held: Any, choice: Choice) -> list[Any]:
    """Those meant, arranged, with levels as the model has them."""
    axes, every = choice.axes or {}, list(map(str, held.data_vars))
    if choice.variables is not None:
        if missing := [name for name in choice.variables if name not in held]:
            known = ", ".join(sorted(every))
            raise ValueError(f"{path} has no variable {missing[0]!r}, only {known}; choose with --variable.")
        arrays = [arrange(held[name], path, axes) for name in choice.variables]
    else:
        fit = {}
        for name in held.data_vars:
            with suppress(ValueError):  # of other axes
                fit[str(name)] = arrange(held[name], path, axes)
        if choice.names and (named := named_channels(fit, choice.names)) is not None:
            return named
        for name in every:  # the model's own is not taken for the only other one
            if name not in fit and (name in choice.names or levels_among(choice.names, name, every)):
                arrange(held[name], path, axes)
        if len(fit) != 1:
            raise ValueError(
                f"{path} has {len(fit)} variables on (time, lat, lon) among {', '.join(every)}; "
                f"choose with --variable, or say which axes they are on with --axes lat=... lon=...."
            )
        arrays = [*fit.values()]
    return [named_levels(array, choice.names, every, path) for array in arrays]


def _maps(array: Any, frames: slice) -> np.ndarray:
    """`(T, levels, H, W)`."""
    if "expver" in array.dims:
        levels = [array[:, level] for level in range(array.shape[1])] if level_axis(array) else [array]
        return np.stack([FirstKnown(level)[frames] for level in levels], axis=1)
    maps = np.asarray(array[frames])
    return maps.reshape(len(maps), -1, *maps.shape[-2:])


def _with_attributes(array: Any, held: Any) -> Any:
    """The array without versions, and with the map that it is on among its coordinates."""
    array = array.isel(expver=0, drop=True) if "expver" in array.dims else array
    mapping = array.attrs.get("grid_mapping", array.encoding.get("grid_mapping"))
    return array.assign_coords({mapping: held[mapping]}) if mapping in held else array
