"""Weather in NetCDF and zarr, by xarray: which axis is which, times of any calendar, levels, versions of ERA5."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..borders.reading import reading
from .hdf5_files import import_h5py, open_hdf5
from .times import check_ascending, to_seconds
from .zarr_files import check_zarr, is_consolidated

KIND = "NetCDF or zarr"
WAY_OUT = "fetch it again, or pip install 'stblocks[data]'"
#: What reads NetCDF's classic format, by the byte that says which one: the last is of 64-bit sizes.
CLASSIC = {b"CDF\x01": ("scipy", "netCDF4"), b"CDF\x02": ("scipy", "netCDF4"), b"CDF\x05": ("netCDF4",)}
AXES = {  # names beside those that begin with lat and lon
    "lat": ("y", "rlat", "south_north", "projection_y_coordinate"),
    "lon": ("x", "rlon", "west_east", "projection_x_coordinate"),
}
DAYS_A_YEAR = {"noleap": 365, "365_day": 365, "all_leap": 366, "366_day": 366, "360_day": 360}


def open_arrays(file: Path) -> Any:
    """A data set of xarray.

    Raises:
        ValueError: If the file is damaged, declares what it does not hold, or leads out of itself.
        ImportError: If xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError("Reading NetCDF and zarr needs xarray: pip install 'stblocks[data]'.") from error
    engine, options, way_out = None, dict[str, Any](), WAY_OUT
    if file.suffix == ".zarr":
        check_zarr(file)
        engine, options = "zarr", {"consolidated": is_consolidated(file)}
    elif _is_hdf5(file):
        engine = "h5netcdf"
        for data in open_hdf5(file).values():
            data.check_size()
    else:
        way_out = _way_out(file)
    with reading(file, KIND, way_out):
        return xarray.open_dataset(file, engine=engine, **options)


def _is_hdf5(file: Path) -> bool:
    with reading(file, KIND, WAY_OUT):
        return bool(import_h5py().is_hdf5(file))


def _way_out(file: Path) -> str:
    """What to do about a file that cannot be read."""
    with reading(file, KIND, WAY_OUT), open(file, "rb") as content:
        readers = CLASSIC.get(content.read(4), ())
    if not readers or any(map(find_spec, readers)):
        return WAY_OUT
    return f"it is of NetCDF's classic format: pip install {readers[0]}, or convert it, nccopy -k nc4 OLD.nc NEW.nc"


def arrange(array: Any, file: Path, axes: Mapping[str, str]) -> Any:
    """`(time, lat, lon)` or `(time, level, lat, lon)`, whatever their order in the file; `expver` comes before `lat`.

    Raises:
        ValueError: If these are not its axes, or it does not hold numbers.
    """
    found = {axis: axes.get(axis) or _known(axis, array) for axis in ("time", "lat", "lon")}
    others = [dim for dim in array.dims if dim not in found.values()]
    levels = [dim for dim in others if dim != "expver"]
    if not set(found.values()) <= set(array.dims) or len(levels) > 1 or not _is_time(array[found["time"]]):
        raise ValueError(
            f"'{array.name}' of {file} must be on (time, lat, lon) or (time, level, lat, lon), with dates as time, "
            f"got ({', '.join(map(str, array.dims))}); say which is which: axes={{'lat': 'north', 'lon': 'east'}}."
        )
    if array.dtype.kind not in "iuf" or not array.size:
        raise ValueError(f"'{array.name}' of {file} must be numbers, got {array.dtype} {array.shape}.")
    versions = [dim for dim in others if dim == "expver"]
    return array.transpose(found["time"], *levels, *versions, found["lat"], found["lon"])


def _known(axis: str, array: Any) -> Any:
    """The name of an axis, if there is just one that it can be."""
    if axis == "time":
        fit = [dim for dim in array.dims if _is_time(array[dim])]
    else:
        fit = [dim for dim in array.dims if str(dim).lower().startswith(axis) or str(dim).lower() in AXES[axis]]
    return fit[0] if len(fit) == 1 else None


def _is_time(coordinate: Any) -> bool:
    """Are they dates, of NumPy or of cftime?"""
    kind = coordinate.dtype.kind
    return kind == "M" or (kind == "O" and coordinate.size > 0 and hasattr(coordinate.values[0], "calendar"))


def in_degrees(array: Any) -> bool:
    """Are the last two axes latitude and longitude, and not metres or degrees of another pole?"""
    pairs = zip(array.dims[-2:], ("lat", "lon"), ("degrees_north", "degrees_east"), strict=True)
    return all(str(dim).lower().startswith(name) or array[dim].attrs.get("units") == unit for dim, name, unit in pairs)


def turned(array: Any, like: Any) -> Any:
    """An array with its rows and columns in the order of another, if that is the other way round."""
    for axis in (-2, -1):
        own, wanted = array[array.dims[axis]].values, like[like.dims[axis]].values
        if not np.array_equal(own, wanted) and np.array_equal(own[::-1], wanted):
            array = array.isel({array.dims[axis]: slice(None, None, -1)})
    return array


def first_time(array: Any) -> np.datetime64:
    """When it begins, to put files in order."""
    return _seconds(array[array.dims[0]][:1])[0][0]


