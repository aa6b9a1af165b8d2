"""Frames as files have them: levels where the model wants them, times that ascend, places that go along."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray

from stblocks.cli.saved import note_differences
from stblocks.data import DataSpec, Scaler
from stblocks.formats.forecast import Forecast
from stblocks.formats.read import open_sources
from stblocks.formats.source import Choice
from stblocks.formats.write import write_forecast

T, H, W = 4, 3, 5
HOURS = np.datetime64("2020-01-01", "ns") + np.arange(T) * np.timedelta64(1, "h")
WHERE = {"time": HOURS, "level": [500, 850], "lat": np.linspace(60, 50, H), "lon": np.linspace(0, 9, W)}


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    """Each map is its level, 1000 higher for z; `t2m` is 2 everywhere."""
    held = np.broadcast_to(np.array([500.0, 850.0])[:, None, None], (T, 2, H, W))
    on_levels = ("time", "level", "lat", "lon")
    made = {
        "t": (on_levels, held),
        "z": (on_levels, 1000 + held),
        "t2m": (("time", "lat", "lon"), np.full((T, H, W), 2.0)),
    }
    file = tmp_path_factory.mktemp("levels") / "a.nc"
    xarray.Dataset(made, WHERE).to_netcdf(file, engine="h5netcdf")
    made.pop("t2m")
    made.pop("z")
    xarray.Dataset(made, WHERE).to_netcdf(file.with_name("t.nc"), engine="h5netcdf")
    return file


def channels(source):
    frames = source.series[0:2]
    assert frames.shape == (2, *source.shape[1:])
    assert (frames == frames[:1, :, :1, :1]).all()
    return frames[0, :, 0, 0].tolist()


ORDERS = [
    (("t850", "t500"), None, [850, 500]),
    (("t500", "t850"), None, [500, 850]),
    (("t850",), None, [850]),
    (("z500", "t2m", "t850", "t500"), None, [1500, 2, 850, 500]),
    (("t850", "z500", "t500"), None, [850, 1500, 500]),
    (("t850", "t500"), ("t",), [850, 500]),
    (("z850", "t500"), ("t", "z"), [500, 1850]),
    ((), ("t", "t2m"), [500, 850, 2]),
    (("t2m", "t"), None, [2, 500, 850]),
    (("rain",), ("z",), [1500, 1850]),
]


@pytest.mark.parametrize(("names", "variables", "want"), ORDERS)
def test_levels_come_in_the_order_of_the_model(levels, names, variables, want):
    (source,) = open_sources(levels, Choice(names=names, variables=variables, channels=len(want)))
    assert channels(source) == want


def test_levels_named_in_another_order_are_noted(levels):
    spec = DataSpec(0.0, 1.0, variables=("z850", "t500"))
    for variables in (("t", "z"), ("z", "t")):
        (source,) = open_sources(levels, Choice(names=spec.variables, variables=variables))
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            note_differences(spec, source, (H, W))
        order = "variables are in the order t500, z850, in the training data z850, t500."
        assert [str(note.message) for note in noted] == ([order] if variables == ("t", "z") else [])


@pytest.mark.parametrize(("file", "variables"), [("a.nc", ("t",)), ("t.nc", None)])
def test_a_level_that_is_not_there_is_no_other(levels, file, variables):
    message = r"\.nc must have 't' at the level of 't700', which the model takes, got the levels 500, 850; name a file"
    with pytest.raises(ValueError, match=message):
        open_sources(levels.with_name(file), Choice(names=("t850", "t700"), variables=variables, channels=2))


@pytest.mark.parametrize(
    ("own", "names", "axes"), [("t2m", ("t2m",), ()), ("t", ("t850",), ("level",)), ("t", ("t850", "t500"), ("level",))]
)
def test_another_variable_does_not_stand_for_one_on_axes_of_its_own(own, names, axes, tmp_path):
    """The model's own has an axis too many, and its name tells that it is meant."""
    where = ("time", "number", "realm", *axes, "lat", "lon")
    shape = [T, 2, 2, *(2 for _ in axes), H, W]
    made = {own: (where, np.zeros(shape)), "d2m": (("time", "lat", "lon"), np.ones((T, H, W)))}
    xarray.Dataset(made, WHERE).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match=rf"'{own}' of .*a.nc must be on \(time, lat, lon\).*; say which is which"):
        open_sources(tmp_path / "a.nc", Choice(names=names))
    (source,) = open_sources(tmp_path / "a.nc", Choice(names=("rain",)))  # of the one that is left
    assert channels(source) == [1]


def forecast_of(file, names, **options):
    """The last two frames again."""
    (source,) = open_sources(file, Choice(names=names, **options))
    past = np.asarray(source.series[0:T], np.float32)
    return Forecast(past[-2:], past, Scaler(), source, 3600.0, names)


@pytest.mark.parametrize("out", ["f.nc", "f.zarr"])
def test_a_forecast_is_on_the_levels_of_the_model(levels, tmp_path, out):
    write_forecast(tmp_path / out, forecast_of(levels, ("t850", "t500", "z500")))
    options = {"engine": "zarr", "consolidated": False} if out == "f.zarr" else {"engine": "h5netcdf"}
    with xarray.open_dataset(tmp_path / out, **options) as made:
        for level in (500, 850):
            assert (made.t.sel(level=level) == level).all()
        assert (made.z.sel(level=500) == 1500).all()
        assert made.z.sel(level=850).isnull().all()  # both are on one axis


