"""SEVIR, typhoons and radar archives: values, splits, catalogues that are wrong."""

import pickle
import shutil
from itertools import pairwise

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stblocks.data import SEVIR, RadarArchive, Scaler, Typhoon, vil_kg_m2

HEADER = "id,file_name,file_index,img_type,time_utc,pct_missing\n"
FILE = "vil/2018/SEVIR_VIL_STORMEVENTS_2018_0101_0630.h5"


def sevir(root, rows, count=3, image_type="vil", dtype=np.uint8, missing=None):
    """A file of `count` events of 4 x 5, whose pixels tell the event and the frame, and the catalogue."""
    file = root / "data" / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    codes = np.broadcast_to(np.arange(49) + 50 * np.arange(count)[:, None, None, None], (count, 4, 5, 49)).astype(dtype)
    if missing is not None:
        codes[0, 0, 0, 3] = missing
    with h5py.File(file, "w") as stored:
        stored[image_type], stored["id"] = codes, np.array([f"S{n}" for n in range(count)], dtype="S8")
    (root / "CATALOG.csv").write_text(HEADER + "".join(rows))
    return root


def row(number, time="2018-05-01 12:00:00", image_type="vil", file=FILE):
    return f"S{number},{file},{number},{image_type},{time},0.0\n"


def test_sevir_frames_and_splits(tmp_path):
    times = {0: "2018-12-31 23:59:59", 1: "2019-01-01 00:00:00", 2: "2019-06-01 00:00:00"}
    rows = [row(number, times[number]) for number in (2, 0, 1)]
    elsewhere = row(0, image_type="ir069") + row(0, file="vil/2017/not_fetched.h5") + row(0, image_type="lght")
    root = sevir(tmp_path, [*rows, elsewhere])
    for split, event in (("train", 0), ("validation", 1), ("test", 2)):
        data = SEVIR(root, split)
        assert (len(data), data.frame_shape, data.in_frames, data.out_frames) == (3, (1, 4, 5), 13, 12)
        for window in range(3):
            codes = data.scaler.to_physical(torch.cat(data[window]))[:, 0, 0, 0]
            np.testing.assert_allclose(codes, 50 * event + 12 * window + np.arange(25), atol=1e-4)
    assert (data.variables, data.seconds) == (("vil",), 300)
    assert len(SEVIR(root, stride=24)) == 2
    assert len(SEVIR(root, ends=("2019-05-31", "2020-01-01"))) == 3 * 2
    again = pickle.loads(pickle.dumps(SEVIR(root)))
    assert torch.equal(again[2].past, SEVIR(root)[2].past)


def test_sevir_missing_pixels_and_units(tmp_path):
    root = sevir(tmp_path, [row(0)], missing=255)
    with pytest.raises(ValueError, match=r"missing='mask'"):
        SEVIR(root)[0]
    masked = SEVIR(root, in_frames=2, out_frames=3, missing="mask")
    assert masked[0].future.isnan().sum() == 1
    assert masked[0].future[1, 0, 0, 0].isnan()
    file = tmp_path / "infrared"
    cold = SEVIR(sevir(file, [row(1, image_type="ir069")], image_type="ir069", dtype=np.int16), image_type="ir069")
    np.testing.assert_allclose(cold.scaler.to_physical(cold[0].past[:, 0, 0, 0]), 0.5 + np.arange(13) / 100, atol=1e-4)


def test_files_that_are_written_anew_are_read_anew(tmp_path):
    root = sevir(tmp_path / "sevir", [row(0)])
    assert SEVIR(root)[0].past.max() * 255 == pytest.approx(12)
    shutil.rmtree(root)
    sevir(root, [row(0)])
    with h5py.File(root / "data" / FILE, "r+") as stored:
        stored["vil"][:] = 200
    assert (SEVIR(root)[0].past * 255).unique().tolist() == pytest.approx([200])


