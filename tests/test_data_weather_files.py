"""Weather files as they are found: stamps of every kind, damage, and what somebody may have hidden in them."""

import os
import pickle

import h5py
import numpy as np
import pytest
import torch
import xarray
import zarr

from stblocks.data import Scaler, WeatherBench, weather_arrays
from tests.test_data_weatherbench import HOURS, LAT, LON, YEARS, H, W, dataset, hours, kelvin, npz

MINUTE, HOUR = np.timedelta64(60_000_000, "us"), np.timedelta64(3_600_000_000, "us")
RNG = np.random.default_rng(0)
STAMPS = {
    "on the hour": np.timedelta64(0, "us"),
    "a microsecond early": np.timedelta64(-1, "us"),
    "each a little off": RNG.integers(-150, 150, HOURS) * np.timedelta64(1_000_000, "us"),
    "half past": 30 * MINUTE,
    "half past, a little off": 30 * MINUTE + RNG.integers(-99, 99, HOURS) * np.timedelta64(1_000_000, "us"),
    "five to": -5 * MINUTE,
}


def kelvins(data, index):
    past, future = data[index]
    return data.scaler.to_physical(torch.cat([past[:, :1], future]))[:, 0]


@pytest.mark.parametrize("name", STAMPS)
@pytest.mark.parametrize("step", [1, 6])
@pytest.mark.parametrize("kind", ["nc", "npz"])
def test_stamps_are_rounded_and_may_have_an_offset(tmp_path, name, step, kind):
    time = hours(2015).astype("M8[us]") + HOUR * 24 * 9 + STAMPS[name]  # in one year, a little early or not
    if kind == "npz":
        path = npz(tmp_path / "a.npz", time=time, train_index=np.arange(HOURS), test_index=None)
        options = {}
    else:
        path, options = tmp_path / "a.nc", {"years": YEARS}
        dataset(2015)[["t2m"]].assign_coords(time=time.astype("M8[ns]")).to_netcdf(path, engine="h5netcdf")
    data = WeatherBench(path, step=step, in_frames=3, out_frames=2, **options)
    assert len(data) == HOURS // step - 4
    for index in (0, len(data) - 1):
        begin = index * step
        np.testing.assert_allclose(kelvins(data, index), kelvin(2015)[begin : begin + 5 * step : step], rtol=1e-6)


def test_a_map_that_is_missing_splits_windows(tmp_path):
    keep = np.delete(np.arange(HOURS), 50)
    time = hours(2015).astype("M8[us]")[keep] - np.timedelta64(1, "us")
    path = npz(tmp_path / "a.npz", t2m=kelvin(2015)[keep], time=time, train_index=np.arange(HOURS - 1), test_index=None)
    data = WeatherBench(path, in_frames=3, out_frames=2)
    assert len(data) == (50 - 4) + (HOURS - 51 - 4)
    np.testing.assert_allclose(kelvins(data, 46), kelvin(2015)[51:56], rtol=1e-6)


def test_maps_that_lie_between_are_left_out(tmp_path):
    """One of a quarter past is no hourly map, and what follows it is a new run."""
    time = hours(2015).astype("M8[m]")
    time[50] += np.timedelta64(15, "m")
    path = npz(tmp_path / "a.npz", time=time, train_index=np.arange(HOURS), test_index=None)
    assert len(WeatherBench(path, in_frames=3, out_frames=2)) == (50 - 4) + (HOURS - 51 - 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda time: time[[0, 2, 1, *range(3, HOURS)]], r"2015-01-01T02:00:00 is followed by 2015-01-01T01:00:00"),
        (lambda time: time[[0, 1, 1, *range(3, HOURS)]], r"2015-01-01T01:00:00 is there twice \(maps 1 and 2\)"),
    ],
)
def test_stamps_swapped_or_doubled_in_one_file(tmp_path, change, message):
    one = dataset(2015)[["t2m"]]
    one.assign_coords(time=change(one.time.values)).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match=rf"The time of 't2m' in .*a.nc must ascend, each once, but {message}"):
        WeatherBench(tmp_path / "a.nc", years=YEARS)


