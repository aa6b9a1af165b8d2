"""`stblocks predict` and `evaluate`: frames of any kind of file in, the model's own forecast of them out."""

import json
import re
import shlex
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from released import released

from stblocks import Forecaster, create_model
from stblocks.cli import main
from stblocks.cli.command import COMMANDS
from stblocks.cli.evaluate import unbroken
from stblocks.data import DataSpec, Scaler, SequenceWindows
from stblocks.data.folders import read_frame
from stblocks.formats.continued import continued, seconds_apart
from stblocks.formats.source import Source
from stblocks.interop import KINDS
from stblocks.score import evaluate

xarray = pytest.importorskip("xarray")

ROOT = Path(__file__).resolve().parents[1]
SIZE = (16, 12)
DBZ, KELVIN = Scaler(-10.0, 95.0, "dBZ"), Scaler(280.0, 5.0, "K")
CODES = np.random.default_rng(0).integers(0, 200, (6, *SIZE), dtype=np.uint8)
TEMPERATURE = (280 + 5 * np.random.default_rng(1).standard_normal((6, *SIZE))).astype(np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Models and frames of every kind."""
    place = tmp_path_factory.mktemp("frames")
    torch.manual_seed(0)
    recurrent = create_model("convlstm", image_size=SIZE, channels=4, num_layers=1, kernel_size=3)
    recurrent.save_pretrained(place / "unknown")
    know(recurrent, DBZ, 300.0, 3, 2, place / "rain")
    with torch.no_grad():
        recurrent.head[0].weight.fill_(3e38)
    know(recurrent, DBZ, 300.0, 3, 2, place / "wild")
    small = {"channels": 4, "translator_channels": 8, "num_layers": 1, "encoder_layers": 2, "in_frames": 4}
    direct = create_model("simvpv2_s", image_size=SIZE, out_frames=2, **small)
    know(direct, KELVIN, 3600.0, 4, 2, place / "heat")
    more = create_model("simvpv2_s", 3, SIZE, out_channels=1, out_frames=2, **small)
    more.data_spec = DataSpec(280.0, 5.0, "K", ("t2m",), 3600.0, 4, 2, SIZE).to_dict()
    more.save_pretrained(place / "more")
    np.save(place / "codes.npy", CODES)
    np.save(place / "dbz.npy", DBZ.to_physical(CODES / np.float64(255)))
    np.savez(place / "sets.npz", train=np.stack([CODES, CODES[::-1]]), label=np.arange(2), test=CODES[None, :, None])
    (place / "png").mkdir()
    for hour, frame in enumerate(CODES, start=18):
        Image.fromarray(frame).save(place / "png" / f"rain_20190131{hour:02d}00.png")
    first, *rest = map(Image.fromarray, CODES)
    first.save(place / "codes.gif", save_all=True, append_images=rest)
    lat = ("lat", np.linspace(60, 50, SIZE[0]), {"units": "degrees_north"})
    lon = ("lon", np.linspace(0, 9, SIZE[1]), {"units": "degrees_east"})
    time = np.datetime64("2019-01-31T20:00", "ns") + np.arange(6) * np.timedelta64(1, "h")
    t2m = (("time", "lat", "lon"), TEMPERATURE, {"units": "K", "long_name": "2 m temperature"})
    data = xarray.Dataset({"t2m": t2m, "flag": ("time", np.arange(6))}, {"time": time, "lat": lat, "lon": lon})
    data.to_netcdf(place / "heat.nc", engine="h5netcdf")
    data[["t2m"]].to_zarr(place / "heat.zarr", consolidated=False)
    days = xarray.date_range("2019-02-27", periods=6, freq="D", calendar="noleap", use_cftime=True)
    data[["t2m"]].assign_coords(time=days).to_netcdf(place / "noleap.nc", engine="h5netcdf")
    data.isel(time=[0, 1, 2, 3, 5]).to_netcdf(place / "gap.nc", engine="h5netcdf")
    broken = RAIN.copy()
    broken[3, 2, 1] = np.nan
    np.save(place / "nan.npy", broken)
    infinite = np.where(np.isnan(broken), np.inf, broken)
    infinite[4:, 2, 1] = np.nan  # not filled with infinity before that is counted
    np.save(place / "inf.npy", infinite)
    gaps = create_model("convlstm", image_size=SIZE, channels=4, num_layers=1, kernel_size=3)
    gaps.data_spec = DataSpec(-10.0, 95.0, "dBZ", None, 300.0, 3, 2, SIZE, fill="last").to_dict()
    gaps.save_pretrained(place / "gaps")
    (place / "broken.gif").write_bytes(b"GIF89a" + bytes(5))
    (place / "notes.txt").write_text("none")
    (place / "empty").mkdir()
    np.savez(place / "heat.npz", t2m=TEMPERATURE, time=time, lat=lat[1], lon=lon[1])
    return place


def know(model, scaler, step, in_frames, out_frames, folder):
    spec = DataSpec(scaler.offset, scaler.scale, scaler.unit, None, step, in_frames, out_frames, SIZE)
    model.data_spec = spec.to_dict()
    model.save_pretrained(folder)


def expected(folder, scaler, physical, horizon):
    """The model's own forecast of `(T, H, W)`."""
    past = torch.from_numpy(scaler.to_model(np.asarray(physical, np.float64))[None, :, None]).float()
    with torch.no_grad():
        return scaler.to_physical(Forecaster.from_pretrained(folder)(past, horizon)[0].double()).numpy()


def predict(*arguments):
    main(["predict", *map(str, arguments)])


RAIN = DBZ.to_physical(CODES / np.float64(255))
CASES = [
    ("codes.npy", "--values codes", "rain", RAIN),
    ("dbz.npy", "", "rain", RAIN),
    ("dbz.npy", "--last 2", "rain", RAIN[-2:]),
    ("sets.npz", "--key train --sequence 1 --values codes", "rain", RAIN[::-1]),
    ("sets.npz", "--key test --sequence 0 --values codes", "rain", RAIN),
    ("codes.npy", "--values physical", "rain", CODES),
    ("png", "", "rain", RAIN),
    ("codes.gif", "", "rain", RAIN),
    ("heat.nc", "", "heat", TEMPERATURE[-4:]),
    ("heat.nc", "--variable t2m --axes lat=lat", "heat", TEMPERATURE[-4:]),
    ("heat.zarr", "", "heat", TEMPERATURE[-4:]),
    ("heat.npz", "", "heat", TEMPERATURE[-4:]),
    ("codes.npy", "--values codes --offset 0 --scale 255 --unit mm", "unknown", CODES),
]


@pytest.mark.parametrize(("frames", "options", "model", "physical"), CASES)
def test_any_file_is_forecast_as_its_values_are(frames, options, model, physical, place, tmp_path, capsys):
    out = tmp_path / "new" / "forecast.npy"
    predict(place / model, place / frames, "--horizon", 3, "--out", out, *options.split())
    scaler = {"rain": DBZ, "heat": KELVIN, "unknown": Scaler(0, 255)}[model]
    forecast = np.load(out)
    assert forecast.dtype == np.float32
    np.testing.assert_allclose(forecast, expected(place / model, scaler, physical, 3), rtol=1e-5, atol=1e-4)
    unit = "mm" if model == "unknown" else scaler.unit
    printed = capsys.readouterr().out
    assert re.fullmatch(rf"{re.escape(str(out))}: 3 frames of 1 x 16 x 12 after \d, \S+ to \S+ {unit}\n", printed)
    assert [path.name for path in out.parent.iterdir()] == ["forecast.npy"]


@pytest.mark.parametrize(("frames", "out"), [("heat.nc", "f.nc"), ("heat.zarr", "f.zarr"), ("heat.nc", "f.zarr")])
def test_coordinates_units_and_times_go_on(frames, out, place, tmp_path):
    predict(place / "heat", place / frames, "--horizon", 3, "--out", tmp_path / out)
    engine = "zarr" if out.endswith("zarr") else "h5netcdf"
    options = {"consolidated": False} if engine == "zarr" else {}
    with (
        xarray.open_dataset(tmp_path / out, engine=engine, **options) as made,
        xarray.open_dataset(place / "heat.nc", engine="h5netcdf") as given,
    ):
        assert list(made.data_vars) == ["t2m"]
        assert made["t2m"].dims == ("time", "lat", "lon")
        assert made["t2m"].attrs == given["t2m"].attrs
        assert made["lat"].equals(given["lat"])
        assert made["lon"].attrs == given["lon"].attrs
        hours = np.datetime64("2019-02-01T02:00") + np.arange(3) * np.timedelta64(1, "h")
        assert (made["time"].values == hours).all()
        want = expected(place / "heat", KELVIN, TEMPERATURE[-4:], 3)[:, 0]
        np.testing.assert_allclose(made["t2m"].values, want, rtol=1e-5)


def test_calendars_go_on(place, tmp_path, capsys):
    predict(place / "heat", place / "noleap.nc", "--horizon", 2, "--out", tmp_path / "f.nc")
    assert "note: frames are 86400 s apart, those of the training data 3600 s." in capsys.readouterr().err
    with xarray.open_dataset(tmp_path / "f.nc", engine="h5netcdf") as made:
        assert [str(time)[:10] for time in made["time"].values] == ["2019-03-05", "2019-03-06"]
        assert made["time"].values[0].calendar == "noleap"


def test_what_is_written_is_read_again(place, tmp_path):
    """With its times, so that a forecast can be forecast from."""
    for name in ("a.npz", "a.nc"):
        predict(place / "heat", place / "heat.npz", "--horizon", 4, "--out", tmp_path / name)
    first = np.load(tmp_path / "a.npz")["forecast"][:, 0]
    want = expected(place / "heat", KELVIN, first, 2)
    for name in ("a.npz", "a.nc"):
        predict(place / "heat", tmp_path / name, "--horizon", 2, "--out", tmp_path / "b.npz", "--force")
        made = np.load(tmp_path / "b.npz")
        np.testing.assert_allclose(made["forecast"], want, rtol=1e-5)
        assert str(made["time"][0])[:16] == "2019-02-01T06:00"


def test_lead_times_stand_for_unknown_times(place, tmp_path):
    predict(place / "rain", place / "dbz.npy", "--horizon", 2, "--out", tmp_path / "f.nc")
    with xarray.open_dataset(tmp_path / "f.nc", engine="h5netcdf") as made:
        assert made["forecast"].dims == ("lead", "y", "x")
        assert made["lead"].values.tolist() == [1, 2]
        assert made["forecast"].attrs["units"] == "dBZ"


def test_pictures_are_codes_and_are_named_by_their_times(place, tmp_path, capsys):
    predict(place / "rain", place / "png", "--horizon", 2, "--out", tmp_path / "f")
    files = sorted((tmp_path / "f").iterdir())
    assert [file.name for file in files] == ["20190201T000000.png", "20190201T010000.png"]
    want = DBZ.to_model(expected(place / "rain", DBZ, RAIN, 2))
    codes = np.stack([read_frame(file) for file in files])
    np.testing.assert_allclose(codes / 65535, want.clip(0, 1), atol=1e-5)
    below = int((want < 0).sum())
    assert f"note: {below} of {want.size} values are outside of what pixels stand for" in capsys.readouterr().err
    assert below
    predict(place / "rain", place / "dbz.npy", "--horizon", 1, "--out", tmp_path / "f", "--force")
    assert [file.name for file in (tmp_path / "f").iterdir()] == ["forecast_001.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_gif_shows_what_was_seen_and_what_is_forecast(place, tmp_path):
    predict(place / "rain", place / "dbz.npy", "--horizon", 3, "--out", tmp_path / "f.gif")
    with Image.open(tmp_path / "f.gif") as image:
        assert image.n_frames == 6 + 3
        assert image.size == (12 * 16, 16 * 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "rain codes.npy",
            r"codes\.npy holds uint8 numbers, which may be codes .* or physical values in dBZ; say which",
        ),
        ("rain dbz.npy --values codes", r"values can be 'codes' in arrays of uint8 and uint16, got float64"),
        ("unknown dbz.npy", "does not say what 0 and 1 are to the model; give --offset and --scale"),
        ("unknown dbz.npy --offset 3", "--offset and --scale belong together"),
        ("nosuch dbz.npy", "There is no directory .*nosuch"),
        ("rain nosuch.npy", r"There is no .*nosuch\.npy; name a file or folder"),
        ("rain sets.npz", r"has 2 arrays that can be frames \(train, test\); choose one, as by --key train"),
        ("rain sets.npz --key trains", "has no array 'trains'; did you mean train"),
        ("rain sets.npz --key label", r"must hold \(T, H, W\) or \(T, C, H, W\), got \(2,\)"),
        ("rain sets.npz --key test", r"got \(1, 6, 1, 16, 12\); choose one of its sequences, as by --sequence 0"),
        (
            "rain sets.npz --key train --values codes",
            "frames of 6 channels, but the model takes 1; if it holds sequenc",
        ),
        ("rain sets.npz --key train --sequence 2", "sequence must be below 2"),
        ("rain dbz.npy --key x", r"key is for \.npz files, got .*dbz\.npy; leave it out"),
        ("rain png --variable t2m", r"variables is for \.nc and \.nc4 and \.zarr files"),
        ("rain dbz.npy --last 7", "must hold 7 frames at least, got 6"),
        ("heat heat.nc --last 3", "--last must be 4, the frames that this model takes, got 3"),
        ("heat heat.nc --variable t3m", "has no variable 't3m', only flag, t2m"),
        ("more heat.nc", "but the model takes 3; name as many of its variables; if those beside t2m are .*--extras"),
        ("heat heat.nc --axes north=lat", "must be such as lat=north"),
        (
            "heat gap.nc",
            r"gap\.nc must hold 4 frames at least after the hole in time before 2019-02-01T01:00:00, got 1",
        ),
        (
            "rain nan.npy",
            r"has 1 missing values \(NaN\) in the last 6 frames, and the model does not say how to fill .* --fill zero",
        ),
        ("rain nan.npy --fill mean", "argument --fill: invalid choice: 'mean'"),
        ("rain inf.npy --fill last", "has 1 infinite values in the last 6 frames; mark what is missing by NaN"),
        ("wild dbz.npy", "The forecast has .* values that are not finite, first in frame 2; nothing is written"),
        ("rain broken.gif", r"broken\.gif cannot be read as a GIF"),
        ("rain notes.txt", r"must be a folder of images or end in \.npy"),
        ("rain empty", "holds no frames"),
        ("rain dbz.npy --device abc", "--device must be one that there is, got abc"),
        ("rain dbz.npy --out x.mp4", r"out must end in \.npy, \.npz, \.nc, \.zarr, \.gif, or in nothing for a folder"),
        ("rain dbz.npy --out dbz.npy", r"dbz\.npy is there already; name another file, or replace it with --force"),
        ("rain dbz.npy --out png", "png is there already"),
        ("rain dbz.npy --horizon 0", "argument --horizon: must be at least 1, got 0"),
        ("rain dbz.npy --lst 3", "there is no argument --lst 3; did you mean --last?"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(arguments, message, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    model, frames, *options = arguments.split()
    given = {} if "--out" in options else {"--out": str(tmp_path / "f.npy")}
    given |= {} if "--horizon" in options else {"--horizon": "2"}
    before = sorted(map(str, place.rglob("*")))
    with pytest.raises(SystemExit) as stopped:
        predict(model, frames, *options, *[part for pair in given.items() for part in pair])
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("stblocks predict: ")
    assert printed.err.count("\n") == 1
    assert re.search(message, printed.err), printed.err
    assert printed.out == ""
    assert sorted(map(str, place.rglob("*"))) == before
    assert list(tmp_path.iterdir()) == []


def test_another_unit_is_noted(place, tmp_path, capsys):
    """Degrees Celsius, in a file that does not say so, for a model of kelvin, whose world deviates by 20 of them."""
    np.save(tmp_path / "celsius.npy", TEMPERATURE - 273.15)
    alike = [tmp_path / "celsius.npy", "--horizon", 1, "--out", tmp_path / "f.npy", "--force"]
    predict(place / "unknown", *alike, "--offset", 279, "--scale", 20)
    assert re.search(r"note: frames reach from -1\d.* to -1\d.* in model units", capsys.readouterr().err)
    predict(place / "unknown", *alike, "--offset", 0, "--scale", 1)
    assert "note" not in capsys.readouterr().err  # without a scaler values may be any
    predict(place / "heat", *alike)
    assert re.search(r"note: frames reach from -5.* to -5.* in model units.*: are their unit", capsys.readouterr().err)
    predict(place / "heat", place / "heat.npz", "--horizon", 1, "--out", tmp_path / "f.npy", "--force")
    assert "note" not in capsys.readouterr().err


def test_other_sizes_are_noted(place, tmp_path, capsys):
    np.save(tmp_path / "large.npy", np.zeros((2, 80, 60)))
    predict(place / "rain", tmp_path / "large.npy", "--horizon", 1, "--out", tmp_path / "f.npy")
    note = capsys.readouterr().err
    assert "note: frames are 80 x 60, those of the training data 16 x 12.\n" in note
    assert note.count("\n") == 1


def test_times_go_on_evenly():
    time = np.array(["2019-01-01T00:00:00.000001", "2019-01-01T00:05", "2019-01-01T00:10"], "M8[us]")
    assert seconds_apart(time) == pytest.approx(300, abs=1e-5)
    assert seconds_apart(time[:1]) is None
    assert (continued(time, 300.0, 2) == np.array(["2019-01-01T00:15", "2019-01-01T00:20"], "M8[us]")).all()
    with pytest.raises(ValueError, match=r"evenly.*comes 0 s after"):
        seconds_apart(time[[0, 1, 1, 2]])


@pytest.mark.parametrize(
    ("seen", "later"),
    [
        ("2019-11-01 2019-12-01 2020-01-01", "2020-02-01 2020-03-01 2020-04-01"),
        ("2018-12-31 2019-01-31", "2019-02-28 2019-03-31 2019-04-30"),  # the last days of months
        ("2019-01-16T12:00 2019-04-16T12:00", "2019-07-16T12:00 2019-10-16T12:00 2020-01-16T12:00"),
        ("2014-01-01 2016-01-01 2018-01-01", "2020-01-01 2022-01-01 2024-01-01"),
        ("2019-01-31 2019-02-01", "2019-02-02 2019-02-03 2019-02-04"),  # a day, though from month to month
        ("2019-01-30 2019-03-01 2019-03-31", "2019-04-30 2019-05-30 2019-06-29"),  # 30 days
        ("2019-01-29 2019-03-29 2019-05-29", "2019-07-28 2019-09-26 2019-11-25"),  # not every month has it
        ("2019-01-05", "2019-02-04T10:00 2019-03-06T20:00 2019-04-06T06:00"),
        ("20190-01-01 20190-02-01", "20190-03-04 20190-04-04 20190-05-05"),  # too far for nanoseconds
    ],
)
def test_months_go_on_as_months(seen, later):
    time = np.array(seen.split(), "M8[us]")
    step = seconds_apart(time) or 30 * 86400.0 + 10 * 3600
    found = continued(time, step, 3)
    assert found.dtype == np.dtype("M8[us]" if later.startswith("20190-") else "M8[ns]")
    assert (found == np.array(later.split(), "M8[us]")).all()


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "standard"])
def test_months_of_other_calendars_go_on_as_months(calendar):
    days = xarray.date_range("2019-11-01", periods=8, freq="MS", calendar=calendar, use_cftime=True).values
    assert (continued(days[:3], 1.0, 5) == days[3:]).all()


@pytest.mark.parametrize("ending", ["md", "json", "csv", None])
def test_scores_are_those_of_evaluate(ending, place, tmp_path, capsys):
    out = [] if ending is None else ["--out", str(tmp_path / f"scores.{ending}")]
    choice = ["--key", "train", "--sequence", "all", "--values", "codes", "--horizon", "2"]
    choice += ["--threshold", "20", "--window", "3"]
    main(["evaluate", str(place / "rain"), str(place / "sets.npz"), *choice, "--metric", "mse@pixel", *out])
    series = [RAIN.astype(np.float32), RAIN[::-1].astype(np.float32)]
    data = SequenceWindows(series, 3, 2, scaler=DBZ)
    tables = evaluate(
        Forecaster.from_pretrained(place / "rain"), data, thresholds=(20.0,), windows=(3,), metrics=["mse@pixel"]
    )
    want = tables["model"].to_markdown(tables["persistence"])
    printed = capsys.readouterr().out
    if ending is None:
        assert printed == f"{want}\n\n4 windows of 2 sequences\n"
    elif ending == "md":
        assert (tmp_path / "scores.md").read_text() == f"{want}\n"
    elif ending == "csv":
        assert (tmp_path / "scores.csv").read_text().startswith("forecast,lead,mse@pixel,csi@20")
    else:
        held = json.loads((tmp_path / "scores.json").read_text())
        assert held["model"]["pooled"]["mse@pixel"] == pytest.approx(tables["model"].pooled["mse@pixel"])
        assert len(held["persistence"]["lead"]) == 2
    assert ending is None or printed.startswith(str(tmp_path / f"scores.{ending}"))
    assert printed.endswith("4 windows of 2 sequences\n")


@pytest.mark.parametrize(
    ("model", "options", "fill", "note"),
    [
        ("gaps", [], "last", "1 of 1152 values are missing; filled by 'last'."),
        ("gaps", ["--fill", "zero"], "zero", "--fill zero takes the place of 'last', which .* was trained with."),
        ("rain", ["--fill", "last"], "last", "filled by 'last'"),
    ],
)
def test_missing_cells_are_filled_as_in_training_or_as_told(model, options, fill, note, place, tmp_path, capsys):
    out = tmp_path / "f.npy"
    predict(place / model, place / "nan.npy", "--horizon", 2, "--out", out, *options)
    assert re.search(f"note: .*{note}", capsys.readouterr().err)
    frames = np.load(place / "nan.npy")
    filled = frames.copy()
    filled[3, 2, 1] = {"last": frames[2, 2, 1], "zero": -10.0}[fill]
    np.testing.assert_allclose(np.load(out), expected(place / model, DBZ, filled, 2), rtol=1e-5, atol=1e-4)
    predict(place / model, place / "nan.npy", "--horizon", 2, "--out", tmp_path / "f.gif", *options)
    scores = tmp_path / "scores.json"
    arguments = [place / model, place / "nan.npy", "--metric", "mse@pixel", "--out", scores, *options]
    main(["evaluate", *map(str, arguments)])
    data = SequenceWindows(frames, 3, 2, scaler=DBZ, missing="mask", fill=fill)
    table = evaluate(Forecaster.from_pretrained(place / model), data, metrics=["mse@pixel"])["model"]
    assert json.loads(scores.read_text())["model"]["pooled"]["mse@pixel"] == table.pooled["mse@pixel"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("unknown dbz.npy --offset 0 --scale 1", "does not say how many frames it forecasts from how many"),
        (
            "rain dbz.npy --in_frames 9",
            r"must hold 11, in_frames \+ horizon, without a hole in time, got at most 6; take a shorter",
        ),
        (
            "rain nan.npy",
            r"Window \d \(.*\) has 1 missing values in its past frames, and nothing says what .* give fill='zero' or",
        ),
        ("rain dbz.npy --window 3", "windows need thresholds"),
        ("rain dbz.npy --window 4 --threshold 20", r"windows must be odd numbers of pixels, got \[4\]"),
        ("rain dbz.npy --metric mse", "metrics must be among mse@pixel"),
        ("rain dbz.npy --out scores.txt", r"out must end in \.md, \.json, \.csv, got scores\.txt"),
        ("rain dbz.npy --sequence some", "invalid integer or all value: 'some'"),
    ],
)
def test_a_mistake_in_evaluate_is_one_line(arguments, message, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *arguments.split()])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert re.search(message, printed), printed