def read_axes(arrays: list[Any], files: list[Path], name: str) -> tuple[np.ndarray, int | None, np.ndarray, np.ndarray]:
    """Time in seconds, days of a year where all have the same, latitude and longitude of files that follow one another.

    Raises:
        ValueError: If they do not follow one another, or are on different grids or calendars.
    """
    times, days = zip(*(_seconds(array[array.dims[0]]) for array in arrays), strict=True)
    for each, file in zip(times, files, strict=True):
        check_ascending(each, f"'{name}' in {file}")
    time = np.concatenate(times)
    if (time[1:] <= time[:-1]).any():
        raise ValueError(f"The files of '{name}' overlap in time; name a folder where each time is there once.")
    lat, lon = ([array[array.dims[axis]].values for array in arrays] for axis in (-2, -1))
    if not all(np.array_equal(each, axis[0]) for axis in (lat, lon) for each in axis) or len(set(days)) > 1:
        raise ValueError(
            f"The files of '{name}' differ in lat or lon, or in calendar; name a folder of one resolution."
        )
    check_axes(time, lat[0], lon[0], f"'{name}'")
    return time, days[0], lat[0], lon[0]


def _seconds(coordinate: Any) -> tuple[np.ndarray, int | None]:
    """Times, and the days of a year in calendars where every year has as many."""
    values = coordinate.values
    if coordinate.dtype.kind == "M":
        return to_seconds(values), None
    import cftime  # whose dates these are

    passed = cftime.date2num(values, "microseconds since 1970-01-01", calendar=values[0].calendar)
    return to_seconds(np.asarray(passed).astype("M8[us]")), DAYS_A_YEAR.get(values[0].calendar)


def check_axes(time: np.ndarray, lat: np.ndarray, lon: np.ndarray, of: str) -> None:
    """Raise a `ValueError` unless all times and places are known."""
    known = all(axis.dtype.kind in "iuf" and np.isfinite(axis).all() for axis in (lat, lon))
    if np.isnat(time).any() or not known:
        raise ValueError(f"time, lat and lon of {of} must be known everywhere, dates and numbers; write them again.")


class FirstKnown:
    """ERA5 as its newest months come, `(time, expver, lat, lon)`: the final version where there is one, else the first.

    Args:
        array: An array of xarray.
    """

    def __init__(self, array: Any) -> None:
        self.array, self.order = array, np.argsort(array["expver"].values)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, part: Any, /) -> np.ndarray:
        frames, *place = part if isinstance(part, tuple) else (part,)
        versions = np.asarray(self.array[(frames, slice(None), *place)])
        best = versions[:, self.order[0]]
        for version in self.order[1:]:
            best = np.where(np.isnan(best), versions[:, version], best)
        return best


def one_unit(arrays: list[Any], name: str, default: str) -> str:
    """The unit of files that follow one another; those that say none, or an empty one, have that of the others.

    Raises:
        ValueError: If they are in several.
    """
    said = (str(array.attrs.get("units", "")).strip() for array in arrays)
    units = list(dict.fromkeys(filter(None, said)))
    if len(units) > 1:
        raise ValueError(
            f"The files of '{name}' must be in one unit, got {' and '.join(map(repr, units))}; convert them, or write "
            f"it alike."
        )
    return units[0] if units else default


def by_level(arrays: list[Any], files: list[Path], name: str, levels: Sequence[float] | None) -> list[list[Any]]:
    """The arrays of each level, `(time, lat, lon)`, wherever each file has it; where none is asked for, the only one.

    Raises:
        ValueError: If levels are not there or not asked for, or no level is in all files.
    """
    axes = [level_axis(array) for array in arrays]
    if not all(axes):
        if any(axes):
            raise ValueError(
                f"The files of '{name}' must all have levels, or none, but {files[axes.index(None)]} has none; name a "
                f"folder of one kind."
            )
        if levels is not None:
            raise ValueError(no_levels(name, levels))
        return [[_one_version(array) for array in arrays]]
    held = [array[axis].values.tolist() for array, axis in zip(arrays, axes, strict=True)]
    if levels is None and len(held[0]) == 1 and all(own == held[0] for own in held):
        levels = held[0]
    common = [level for level in held[0] if all(level in own for own in held)]
    if not common:
        other = next(number for number, own in enumerate(held) if own != held[0])
        told = (f"{', '.join(map(str, held[number]))} in {files[number]}" for number in (0, other))
        raise ValueError(
            f"The files of '{name}' have different levels, {' and '.join(told)}; name a folder of files that have the "
            f"same, or write all levels of a time into one file."
        )
    for own, file in zip(held, files, strict=True):
        if not levels or not set(levels) <= set(own):
            raise ValueError(
                f"'{name}' has the levels {', '.join(map(str, own))} in {file}, got {levels}; choose among them: "
                f"WeatherBench(..., variables={{'{name}': ({common[0]},)}}), or write a file of one level."
            )
    return [
        [_one_version(array[:, own.index(level)]) for array, own in zip(arrays, held, strict=True)]
        for level in levels or ()
    ]


def level_axis(array: Any) -> Any:
    """The name of the axis of levels, if an array that was arranged has one."""
    return next((dim for dim in array.dims[1:-2] if dim != "expver"), None)


def level_name(variable: str, level: float) -> str:
    """The name of a variable at a level as a channel, such as z500."""
    return f"{variable}{level:g}"


def _one_version(array: Any) -> Any:
    return FirstKnown(array) if "expver" in array.dims else array


def no_levels(name: str, levels: Sequence[float]) -> str:
    """What to say where levels are asked for in vain."""
    return f"'{name}' has no levels, got {tuple(levels)}; give None."