def test_a_large_offset_does_not_cost_digits(tmp_path):
    pressure = 101325 + np.random.default_rng(0).uniform(-0.05, 0.05, (HOURS, H, W))
    path = npz(tmp_path / "a.npz", t2m=pressure)
    past, _ = WeatherBench(path, in_frames=3, out_frames=2, extras=("climatology",))[4]
    train = pressure[:72]
    np.testing.assert_allclose(past[:, 0], (pressure[4:7] - train.mean()) / train.std(), atol=1e-5)
    usual = train.reshape(3, 24, H, W).mean(axis=0)
    np.testing.assert_allclose(past[:, 1], (usual[4:7] - train.mean()) / train.std(), atol=1e-5)


def years_of(path, **options):
    return WeatherBench(path, years=YEARS, in_frames=3, out_frames=2, **options)


def check_values(data, index=4):
    np.testing.assert_allclose(kelvins(data, index), kelvin(2015)[index : index + 5], rtol=1e-6)


NAMES = {
    "x and y": ({"lat": "y", "lon": "x"}, {}),
    "rotated": ({"lat": "rlat", "lon": "rlon"}, {}),
    "named": (
        {"lat": "north", "lon": "east", "time": "when"},
        {"axes": {"lat": "north", "lon": "east", "time": "when"}},
    ),
    "one named": ({"lat": "north"}, {"axes": {"lat": "north"}}),
}


@pytest.mark.parametrize("name", NAMES)
def test_maps_on_other_axes(tmp_path, name):
    renamed, options = NAMES[name]
    dataset(2015)[["t2m"]].rename(renamed).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    check_values(years_of(tmp_path / "a.nc", extras=("hour",), **options))
    with pytest.raises(ValueError, match="extras can have 'position' where maps are on lat and lon; leave it out"):
        years_of(tmp_path / "a.nc", extras=("position",), **options)


def test_axes_without_coordinates(tmp_path):
    bare = dataset(2015)[["t2m"]].rename(lat="y", lon="x").drop_vars(["y", "x"])
    bare.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    check_values(years_of(tmp_path / "a.nc"))
    with pytest.raises(ValueError, match=r"must be on \(time, lat, lon\).* say which is which: axes="):
        years_of(tmp_path / "a.nc", axes={"lat": "z"})


@pytest.mark.parametrize("flip", [("lat",), ("lon",), ("lat", "lon")])
def test_a_file_that_is_the_other_way_round_is_turned(tmp_path, flip):
    whole = dataset(2015)[["t2m"]]
    for number, part in enumerate((slice(0, 40), slice(40, None))):
        piece = whole.isel(time=part)
        turned = piece.isel({axis: slice(None, None, -1) for axis in flip}) if number else piece
        turned.to_netcdf(tmp_path / f"{number}.nc", engine="h5netcdf")
    data = years_of(tmp_path)
    assert len(data) == HOURS - 4
    for index in (0, 37, 60):
        check_values(data, index)


def test_versions_of_era5(tmp_path):
    """The final one, 1, where it is known, else the first, 5; each is NaN where the other is known."""
    t2m = np.full((HOURS, 2, H, W), np.nan, np.float32)
    t2m[50:, 0], t2m[:50, 1] = kelvin(2015)[50:], kelvin(2015)[:50]
    t2m[60, 0] = 0.0  # a first version that was replaced
    t2m[60, 1] = kelvin(2015)[60]
    where = {"time": hours(2015), "expver": [5, 1], "lat": LAT, "lon": LON}
    made = xarray.Dataset({"t2m": (("time", "expver", "lat", "lon"), t2m)}, coords=where)
    made.transpose("expver", "lat", "lon", "time").to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    data = years_of(tmp_path / "a.nc", scaler=Scaler(280.0, 3.0))
    for index in (0, 46, 48, 58, 70):
        check_values(data, index)
    levels = made.expand_dims(level=[500, 850], axis=2) + xarray.DataArray([0.0, 5.0], dims="level")
    levels.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    data = years_of(tmp_path / "b.nc", variables={"t2m": (850,)}, scaler=Scaler(280.0, 3.0))
    np.testing.assert_allclose(kelvins(data, 48), kelvin(2015)[48:53] + 5, rtol=1e-6)


CALENDARS = {"noleap": 365, "360_day": 360, "all_leap": 366}