def test_interleaved_levels_are_not_lost(levels, tmp_path):
    made = forecast_of(levels, ("t850", "z500", "t500"))
    with pytest.raises(ValueError, match=r"out must be an \.npy or \.npz file .* between the levels of 't', which"):
        write_forecast(tmp_path / "f.nc", made)
    write_forecast(tmp_path / "f.npy", made)
    assert np.load(tmp_path / "f.npy")[0, :, 0, 0].tolist() == [850, 1500, 500]


@pytest.mark.parametrize("order", [[0, 1, 3, 2], [0, 1, 1, 2]])
@pytest.mark.parametrize("calendar", ["numpy", "noleap"])
def test_times_ascend(tmp_path, order, calendar):
    time = HOURS
    if calendar == "noleap":
        time = xarray.date_range("2020-01-01", periods=T, freq="h", calendar="noleap", use_cftime=True).values
    made = {"t": (("time", "lat", "lon"), np.zeros((T, H, W)))}
    xarray.Dataset(made, {"time": time[order]}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    files = [tmp_path / "a.nc"]
    if calendar == "numpy":
        np.savez(tmp_path / "a.npz", t=np.zeros((T, H, W)), time=time[order])
        files.append(tmp_path / "a.npz")
    for file in files:
        with pytest.raises(
            ValueError, match=r"The time of .*a\.np?[cz] must ascend.* \(maps \d and \d\); sort its maps"
        ):
            open_sources(file, Choice())


def test_a_store_of_format_2_is_continued_in_zarr(levels, tmp_path):
    """Its coordinates are packed in a way that format 3 does not know."""
    with xarray.open_dataset(levels, engine="h5netcdf") as held:
        held[["t2m"]].to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=True)
    made = forecast_of(tmp_path / "a.zarr", ("t2m",))
    write_forecast(tmp_path / "f.zarr", made)
    with xarray.open_dataset(tmp_path / "f.zarr", engine="zarr", consolidated=False) as written:
        np.testing.assert_array_equal(written.lat, WHERE["lat"])
        assert (written.time.values == HOURS[-1] + np.arange(1, 3) * np.timedelta64(1, "h")).all()


@pytest.mark.parametrize(
    ("renamed", "axes", "units", "kept"),
    [
        ({}, None, {}, True),
        ({"lat": "north", "lon": "east"}, {"lat": "north", "lon": "east"}, {"units": "degrees_{}"}, True),
        ({"lat": "y", "lon": "x"}, None, {"units": "m"}, False),
    ],
)
def test_latitude_and_longitude_go_along_into_npz(levels, tmp_path, renamed, axes, units, kept):
    with xarray.open_dataset(levels, engine="h5netcdf") as held:
        made = held[["t2m"]].rename(renamed)
    for axis in renamed.values():
        made[axis].attrs |= {key: value.format(axis) for key, value in units.items()}
    made.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    write_forecast(tmp_path / "f.npz", forecast_of(tmp_path / "a.nc", ("t2m",), axes=axes))
    with np.load(tmp_path / "f.npz") as written:
        assert {"lat", "lon"} & {*written} == ({"lat", "lon"} if kept else set())
        if kept:
            np.testing.assert_array_equal(written["lat"], WHERE["lat"])
            np.testing.assert_array_equal(written["lon"], WHERE["lon"])


def test_frames_less_than_a_second_apart_are_all_written(tmp_path):
    frames = np.zeros((T, H, W), np.float32)
    np.savez(tmp_path / "a.npz", frames=frames, time=HOURS[0] + np.arange(T) * np.timedelta64(40, "ms"))
    (source,) = open_sources(tmp_path / "a.npz", Choice())
    made = Forecast(frames[:, None], frames[:, None], Scaler(), source, 0.04)
    write_forecast(tmp_path / "f", made)
    assert sorted(file.name for file in (tmp_path / "f").iterdir()) == [
        f"forecast_00{lead}.png" for lead in range(1, 5)
    ]
    write_forecast(tmp_path / "g", replace(made, step=60.0))
    assert min(file.name for file in (tmp_path / "g").iterdir()) == "20200101T000100.png"


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
@pytest.mark.parametrize("channels", [None, 1])
@pytest.mark.parametrize("scaler", [Scaler(-10.0, 95.0), Scaler((-10.0,), (95.0,))])
def test_codes_of_any_order_of_bytes_with_and_without_channels(tmp_path, dtype, channels, scaler):
    codes = np.arange(T * H * W).reshape(T, H, W).astype(dtype)
    np.save(tmp_path / "a.npy", codes if channels is None else codes[:, None])
    (source,) = open_sources(tmp_path / "a.npy", Choice(scaler=scaler, values="codes"))
    read = source.series[1:3]
    assert read.shape == (2, *source.series.shape[1:])
    want = codes[1:3].astype(float) / (255 if dtype == "u1" else 65535) * 95 - 10
    np.testing.assert_allclose(read.reshape(2, H, W), want, rtol=1e-5)
    with pytest.raises(ValueError, match=r"a\.npy holds uint.* numbers, which may be codes of 0 to .* say which"):
        open_sources(tmp_path / "a.npy", Choice(scaler=scaler))
