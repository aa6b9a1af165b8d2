"""Data sets of files crop large frames and fill missing cells as windows of the same arrays do, and read no more."""

import h5py
import numpy as np
import pytest
import torch
import xarray

from stblocks.data import SEVIR, FrameFolders, RadarArchive, Scaler, SequenceWindows, WeatherBench, sevir
from tests.test_data_crops import Recording, numbered, whole
from tests.test_data_storms import FILE, HEADER, catalogue, row

ARCHIVES = ("npz", "nc", "zarr", "expver")
CROPPED = ("folder", "sevir", *ARCHIVES)


def stored(kind, root, array, **options):
    """A data set of every public kind, of the same maps `(T, H, W)`, NaN where missing."""
    where = {"in_frames": 2, "out_frames": 1, **options}
    if kind == "folder":
        for number, frame in enumerate(array):
            np.save(root / f"{number}.npy", frame)
        return FrameFolders(root, **where)
    if kind == "sevir":
        (root / "CATALOG.csv").write_text(HEADER + row(0))
        file = root / "data" / FILE
        file.parent.mkdir(parents=True)
        codes = np.where(np.isnan(array), 255, array).astype(np.uint8)
        frames = np.pad(codes, ((0, 49 - len(array)), (0, 0), (0, 0)))
        with h5py.File(file, "w") as held:
            held["vil"], held["id"] = np.moveaxis(frames, 0, -1)[None], np.array([b"S0"])
        return SEVIR(root, stride=1, **where)
    time = np.datetime64("2019-06-01T00:00", "s") + np.arange(len(array)) * np.timedelta64(3600, "s")
    axes = {"time": time.astype("M8[ns]"), "lat": np.arange(array.shape[1])[::-1], "lon": np.arange(array.shape[2])}
    path = root / f"rain.{'nc' if kind == 'expver' else kind}"
    if kind in ("npz", "weather"):
        np.savez(path, rain=array, **axes | {"time": time})
    else:
        maps = xarray.DataArray(array, axes, ("time", "lat", "lon"), "rain")
        if kind == "expver":  # of two versions, the second fills what the first has not
            first = maps.where(np.arange(len(array))[:, None, None] < 2)
            maps = xarray.concat([first, maps], xarray.DataArray([1, 5], dims="expver", name="expver"))
            maps = maps.transpose("time", "expver", "lat", "lon")
        dataset = maps.to_dataset(name="rain")
        dataset.to_zarr(path, zarr_format=2) if kind == "zarr" else dataset.to_netcdf(path, engine="h5netcdf")
    if kind == "weather":
        years = {"train": (2019, 2019)}
        return WeatherBench(f"{path}.npz", variables="rain", years=years, scaler=Scaler(), **where)
    return RadarArchive(path, catalogue(root, "2019-06-01,2019-06-01,train,"), variable="rain", **where)


@pytest.mark.parametrize("kind", CROPPED)
def test_a_crop_is_that_of_an_array(kind, tmp_path):
    array = numbered(6, 5, 7) % 255
    data = stored(kind, tmp_path, array, crop=(3, 4), crop_where=100.0)
    like = SequenceWindows(array, 2, 1, crop=(3, 4), crop_where=100.0, scaler=data.scaler)
    assert data.frame_shape == (1, 3, 4)
    for index, seed in ((0, 0), (1, 7), (3, 8)):
        torch.testing.assert_close(whole(data.draw(index, seed)), whole(like.draw(index, seed)))


@pytest.mark.parametrize("kind", [*CROPPED, "weather"])
@pytest.mark.parametrize("fill", ["zero", "last"])
def test_missing_cells_are_those_of_an_array(kind, fill, tmp_path):
    array = 1 + numbered(6, 5, 7) % 250
    array[1:3, 2, 3] = array[4, 0] = np.nan
    data = stored(kind, tmp_path, array, missing="mask", fill=fill)
    like = SequenceWindows(array, 2, 1, scaler=data.scaler, missing="mask", fill=fill)
    for index in range(len(like)):
        torch.testing.assert_close(whole(data[index]), whole(like[index]), equal_nan=True)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_of_an_archive_the_crop_alone_is_read(kind, tmp_path):
    data = stored(kind, tmp_path, numbered(6, 5, 7), crop=(3, 4))
    (joined,) = data._windows.series[0].grid.channels
    (part,) = joined.parts
    if kind == "expver":
        recorded = part.array = Recording(part.array)
    else:
        recorded = Recording(part)
        joined.parts = [recorded]
    data.draw(1, 5)
    ((times, *versions, rows, columns),) = recorded.keys
    assert (times.stop - times.start, len(versions)) == (3, kind == "expver")
    assert (rows.stop - rows.start, columns.stop - columns.start) == (3, 4)


def test_of_an_event_of_sevir_the_crop_alone_is_read(tmp_path, monkeypatch):
    data = stored("sevir", tmp_path, numbered(6, 5, 7) % 255, crop=(3, 4))
    recorded = Recording(np.zeros((1, 5, 7, 49)))
    monkeypatch.setattr(sevir, "opened_hdf5", lambda file: {"vil": recorded})
    data.draw(1, 5)
    ((event, rows, columns, times),) = recorded.keys
    assert (event, times) == (0, slice(1, 4))
    assert (rows.stop - rows.start, columns.stop - columns.start) == (3, 4)