@pytest.mark.parametrize("calendar", CALENDARS)
def test_calendars_of_climate_models(tmp_path, calendar):
    """Two years of daily maps: no hole where other calendars have a day more, and years as long as they are there."""
    import cftime

    days = CALENDARS[calendar]
    values = np.random.default_rng(0).normal(280, 3, (2 * days, H, W)).astype(np.float32)
    first = cftime.date2num(cftime.datetime(2015, 1, 1, calendar=calendar), "days since 1970-01-01", calendar=calendar)
    time = (("time",), first + np.arange(2 * days), {"units": "days since 1970-01-01", "calendar": calendar})
    made = xarray.Dataset({"t2m": (("time", "lat", "lon"), values)}, coords={"time": time, "lat": LAT, "lon": LON})
    made.isel(time=slice(0, 70)).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    made.isel(time=slice(70, None)).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    options = {"years": {"train": (2015, 2015), "test": (2016, 2016)}, "in_frames": 3, "out_frames": 2, "step": 24}
    train, test = (WeatherBench(tmp_path, split, extras=("day",), **options) for split in ("train", "test"))
    assert (len(train), len(test)) == (days - 4, days - 4)
    for data, start in ((train, 0), (test, days)):
        for index in (0, 57, days - 5):
            got = data.scaler.to_physical(data[index].past)[:, 0]
            np.testing.assert_allclose(got, values[start + index : start + index + 3], rtol=1e-6)
            angle = 2 * np.pi * np.arange(index, index + 3) / days
            np.testing.assert_allclose(data[index].past[:, 1, 0, 0], np.sin(angle), atol=1e-5)
    with pytest.raises(ValueError, match=r"has no frames for 'train': its time is 2015 to 2016 UTC"):
        WeatherBench(tmp_path, step=24, years={"train": (1990, 1991)})


class Unpickled:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("consolidated", [False, True])
def test_nothing_in_a_zarr_store_is_unpickled(tmp_path, consolidated):
    dataset(2015)[["t2m"]].to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=consolidated)
    for file in (tmp_path / "a.zarr" / "lat").iterdir():
        if not file.name.startswith("."):
            file.write_bytes(pickle.dumps(Unpickled(tmp_path / "mark")))
    for file in (tmp_path / "a.zarr").rglob(".z*"):
        file.write_text(file.read_text().replace('"filters": null', '"filters": [{"id": "pickle"}]'))
    with pytest.raises(ValueError, match=r"'.+' is stored as Python objects, which are never unpickled"):
        WeatherBench(tmp_path / "a.zarr", years=YEARS)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("zarr_format", [2, 3] if zarr.__version__ >= "3" else [2])
def test_a_store_that_declares_what_it_does_not_hold(tmp_path, zarr_format):
    dataset(2015)[["t2m"]].to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=False)
    file = tmp_path / "a.zarr" / "lat" / (".zarray" if zarr_format == 2 else "zarr.json")
    file.write_text(file.read_text().replace(f"{H}\n", f"{10**9}\n"))
    with pytest.raises(ValueError, match=r"a.zarr declares 8,000 MB for 'lat' and stores 0.00. MB"):
        WeatherBench(tmp_path / "a.zarr", years=YEARS)


@pytest.mark.parametrize(
    ("magic", "installed", "way_out"),
    [
        (b"CDF\x01", (), r"classic format: pip install scipy, or convert it, nccopy -k nc4"),
        (b"CDF\x02", (), r"classic format: pip install scipy, or convert it, nccopy -k nc4"),
        (b"CDF\x05", (), r"classic format: pip install netCDF4, or convert it, nccopy -k nc4"),
        (b"CDF\x05", ("scipy",), r"classic format: pip install netCDF4, or convert it, nccopy -k nc4"),
        (b"CDF\x01", ("scipy",), r"\); fetch it again"),
        (b"CDF\x02", ("netCDF4",), r"\); fetch it again"),
        (b"CDF\x05", ("netCDF4",), r"\); fetch it again"),
        (b"CDF", (), r"\); fetch it again"),
    ],
)
def test_what_the_classic_format_needs_is_told_where_it_is_not_there(magic, installed, way_out, tmp_path, monkeypatch):
    monkeypatch.setattr(weather_arrays, "find_spec", lambda name: name if name in installed else None)
    (tmp_path / "a.nc").write_bytes(magic)  # damaged, too
    with pytest.raises(ValueError, match=rf"a.nc cannot be read as NetCDF or zarr \(.*{way_out}"):
        WeatherBench(tmp_path / "a.nc", years=YEARS)