@pytest.fixture
def as_in_the_docs(tmp_path, monkeypatch):
    """Small files by the names of the examples."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    small = {"channels": 4, "num_layers": 1, "kernel_size": 3}
    know(create_model("gmg_s", image_size=(16, 16), **small), DBZ, 300.0, 2, 3, "runs/radar/model")
    know(create_model("convlstm", image_size=(16, 16), **small), KELVIN, 3600.0, 2, 3, "runs/weather/model")
    (tmp_path / "radar").mkdir()
    for number, frame in enumerate(CODES):
        Image.fromarray(frame).save(tmp_path / "radar" / f"rain_{number}.png")
    np.savez("radar.npz", train=np.stack([CODES] * 4), test=np.stack([CODES] * 4))
    data = {"t2m": (("time", "lat", "lon"), TEMPERATURE), "z": (("time", "lat", "lon"), TEMPERATURE)}
    axes = {"time": np.datetime64("2020-01-01", "ns") + np.arange(6) * np.timedelta64(1, "h")}
    axes |= {"lat": np.arange(16.0), "lon": np.arange(12.0)}
    xarray.Dataset(data, axes).to_netcdf("era5.nc", engine="h5netcdf")
    settings = {"in_shape": [3, 1, 8, 12], "patch_size": 1, "filter_size": 3, "layer_norm": 0}
    config = {"num_layers": 2, "num_hidden": [4, 4], "neighbour": 3, "att_hidden": 3, "configs": settings}
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save(released(KINDS["gmg/model"](config)), "gmg.pth")


def examples():
    """Commands of the page and of the help."""
    texts = [(ROOT / "docs" / "cli.md").read_text(encoding="utf-8")]
    texts += [import_module(f"stblocks.cli.{name}").__doc__ for name in COMMANDS]
    return [line for text in texts for line in re.findall(rf"^stblocks (?:{'|'.join(RUN)}) .*$", text, flags=re.M)]


RUN = ("predict", "evaluate", "convert")


@pytest.mark.usefixtures("as_in_the_docs")
def test_the_examples_of_the_docs_run():
    lines = examples()
    assert {line.split()[1] for line in lines} == set(RUN)
    for line in lines:
        command, *arguments = shlex.split(line)[1:]
        ends = pytest.raises(SystemExit, match="0") if "--kinds" in arguments else nullcontext()
        with ends:
            main([command, *arguments, *(["--force"] if "--out" in arguments else [])])
        out = arguments[arguments.index("--out") + 1] if "--out" in arguments else "."
        assert Path(out).exists(), line


HOURS = np.array([0, 1, 2, 3, 7, 8, 9, 20, 21])  # parts of 4, 3 and 2 frames


@pytest.mark.parametrize("calendar", ["numpy", "noleap"])
def test_no_window_is_scored_across_a_hole(calendar):
    frames = np.arange(9.0)[:, None, None] * np.ones((1, 2, 3))
    time = np.datetime64("2019-01-01", "ns") + HOURS * np.timedelta64(3600, "s")
    if calendar == "noleap":
        time = xarray.date_range("2019-01-01", periods=24, freq="h", calendar="noleap", use_cftime=True).values[HOURS]
    source = Source(frames, time=time)
    parts, counted = unbroken([source], 3)
    assert [part.series[:][:, 0, 0].tolist() for part in parts] == [[0, 1, 2, 3], [4, 5, 6]]
    assert (parts[1].time == time[4:7]).all()
    np.testing.assert_array_equal(parts[1].series[1:3], frames[5:7])
    assert parts[0].shape == (4, 1, 2, 3)
    assert counted == "1 sequence in 2 parts without a hole in time; left out, of fewer than 3 frames: 1 part"
    with pytest.raises(ValueError, match=r"must hold 5, in_frames \+ horizon, without a hole in time, got at most 4"):
        unbroken([source], 5)
    (whole,), counted = unbroken([Source(frames)], 3)
    assert whole.series is frames
    assert counted == "1 sequence"


def test_a_folder_with_a_hole_is_scored_on_both_sides_and_forecast_from_after_it(place, tmp_path, capsys):
    codes = np.random.default_rng(3).integers(0, 200, (9, *SIZE), dtype=np.uint8)
    (tmp_path / "radar").mkdir()
    for hour, frame in zip(HOURS, codes, strict=True):
        Image.fromarray(frame).save(tmp_path / "radar" / f"rain_20190131{hour:02d}00.png")
    options = ("--in_frames", "2", "--horizon", "1", "--metric", "mse@pixel", "--out", str(tmp_path / "scores.json"))
    main(["evaluate", str(place / "rain"), str(tmp_path / "radar"), *options])
    printed = capsys.readouterr()
    assert "; 3 windows of 1 sequence in 2 parts without a hole in time; left out, of fewer" in printed.out
    assert "note: frames are 3600 s apart, those of the training data 300 s." in printed.err
    frames = DBZ.to_physical(codes / np.float32(255))
    data = SequenceWindows([frames[:4], frames[4:7]], 2, 1, scaler=DBZ)
    want = evaluate(Forecaster.from_pretrained(place / "rain"), data, metrics=["mse@pixel"])["model"].pooled
    assert json.loads((tmp_path / "scores.json").read_text())["model"]["pooled"] == pytest.approx(want)
    predict(place / "rain", tmp_path / "radar", "--horizon", 1, "--out", tmp_path / "f.npy")
    assert "note: the forecast is made from the 2 frames after the hole in time before 2019-01-31T20:00:00." in (
        capsys.readouterr().err
    )
    np.testing.assert_allclose(np.load(tmp_path / "f.npy"), expected(place / "rain", DBZ, frames[7:], 1), rtol=1e-5)


def test_a_data_range_reaches_the_scores(place, tmp_path, capsys):
    options = ["--horizon", "2", "--metric", "psnr@frame_mean", "--out", str(tmp_path / "scores.json")]
    main(["evaluate", str(place / "heat"), str(place / "heat.nc"), *options, "--data_range", "260", "300"])
    data = SequenceWindows(TEMPERATURE, 4, 2, scaler=KELVIN)
    model, metrics = Forecaster.from_pretrained(place / "heat"), ("psnr@frame_mean",)
    want = evaluate(model, data, metrics=metrics, data_range=(260.0, 300.0))["model"].pooled
    found = json.loads((tmp_path / "scores.json").read_text())["model"]["pooled"]
    assert found == pytest.approx(want)
    assert np.isfinite(found["psnr@frame_mean"])
    assert "note:" not in capsys.readouterr().err
    main(["evaluate", str(place / "heat"), str(place / "heat.nc"), *options, "--force"])
    assert "or --data_range to `stblocks evaluate`" in capsys.readouterr().err


def test_scaling_otherwise_than_the_model_says_and_other_units_are_noted(place, tmp_path, capsys):
    options = ["--offset", "0", "--scale", "100", "--horizon", "1", "--metric", "mse@pixel"]
    main(["evaluate", str(place / "rain"), str(place / "dbz.npy"), *options])
    note = capsys.readouterr().err
    assert re.search(r"note: --offset and --scale take the place of offset=-10\.0 and scale=95\.0, which \S*rain", note)
    assert note.count("note:") == 1
    with xarray.open_dataset(place / "heat.nc") as data:
        data.t2m.attrs["units"] = "degC"
        data.to_netcdf(tmp_path / "c.nc", engine="h5netcdf")
    predict(place / "heat", tmp_path / "c.nc", "--horizon", 1, "--out", tmp_path / "f.npy")
    assert "note: t2m is in degC, the training data in K.\n" in capsys.readouterr().err


def test_variables_in_another_order_are_noted(place, tmp_path, capsys):
    model = create_model("convlstm", 2, (8, 8), channels=4, num_layers=1, patch_size=2)
    model.data_spec = DataSpec(0.0, 10.0, variables=("u", "v")).to_dict()
    model.save_pretrained(tmp_path / "wind")
    wind = {name: (("time", "lat", "lon"), np.ones((4, 8, 8), np.float32)) for name in "uv"}
    time = np.datetime64("2024-01-01T00", "ns") + np.arange(4) * np.timedelta64(3600 * 10**9, "ns")
    xarray.Dataset(wind, {"time": time}).to_netcdf(tmp_path / "wind.nc", engine="h5netcdf")
    for order in (("u", "v"), ("v", "u")):
        options = ["--variable", *order, "--horizon", 1, "--out", tmp_path / f"{order[0]}.nc"]
        predict(tmp_path / "wind", tmp_path / "wind.nc", *options)
        noted = "note: variables are in the order v, u, in the training data u, v." in capsys.readouterr().err
        assert noted == (order == ("v", "u"))


@pytest.mark.parametrize(
    ("unit", "names", "told"),
    [
        (("K", "hPa"), ("t2m", "msl"), r"t2m {} to {} K, msl {} to {} hPa"),
        (("K", "hPa"), None, r"channel 0 {} to {} K, channel 1 {} to {} hPa"),
        ("m s-1", ("u", "v"), r"{} to {} m s-1"),
        ("", None, r"{} to {}"),
    ],
)
def test_the_reach_of_a_forecast_is_told_by_unit(unit, names, told, tmp_path, capsys):
    model = create_model("persistence", 2)
    offset = (0.0, 1000.0) if isinstance(unit, tuple) else 0.0
    model.data_spec = DataSpec(offset, (10.0, 20.0) if isinstance(unit, tuple) else 10.0, unit, names).to_dict()
    model.save_pretrained(tmp_path / "model")
    np.save(tmp_path / "a.npy", np.stack([np.full((3, 8, 8), 7.5), np.full((3, 8, 8), 990.25)], axis=1))
    predict(tmp_path / "model", tmp_path / "a.npy", "--horizon", 1, "--out", tmp_path / "b.npy")
    ends = ("7.5", "7.5", "990.2", "990.2") if isinstance(unit, tuple) else ("7.5", "990.2")
    assert capsys.readouterr().out.endswith(f"2 x 8 x 8 after 3, {told.format(*ends)}\n")


def test_a_direct_model_says_itself_how_many_frames_it_forecasts(tmp_path, capsys):
    sizes = {"channels": 4, "translator_channels": 8, "num_layers": 1, "encoder_layers": 2}
    create_model("simvpv2_s", 1, (8, 8), in_frames=3, out_frames=2, **sizes).save_pretrained(tmp_path / "model")
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((6, 8, 8)))
    options = ["--offset", "0", "--scale", "1", "--metric", "mse@pixel"]
    main(["evaluate", str(tmp_path / "model"), str(tmp_path / "a.npy"), *options])
    assert capsys.readouterr().out.endswith("2 windows of 1 sequence\n")


def test_channels_that_are_no_whole_variables_are_not_dropped():
    from stblocks.formats.grid_forecast import _on_file_axes

    levels = xarray.DataArray(np.zeros((2, 3, 4, 5)), dims=("time", "level", "lat", "lon"), name="z")
    source = type("Of", (), {"arrays": (levels,)})()
    forecast = type("Made", (), {"source": source, "values": np.zeros((2, 1, 4, 5)), "time": None})()
    with pytest.raises(ValueError, match=r"the 1 channels forecast are not whole variables"):
        list(_on_file_axes(forecast))
