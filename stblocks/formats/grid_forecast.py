"""A forecast as a data set of xarray: on the axes of the frames that it was made from, where these are known."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .forecast import Forecast


def as_dataset(forecast: Forecast) -> Any:
    """Variables with their units and places, and the times of the frames that are forecast.

    Where frames come from NetCDF or zarr, names, axes, attributes and coordinates are those of the file. Others have
    the axes (time, lat, lon) where these are known, and (lead, y, x) where not.
    """
    import xarray

    arrays = forecast.source.arrays
    made = dict(_on_file_axes(forecast) if arrays else _on_known_axes(forecast))
    dataset = xarray.Dataset(made)
    if arrays and forecast.time is not None:
        axis = arrays[0].dims[0]
        old = arrays[0][axis]
        dataset[axis].attrs.update(old.attrs)
        kept = {key: old.encoding[key] for key in ("units", "calendar") if key in old.encoding}
        dataset[axis].encoding.update(kept)
    return dataset


def _on_file_axes(forecast: Forecast) -> Iterator[tuple[str, Any]]:
    import xarray

    done, named = 0, set[str]()
    for array in forecast.source.arrays:
        time, *rest = array.dims
        count = int(np.prod(array.shape[1:-2]))
        if done + count > forecast.values.shape[1]:  # the model forecasts fewer channels than it is given
            break
        if array.name in named:
            raise ValueError(
                f"out must be an .npy or .npz file for these frames: the model's channels have others between the "
                f"levels of '{array.name}', which a NetCDF or zarr file has as one variable."
            )
        named.add(array.name)
        values = forecast.values[:, done : done + count].reshape(len(forecast.values), *array.shape[1:])
        # how a file packs its numbers, zarr of format 2 say, is nothing to go by in another
        places = {name: each.drop_encoding() for name, each in array.coords.items() if time not in each.dims}
        times = {time: forecast.time} if forecast.time is not None else {}
        yield str(array.name), xarray.DataArray(values, {**places, **times}, (time, *rest), attrs=array.attrs)
        done += count
    if done < (channels := forecast.values.shape[1]):
        raise ValueError(
            f"out must be an .npy or .npz file for these frames: the {channels} channels forecast are not whole "
            f"variables of the file that the frames are from, whose axes a NetCDF or zarr file would have."
        )


def _on_known_axes(forecast: Forecast) -> Iterator[tuple[str, Any]]:
    import xarray

    places, time = forecast.source.places, forecast.time
    rows, columns = ("lat", "lon") if {"lat", "lon"} <= places.keys() else ("y", "x")
    first = "lead" if time is None else "time"
    leads = xarray.DataArray(
        np.arange(1, len(forecast.values) + 1),
        dims=(first,),
        attrs={"long_name": "frames after the last that was seen"},
    )
    coordinates = {first: leads if time is None else time, **(places if rows == "lat" else {})}
    for channel in range(forecast.values.shape[1]):
        name = forecast.names[channel] if channel < len(forecast.names) else f"forecast_{channel}"
        name = "forecast" if name == "forecast_0" and forecast.values.shape[1] == 1 else name
        attributes = {"units": unit} if (unit := forecast.unit(channel)) else {}
        yield name, xarray.DataArray(forecast.values[:, channel], coordinates, (first, rows, columns), attrs=attributes)