def test_vil_in_physical_units():
    np.testing.assert_allclose(vil_kg_m2([0, 5, 18, 254]), [0, 0, 16 / 90.66, np.exp(215.1 / 83.9)])
    assert (np.diff(vil_kg_m2(np.arange(5, 255))) > 0).all()
    assert np.isnan(vil_kg_m2([np.nan])).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(0, file="../../elsewhere.h5")], "line 2: file_name must be a file in data"),
        ([row(0, file="/elsewhere.h5")], "line 2: file_name must be a file in data"),
        ([row(7)], "has 3 events, no row 7"),
        ([row(0), row(0, time="yesterday")], "line 3: time_utc must be a time"),
        ([row(0), "\n", row(0, time="yesterday")], "line 4: time_utc must be a time"),
        ([row(0, time="2020-01-01")], "no events of type vil for 'train'"),
    ],
)
def test_sevir_catalogues_that_are_wrong(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        SEVIR(sevir(tmp_path, rows))


def test_sevir_mistakes(tmp_path):
    root = sevir(tmp_path, [row(0)])
    with pytest.raises(ValueError, match="image_type must be one of vil"):
        SEVIR(root, image_type="lght")
    with pytest.raises(ValueError, match="the earlier one first"):
        SEVIR(root, ends=("2019-06-01", "2019-01-01"))
    with pytest.raises(ValueError, match="ends must be two dates such as"):
        SEVIR(root, ends=("soon", "later"))
    with pytest.raises(ValueError, match="fewer than in_frames"):
        SEVIR(root, in_frames=25, out_frames=25)
    with pytest.raises(ValueError, match=r"CATALOG\.csv cannot be read"):
        SEVIR(tmp_path / "data")
    with h5py.File(root / "data" / FILE, "w") as file:
        file["vil"] = np.zeros((3, 49, 4, 5), np.uint8)
    with pytest.raises(ValueError, match=r"must hold 'vil', integers \(N, H, W, 49\)"):
        SEVIR(root)
    (root / "CATALOG.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="must have the columns id"):
        SEVIR(root)


def typhoons(count):
    return np.random.default_rng(0).integers(0, 256, (count, 12, 6, 8), dtype=np.uint8)


def test_typhoons_of_a_file(tmp_path):
    np.save(tmp_path / "typhoon.npy", typhoons(8))
    train, test = (Typhoon(tmp_path / "typhoon.npy", split, size=None) for split in ("train", "test"))
    assert (len(train), len(test), train.in_frames, train.out_frames) == (6, 2, 8, 4)
    for index, sample in enumerate([*train, *test]):
        np.testing.assert_allclose(torch.cat(sample)[:, 0] * 255, typhoons(8)[index], atol=1e-4)
    assert Typhoon(tmp_path / "typhoon.npy").frame_shape == (1, 64, 64)
    many = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (2412, 12, 1, 1), (0, 0, 0, 0))
    np.save(tmp_path / "many.npy", many)
    assert [len(Typhoon(tmp_path / "many.npy", split, size=None)) for split in ("train", "test")] == [1809, 603]


def test_typhoons_in_folders(tmp_path):
    for number, frames in enumerate(typhoons(4)):
        (tmp_path / f"typhoon_{number}").mkdir()
        for hour, frame in enumerate(frames):
            np.save(tmp_path / f"typhoon_{number}" / f"{hour}.npy", frame)
    test = Typhoon(tmp_path, "test", size=None)
    assert len(test) == 1
    np.testing.assert_allclose(torch.cat(test[0])[:, 0] * 255, typhoons(4)[3], atol=1e-4)
    np.save(tmp_path / "typhoon_2" / "12.npy", typhoons(1)[0, 0])
    with pytest.raises(ValueError, match=r"typhoon_2 must hold the 12 frames .* got 13"):
        Typhoon(tmp_path)


def test_typhoon_mistakes(tmp_path):
    np.save(tmp_path / "short.npy", np.zeros((3, 11, 4, 4), np.uint8))
    with pytest.raises(ValueError, match=r"must hold sequences \(N, 12, H, W\)"):
        Typhoon(tmp_path / "short.npy")
    with pytest.raises(ValueError, match="no validation part"):
        Typhoon(tmp_path / "short.npy", "validation")
    np.save(tmp_path / "one.npy", typhoons(1))
    with pytest.raises(ValueError, match="too few for a part to train"):
        Typhoon(tmp_path / "one.npy", "test")


def test_typhoons_by_a_scaler_of_channels(tmp_path):
    np.save(tmp_path / "a.npy", np.full((4, 12, 8, 8), 51, np.uint8))
    data = Typhoon(tmp_path / "a.npy", scaler=Scaler((10.0,), (70.0,)))
    np.testing.assert_allclose(data[0].past, 0.2, rtol=1e-6)


def archive(root, minutes):
    """Maps whose pixels tell their minute after midnight."""
    time = np.datetime64("2019-06-01T00:00", "s") + np.array(minutes) * np.timedelta64(60, "s")
    rain = np.broadcast_to(np.array(minutes, np.float32)[:, None, None], (len(minutes), 3, 4))
    np.savez(root / "rain.npz", rain=rain, time=time, lat=np.arange(3.0), lon=np.arange(4.0))
    return root / "rain.npz"


def catalogue(root, *lines):
    (root / "events.csv").write_text("start,end,split,remark\n" + "".join(f"{line}\n" for line in lines))
    return root / "events.csv"


def first_minutes(data):
    return [round(sample.past[0, 0, 0, 0].item()) for sample in data]


def test_events_of_an_archive(tmp_path):
    path = archive(tmp_path, [*range(0, 60, 5), *range(70, 120, 5)])  # there is a hole before 70
    events = catalogue(
        tmp_path,
        "2019-06-01T00:05,2019-06-01T00:20,train,rain",
        "2019-06-01 00:45,2019-06-01 01:30,train,over the hole",
        "2019-06-01T01:40:00,2019-06-01T02:00,test,",
    )
    train = RadarArchive(path, events, variable="rain", in_frames=2, out_frames=1, scaler=Scaler(0, 1, "mm"))
    assert first_minutes(train) == [5, 10, 45, 70, 75, 80]
    assert (train.variables, train.seconds, train.scaler.unit) == (("rain",), 300, "mm")
    assert first_minutes(RadarArchive(path, events, "test", variable="rain", in_frames=2, out_frames=1)) == [100, 105]
    assert first_minutes(RadarArchive(path, events, variable="rain", in_frames=2, out_frames=1, stride=2)) == [
        5,
        45,
        70,
        80,
    ]
    with pytest.raises(ValueError, match=r"No event for 'test' .* has 5 maps without a hole .* at most 4"):
        RadarArchive(path, events, "test", variable="rain", in_frames=4, out_frames=1)
    with pytest.raises(ValueError, match="no event for 'validation'"):
        RadarArchive(path, events, "validation", variable="rain", in_frames=2, out_frames=1)
    with pytest.raises(ValueError, match="has no variable 'snow'"):
        RadarArchive(path, events, variable="snow", in_frames=2, out_frames=1)


@pytest.mark.parametrize(
    ("end", "last"), [("2019-06-02", 2760), ("2019-06", 4200), ("2019-06-02T00", 1380), ("2019-06-02 00:00", 1380)]
)
def test_an_event_ends_with_the_day_that_it_names(end, last, tmp_path):
    path = archive(tmp_path, range(0, 3 * 1440, 60))  # of three days, hourly
    data = RadarArchive(
        path, catalogue(tmp_path, f"2019-06-01,{end},train,"), variable="rain", in_frames=1, out_frames=1
    )
    assert [first_minutes(data)[0], first_minutes(data)[-1]] == [0, last]


def test_an_archive_in_zarr(tmp_path):
    xarray, _ = pytest.importorskip("xarray"), pytest.importorskip("zarr")
    with np.load(archive(tmp_path, range(0, 60, 5))) as held:
        maps = xarray.DataArray(
            held["rain"],
            dims=("time", "y", "x"),
            coords={"time": held["time"].astype("M8[ns]"), "y": held["lat"], "x": held["lon"]},
        )
    maps.to_dataset(name="dbz").to_zarr(tmp_path / "rain.zarr", zarr_format=2, consolidated=True)
    events = catalogue(tmp_path, "2019-06-01T00:05,2019-06-01T00:20,train,")
    data = RadarArchive(tmp_path / "rain.zarr", events, variable="dbz", in_frames=2, out_frames=1)
    assert first_minutes(data) == [5, 10]


def maps(time, **levels):
    import xarray

    shape = (len(time), *map(len, levels.values()), 3, 4)
    axes = {"time": time, **levels, "y": np.arange(3.0), "x": np.arange(4.0)}
    return xarray.DataArray(np.ones(shape, np.float32), axes, tuple(axes)).to_dataset(name="dbz")


def test_an_archive_of_one_level(tmp_path):
    time = np.datetime64("2019-06-01", "ns") + np.arange(4) * np.timedelta64(300, "s")
    events = catalogue(tmp_path, "2019-06-01,2019-06-01,train,")
    options = {"variable": "dbz", "in_frames": 2, "out_frames": 1}
    maps(time, height=[1500.0]).to_netcdf(tmp_path / "one.nc", engine="h5netcdf")
    assert len(RadarArchive(tmp_path / "one.nc", events, **options)) == 2
    maps(time, height=[500.0, 1500.0]).to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    with pytest.raises(
        ValueError, match=r"'dbz' has the levels 500.0, 1500.0 .* got None; .* write a file of one level"
    ):
        RadarArchive(tmp_path / "two.nc", events, **options)


@pytest.mark.parametrize(("calendar", "days"), [("noleap", 365), ("360_day", 360)])
def test_a_calendar_without_the_dates_of_the_catalogue(tmp_path, calendar, days):
    import xarray

    time = xarray.date_range("2019-06-01", periods=9, freq="D", calendar=calendar, use_cftime=True)
    maps(time).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(
        ValueError, match=rf"must have the calendar of the catalogue, got one whose years all have {days}"
    ):
        RadarArchive(
            tmp_path / "a.nc",
            catalogue(tmp_path, "2019-06-01,2019-06-09,train,"),
            variable="dbz",
            in_frames=2,
            out_frames=1,
        )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("\n\nsoon,2019-06-01,train,", "line 4: start and end must be times"),
        ("soon,2019-06-01,train,", "line 2: start and end must be times"),
        ("20190601,20190602,train,", r"must be times such as 2019-06-01T08:00 or .*, got '20190601' and '20190602'"),
        ("2019-06-01,201906010800,train,", "line 2: start and end must be times"),
        ("now,2100,train,", "line 2: start and end must be times"),
        ("2019-06-02,2019-06-01,train,", "must start before it ends"),
        ("2019-06-01,2019-06-02,Train,", "for train, validation or test"),
    ],
)
def test_catalogues_that_are_wrong(tmp_path, line, message):
    with pytest.raises(ValueError, match=message):
        RadarArchive(archive(tmp_path, [0, 5]), catalogue(tmp_path, line), variable="rain", in_frames=1, out_frames=1)


