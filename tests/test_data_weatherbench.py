"""Weather maps come from every kind of file alike, splits share nothing, and what is learnt is learnt from training."""

import sys

import numpy as np
import pytest
import torch
import xarray
from torch.utils.data import DataLoader

from stblocks.data import Scaler, WeatherBench

H, W, HOURS = 3, 4, 24 * 4
LAT, LON = np.linspace(60, 50, H), np.linspace(-10, 5, W)
YEARS = {"train": (2015, 2015), "validation": (2016, 2016), "test": (2017, 2017)}


def hours(year, count=HOURS, step=1):
    return np.datetime64(f"{year}-01-01T00", "ns") + np.arange(count) * np.timedelta64(step, "h")


def kelvin(year, count=HOURS, seed=0):
    return np.random.default_rng((seed, year)).normal(280, 3, (count, H, W)).astype(np.float32)


def dataset(year, *, count=HOURS, step=1, axes=("time", "lat", "lon")):
    t2m = (("time", "lat", "lon"), kelvin(year, count), {"units": "K"})
    z = np.stack([kelvin(year, count, seed) * 100 for seed in (1, 2)], axis=1)
    where = {"time": hours(year, count, step), "lat": LAT, "lon": LON, "level": [500, 850]}
    made = xarray.Dataset({"t2m": t2m, "z": (("time", "level", "lat", "lon"), z)}, coords=where)
    return made.transpose(*axes, ...)