def test_the_classic_format_is_read_where_scipy_is(tmp_path):
    pytest.importorskip("scipy")
    dataset(2015)[["t2m"]].to_netcdf(tmp_path / "b.nc", engine="scipy", format="NETCDF3_CLASSIC")
    check_values(years_of(tmp_path / "b.nc"))


def test_a_file_that_leads_out_of_itself(tmp_path):
    dataset(2015)[["t2m"]].to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with h5py.File(tmp_path / "a.nc", "a") as file:
        file["z"] = h5py.ExternalLink("b.nc", "/z")
    with pytest.raises(ValueError, match=r"a.nc cannot be read as an HDF5 file \('z' is a link, which may lead out"):
        WeatherBench(tmp_path / "a.nc", years=YEARS)


def test_a_file_damaged_after_it_was_opened(tmp_path):
    made = dataset(2015)[["t2m"]]
    made.to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=True)
    data = WeatherBench(tmp_path / "a.zarr", years=YEARS)
    (tmp_path / "a.zarr" / "t2m" / "0.0.0").write_bytes(b"rain")
    with pytest.raises(ValueError, match=r"a.zarr cannot be read as NetCDF or zarr \(.+\); fetch it again"):
        data[0]


def two_files(folder, change):
    """The first 40 hours, and the rest as `change` makes it."""
    whole = dataset(2015)
    whole.isel(time=slice(0, 40)).to_netcdf(folder / "a.nc", engine="h5netcdf")
    change(whole.isel(time=slice(40, None))).to_netcdf(folder / "b.nc", engine="h5netcdf")


def test_levels_are_found_wherever_each_file_has_them(tmp_path):
    two_files(tmp_path, lambda rest: rest.isel(level=[1, 0]))
    data = years_of(tmp_path, variables={"z": (850,)})
    for index in (0, 37, 60):
        np.testing.assert_allclose(kelvins(data, index), kelvin(2015, seed=2)[index : index + 5] * 100, rtol=1e-6)


def celsius(rest):
    rest["t2m"] = (rest.t2m - 273.15).assign_attrs(units="degC")
    return rest


@pytest.mark.parametrize(
    ("change", "variables", "message"),
    [
        (lambda rest: rest.sel(level=[500]), {"z": (850,)}, r"'z' has the levels 500 in .*b\.nc, got \(850,\)"),
        (lambda rest: rest.sel(level=[500]), "z", r"'z' has the levels 500, 850 in .*, got None; .*'z': \(500,\)"),
        (lambda rest: rest.sel(level=[850]), {"z": (500, 850)}, r"'z' has the levels 850 in .*; .*'z': \(850,\)"),
        (lambda rest: rest.isel(level=0), {"z": (500,)}, r"'z' must all have levels, or none, but .*b\.nc has none"),
        (celsius, "t2m", r"The files of 't2m' must be in one unit, got 'K' and 'degC'; convert them"),
    ],
)
def test_files_of_other_levels_or_units_are_not_joined(tmp_path, change, variables, message):
    two_files(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        years_of(tmp_path, variables=variables)


@pytest.mark.parametrize("variables", ["z", {"z": (500,)}])
def test_files_of_one_level_each_have_different_ones(variables, tmp_path):
    whole = dataset(2015)
    for name, part, level in (("a", slice(0, 40), 500), ("b", slice(40, None), 850)):
        whole.isel(time=part).sel(level=[level]).to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    told = r"files of 'z' have different levels, 500 in .*a\.nc and 850 in .*b\.nc; name a folder of files"
    with pytest.raises(ValueError, match=told):
        years_of(tmp_path, variables=variables)


@pytest.mark.parametrize("unit", [None, "", " ", "K ", "  K"])
def test_a_file_that_says_no_unit_has_that_of_the_others(unit, tmp_path):
    def change(rest):
        rest["t2m"] = rest.t2m.drop_attrs().assign_attrs({} if unit is None else {"units": unit})
        return rest

    two_files(tmp_path, change)
    assert years_of(tmp_path).scaler.unit == ("K",)