def test_no_moment_is_in_two_splits(tmp_path):
    path = archive(tmp_path, [*range(0, 60, 5)])
    days = ["2019-06-01T00:20,2019-06-01T00:24,test,", "2019-06-01,2019-06-01T00:15,train,"]
    close = [*days, "2019-06-01T00:10,2019-06-01T00:19,train,", "2019-06-01T00:25,2019-06-01,train,"]
    data = RadarArchive(path, catalogue(tmp_path, *close), variable="rain", in_frames=1, out_frames=1)
    assert first_minutes(data) == [0, 5, 10, 10, 25, 30, 35, 40, 45, 50]
    for late in ("2019-06-01T00:10,2019-06-01T00:20,train,", "2019-05-01,2019-06-01,validation,"):
        with pytest.raises(ValueError, match=r"has an event for '.*' from .* let one end before the other"):
            RadarArchive(path, catalogue(tmp_path, *days, late), variable="rain", in_frames=1, out_frames=1)


def test_no_catalogue(tmp_path):
    (tmp_path / "events.csv").write_text("from,to\n1,2\n")
    with pytest.raises(ValueError, match="must have the columns start, end, split"):
        RadarArchive(archive(tmp_path, [0, 5]), tmp_path / "events.csv", variable="rain", in_frames=1, out_frames=1)


@given(st.lists(st.integers(1, 3), min_size=3, max_size=12), st.integers(0, 10), st.integers(0, 10))
def test_windows_of_events_have_no_hole(tmp_path_factory, gaps, start, length):
    root = tmp_path_factory.mktemp("archive")
    minutes = np.cumsum([0, *gaps])
    path = archive(root, minutes.tolist())
    end = start + length
    events = catalogue(root, f"2019-06-01T00:{start:02d},2019-06-01T00:{end:02d},train,")
    usual = np.median(gaps)
    expected = [int(a) for a, b in pairwise(minutes) if start <= a and b <= end and b - a <= 1.5 * usual]
    if expected:
        assert first_minutes(RadarArchive(path, events, variable="rain", in_frames=1, out_frames=1)) == expected
    else:
        with pytest.raises(ValueError, match="No event for 'train'"):
            RadarArchive(path, events, variable="rain", in_frames=1, out_frames=1)