def npz(path, **other):
    """Three train days and one test day in the layout with indices."""
    arrays = {"t2m": kelvin(2015), "time": hours(2015).astype("M8[h]"), "lat": LAT, "lon": LON}
    arrays |= {"train_index": np.arange(72, dtype=np.int16), "test_index": np.arange(72, HOURS, dtype=np.int16)}
    np.savez(path, **{name: array for name, array in (arrays | other).items() if array is not None})
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same three years, in a folder of NetCDF files for each year and variable, one file, and a zarr store."""
    root = tmp_path_factory.mktemp("weather")
    sets = [dataset(year) for year in (2015, 2016, 2017)]
    for name in ("t2m", "z"):
        (root / "years" / name).mkdir(parents=True)
        for each in sets:
            year = each.time.dt.year.values[0]
            each[[name]].to_netcdf(root / "years" / name / f"{name}_{year}_5.625deg.nc", engine="h5netcdf")
    whole = xarray.concat(sets, "time")
    whole.transpose("lon", "lat", "time", ...).to_netcdf(root / "whole.nc", engine="h5netcdf")
    whole.to_zarr(root / "whole.zarr", zarr_format=2, consolidated=True)
    return root


@pytest.mark.parametrize("name", ["years", "whole.nc", "whole.zarr"])
def test_every_layout_gives_the_same(files, name):
    variables = {"z": (850,), "t2m": None}
    for split, year in (("train", 2015), ("validation", 2016), ("test", 2017)):
        data = WeatherBench(files / name, split, variables=variables, years=YEARS)
        assert (len(data), data.frame_shape, data.out_channels) == (HOURS - 23, (2, H, W), 2)
        truth = np.stack([kelvin(year, seed=2) * 100, kelvin(year)], axis=1)
        physical = data.scaler.to_physical(torch.cat(data[5]))
        np.testing.assert_allclose(physical, truth[5:29], rtol=1e-5)
        train = np.stack([kelvin(2015, seed=2) * 100, kelvin(2015)], axis=1).astype(float)
        np.testing.assert_allclose(data.scaler.offset, train.mean(axis=(0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(data.scaler.scale, train.std(axis=(0, 2, 3)), rtol=1e-6)
        assert data.scaler.unit == ("", "K")


def test_windows_go_on_from_one_file_into_the_next(tmp_path):
    times = hours(2015)
    for number, part in enumerate((slice(0, 30), slice(30, None))):
        one = dataset(2015)[["t2m"]].isel(time=part)
        one.to_netcdf(tmp_path / f"{9 - number}.nc", engine="h5netcdf")  # time, not the name, is their order
    data = WeatherBench(tmp_path, years={"train": (2015, 2015)}, step=6, in_frames=2, out_frames=6)
    assert len(data) == len(times) // 6 - 7
    np.testing.assert_allclose(data.scaler.to_physical(torch.cat(data[1]))[:, 0], kelvin(2015)[6:54:6], rtol=1e-6)


def test_only_the_window_asked_for_is_read(files):
    data = WeatherBench(files / "years", years=YEARS, scaler=Scaler(280.0, 3.0, "K"))
    part = data._windows.series[0].grid.channels[0].parts[0]
    assert not part.variable._in_memory
    _ = data[0]
    assert not part.variable._in_memory
    batches = DataLoader(data, 4, num_workers=1)
    assert torch.equal(next(iter(batches)).future[3], data[3].future)


def test_gaps_in_time_are_not_crossed(tmp_path):
    time = hours(2015).astype("M8[h]")
    time[40:] += np.timedelta64(5, "h")
    path = npz(tmp_path / "gap.npz", time=time, train_index=np.arange(HOURS), test_index=None)
    data = WeatherBench(path, in_frames=10, out_frames=10)
    assert len(data) == (40 - 19) + (HOURS - 40 - 19)
    np.testing.assert_allclose(data.scaler.to_physical(data[21].past)[:, 0], kelvin(2015)[40:50], rtol=1e-6)


def test_indices_of_an_npz_file(tmp_path):
    path = npz(tmp_path / "uk.npz")
    train, test = WeatherBench(path, in_frames=4, out_frames=8), WeatherBench(path, "test", in_frames=4, out_frames=8)
    assert (len(train), len(test)) == (72 - 11, 24 - 11)
    assert (train.scaler, train.scaler.unit) == (test.scaler, ("K",))
    np.testing.assert_allclose(train.scaler.offset[0], kelvin(2015)[:72].astype(float).mean(), rtol=1e-9)
    np.testing.assert_allclose(test.scaler.to_physical(test[-1].future)[:, 0], kelvin(2015)[-8:], rtol=1e-6)
    by_year = WeatherBench(path, in_frames=4, out_frames=8, years={"train": (2015, 2015)})
    assert len(by_year) == HOURS - 11


def test_validation_is_the_end_of_training(tmp_path):
    path = npz(tmp_path / "uk.npz")
    options = {"in_frames": 2, "out_frames": 2, "validation_fraction": 0.25}
    train, held, test = (WeatherBench(path, split, **options) for split in ("train", "validation", "test"))
    assert (len(train), len(held), len(test)) == (54 - 3, 18 - 3, 24 - 3)
    assert train.scaler == held.scaler == test.scaler
    np.testing.assert_allclose(train.scaler.offset[0], kelvin(2015)[:54].astype(float).mean(), rtol=1e-9)
    np.testing.assert_allclose(held.scaler.to_physical(held[0].past)[:, 0], kelvin(2015)[54:56], rtol=1e-6)


def test_extra_channels_come_after_the_variables(tmp_path):
    extras = ("climatology", "hour", "position", "day", "climatology_ahead")
    path = npz(tmp_path / "uk.npz", t2m=kelvin(2015) + 10.0)
    data = WeatherBench(path, "test", in_frames=5, out_frames=3, extras=extras)
    assert (data.frame_shape, data.out_channels) == ((10, H, W), 1)
    past, future = data[2]  # from hour 74, which is 2 o'clock
    assert (past.shape, future.shape) == ((5, 10, H, W), (3, 1, H, W))
    physical = data.scaler.to_physical(past).numpy()
    train = (kelvin(2015) + 10.0)[:72].reshape(3, 24, H, W).astype(float).mean(axis=0)
    np.testing.assert_allclose(physical[:, 1], train[2:7], rtol=1e-6)
    np.testing.assert_allclose(physical[:, 9], train[7:12], rtol=1e-6)
    angle = 2 * np.pi * np.arange(2, 7) / 24
    np.testing.assert_allclose(past[:, 2, 0, 0], np.sin(angle), atol=1e-6)
    np.testing.assert_allclose(past[:, 3, 2, 1], np.cos(angle), atol=1e-6)
    np.testing.assert_allclose(past[:, 4:7].mean(dim=(2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(past[:, 4:7].std(dim=(2, 3), unbiased=False), 1, atol=1e-6)
    assert past[0, 4].diff(dim=0).lt(0).all()  # from north to south
    assert past[0, 5].diff(dim=1).gt(0).all()  # from west to east
    year = 2 * np.pi * (3 + np.arange(2, 7) / 24) / 365
    np.testing.assert_allclose(past[:, 7, 0, 0], np.sin(year), atol=1e-6)
    np.testing.assert_allclose(past[:, 8, 0, 0], np.cos(year), atol=1e-6)


@pytest.mark.parametrize("extras", [(), ("hour", "climatology")])
def test_nothing_of_the_test_split_is_learnt(tmp_path, extras):
    clean = npz(tmp_path / "clean.npz")
    values = kelvin(2015)
    values[72:] += 100
    warm = npz(tmp_path / "warm.npz", t2m=values)
    options = {"in_frames": 3, "out_frames": 3, "extras": extras}
    assert WeatherBench(clean, **options).scaler == WeatherBench(warm, **options).scaler
    a, b = (WeatherBench(path, "test", **options)[0].past for path in (clean, warm))
    assert torch.equal(a[:, 1:], b[:, 1:])
    assert not torch.equal(a[:, :1], b[:, :1])


def test_a_scaler_of_another_split_is_taken(files, monkeypatch):
    options = {"years": YEARS, "extras": ("hour",)}
    train = WeatherBench(files / "whole.nc", **options)
    monkeypatch.setattr(Scaler, "standard", None)  # so nothing is fitted
    test = WeatherBench(files / "whole.nc", "test", scaler=train.scaler, **options)
    assert test.scaler == train.scaler
    plain = WeatherBench(files / "whole.nc", "test", years=YEARS, scaler=Scaler(273.15, 10.0, "K"))
    assert plain.scaler == Scaler((273.15,), (10.0,), ("K",))


def test_missing_cells(tmp_path):
    values = kelvin(2015)
    values[:, 0, 0] = np.nan
    path = npz(tmp_path / "uk.npz", t2m=values)
    with pytest.raises(ValueError, match=r"has 4 values that are NaN.*missing='mask'"):
        WeatherBench(path, in_frames=2, out_frames=2)[0]
    past, future = WeatherBench(path, in_frames=2, out_frames=2, extras=("climatology",), missing="mask")[0]
    assert past.isfinite().all()
    assert past[:, :, 0, 0].eq(0).all()
    assert future.isnan().nonzero().tolist() == [[0, 0, 0, 0], [1, 0, 0, 0]]


def test_size(tmp_path):
    data = WeatherBench(npz(tmp_path / "uk.npz"), in_frames=2, out_frames=2, size=(4, 8), extras=("hour",))
    assert data.frame_shape == data[0].past.shape[1:] == (3, 4, 8)


NPZ_ERRORS = [
    ({}, {"variables": "z"}, r"has no variable 'z', only t2m, time, .*; pass variables="),
    ({"lat": None}, {}, r"has no variable 'lat', only"),
    (
        {"t2m": kelvin(2015)[:, 1:]},
        {},
        r"'t2m' of .* must be numbers on \(time, lat, lon\) = \(96, 3, 4\), got float32 \(96, 2, 4\)",
    ),
    ({"t2m": kelvin(2015) * 0 + 3}, {}, r"Channel 0 is 3 everywhere"),
    ({}, {"variables": ()}, r"variables must name at least one, got none"),
    ({}, {"split": "val"}, r"split must be 'train', 'validation' or 'test', got 'val'"),
    ({}, {"split": "validation"}, r"has no frames for 'validation': its time is 2015-01-01T00.*validation_fraction="),
    ({}, {"validation_fraction": 1.0}, r"validation_fraction must be in \[0, 1\), got 1.0"),
    ({}, {"validation_fraction": 0.1, "years": YEARS}, r"validation_fraction is for .npz files.*got 0.1; say which"),
    ({"train_index": np.array([3, 96])}, {}, r"train_index of .* must be from 0 to 95"),
    ({}, {"extras": ("month",)}, r"extras must be among hour, day, .* got 'month'"),
    ({}, {"step": 0}, r"step must be an integer >= 1, got 0"),
    ({}, {"step": 5}, r"step must divide 24 or be a multiple of 24, in hours, got 5"),
    ({}, {"step": 36}, r"step must divide 24 or be a multiple of 24, in hours, got 36"),
    ({}, {"variables": {"t2m": (500,)}}, r"'t2m' has no levels, got \(500,\); give None"),
    (
        {"time": hours(2015)[::-1].astype("M8[h]")},
        {},
        r"The time of .*uk.npz must ascend, each once, but 2015-01-04T23:00:00 is followed by 2015-01-04T22",
    ),
    (
        {"time": hours(2015).astype("M8[D]")},
        {},
        r"The time of .*uk.npz must ascend, each once, but 2015-01-01T00:00:00 is there twice \(maps 0 and 1\)",
    ),
    ({}, {"out_frames": 61}, r"no 73 frames for 'train' that follow one another every 1 h, at most 72; .* 1 h apart"),
    ({"time": hours(2015, step=3).astype("M8[h]")}, {}, r"every 1 h, at most 1; its maps are 3 h apart: take another"),
    (
        {"time": hours(2019), "train_index": None, "test_index": None},
        {},
        r"has no frames for 'train': .*; give years={'train': \(2019, 2019\)}, say, or scaler=",
    ),
]


@pytest.mark.parametrize(("arrays", "options", "message"), NPZ_ERRORS, ids=[message for *_, message in NPZ_ERRORS])
def test_errors(tmp_path, arrays, options, message):
    path = npz(tmp_path / "uk.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        WeatherBench(path, **options)


FILE_ERRORS = [
    ({"variables": "t850"}, r"years has no variable 't850', only t2m, z; pass variables="),
    (
        {"variables": "z"},
        r"'z' has the levels 500, 850 in .* got None; .* them: WeatherBench\(..., variables=\{'z': \(500,\)\}",
    ),
    ({"variables": {"z": (500, 700)}}, r"'z' has the levels 500, 850 in .*, got \(500, 700\)"),
    ({"variables": {"t2m": (2,)}}, r"'t2m' has no levels, got \(2,\); give None"),
    ({"years": None, "validation_fraction": 0.5}, r"validation_fraction is for .npz files"),
    ({"years": {"test": (2017, 2017)}}, r"no frames for 'train': its time is 2015-01-01T00:00 to 2017-01-04T23:00"),
    ({"years": {"train": (1979, 1980)}}, r"no frames for 'train'"),
    ({"variables": ["t2m", "z"], "scaler": Scaler((1.0,), (1.0,))}, r"'z' has the levels"),
    ({"variables": {"t2m": None, "z": (500,)}, "scaler": Scaler((1.0,))}, r"index must be from 0 to 0, .*got 1"),
]


@pytest.mark.parametrize(("options", "message"), FILE_ERRORS, ids=[message for _, message in FILE_ERRORS])
def test_errors_of_files(files, options, message):
    with pytest.raises(ValueError, match=message):
        WeatherBench(files / "years", **({"years": YEARS} | options))


def test_files_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"There is no .*weather; name a .nc, .zarr or .npz file"):
        WeatherBench(tmp_path / "weather")
    with pytest.raises(ValueError, match=r"holds no .nc files; name a folder that does"):
        WeatherBench(tmp_path)
    (tmp_path / "a.nc").write_bytes(b"no weather")
    with pytest.raises(ValueError, match=r"a.nc cannot be read as NetCDF or zarr"):
        WeatherBench(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"no weather")
    with pytest.raises(ValueError, match=r"a.npz cannot be read as an .npz file"):
        WeatherBench(tmp_path / "a.npz")
    one = dataset(2015)[["t2m"]]
    other = one.assign_coords(time=one.time + np.timedelta64(400, "D"))
    changes = [
        (one, r"The files of 't2m' overlap in time"),
        (other.assign_coords(lat=LAT + 1), r"The files of 't2m' differ in lat or lon"),
        (
            other.rename(lon="e"),
            r"'t2m' of .* must be on \(time, lat, lon\) .* got \(time, lat, e\); say which",
        ),
        (other.assign_coords(time=np.arange(HOURS)), r"must be on .* with dates as time, got \(time, lat, lon\)"),
        (other.rename(t2m="u"), r"'u' and 't2m' differ in time"),
    ]
    one.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    for number, (change, message) in enumerate(changes):
        folder = tmp_path / str(number)
        folder.mkdir()
        one.to_netcdf(folder / "a.nc", engine="h5netcdf")
        change.to_netcdf(folder / "b.nc", engine="h5netcdf")
        with pytest.raises(ValueError, match=message):
            WeatherBench(folder, variables=["t2m", "u"] if "u" in change else "t2m")


def test_the_extra_is_named_where_xarray_is_missing(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r"needs xarray: pip install 'stblocks\[data\]'"):
        WeatherBench(files / "whole.nc")
