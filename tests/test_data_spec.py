"""A trained model knows its data: units, variables, times and sizes go from data set to model, file and back."""

import json
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset, Subset

from stblocks import Forecaster, create_model
from stblocks.core.hub import OnHub
from stblocks.data import (
    DataSpec,
    FrameFolders,
    MovingMNIST,
    Scaler,
    SequenceWindows,
    SyntheticRadar,
    SyntheticTraffic,
    WeatherBench,
)
from stblocks.score import evaluate
from stblocks.train import report
from tests.test_data_weatherbench import dataset, npz
from tests.tiny import Drifting, same_weights, train

DBZ = Scaler(-10.0, 95.0, "dBZ")
SPEC = DataSpec(-10.0, 95.0, "dBZ", ("rain",), 300.0, 3, 2, (8, 8))


def windows(frames=12, scaler=DBZ, **options):
    rain = np.random.default_rng(0).uniform(-10, 60, (frames, 8, 8))
    return SequenceWindows(rain, 3, 2, scaler=scaler, **options)


def small():
    torch.manual_seed(0)
    return create_model("convlstm", 1, (8, 8), channels=4, num_layers=1, patch_size=2)


def test_a_data_set_and_its_parts_say_what_they_know():
    data = windows(variables=["rain"], seconds=300)
    assert DataSpec.of(data) == DataSpec.of(Subset(Subset(data, [3, 4]), [0])) == SPEC
    assert DataSpec.of(ConcatDataset([data, data])) == SPEC
    assert DataSpec.of(windows()) == replace(SPEC, variables=None, step=None)
    other = windows(scaler=Scaler(0.0, 1.0, "dBZ"), variables=["rain"], seconds=300)
    unknown = DataSpec.of(ConcatDataset([data, other]))
    assert unknown == replace(SPEC, offset=None, scale=None, unit="")
    with pytest.raises(ValueError, match=r"not known what 0 and 1 stand for.*Scaler\(offset=-10.0"):
        unknown.scaler()
    pairs = [(torch.zeros(4, 2, 5, 6), torch.zeros(3, 1, 5, 6))]  # any data set of samples
    assert DataSpec.of(pairs) == DataSpec(in_frames=4, out_frames=3, image_size=(5, 6))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("variables", "rain", r"must be a list of names, or None, got 'rain' of SequenceWindows; call the attribute"),
        ("variables", {"rain": 1}, "must be a list of names"),
        ("variables", (1,), "must be a list of names"),
        ("variables", lambda: ("rain",), "must be a list of names"),
        ("seconds", "300", "seconds of a data set must be seconds, more than 0, or None, got '300'"),
        ("seconds", timedelta(minutes=5), "must be seconds, more than 0"),
        ("seconds", np.array([300.0, 300.0]), r"must be seconds, more than 0, or None, got \(300.0, 300.0\)"),
    ],
)
def test_what_a_data_set_says_is_of_the_right_type(name, value, message):
    data = windows()
    setattr(data, name, value)
    for whole in (data, ConcatDataset([windows(), Subset(data, [0])]), ConcatDataset([data, data])):
        with pytest.raises(ValueError, match=message):
            DataSpec.of(whole)


def test_numbers_of_numpy_and_scalers_of_others_are_taken():
    class Pairs(list):
        seconds, variables, scaler = np.int64(300), np.array(["rain"]), np.ones(2)

    data = Pairs([(torch.zeros(3, 1, 8, 8), torch.zeros(2, 1, 8, 8))])
    for whole in (data, ConcatDataset([data, data])):
        spec = DataSpec.of(whole)
        assert spec == replace(SPEC, offset=None, scale=None, unit="")
        assert json.loads(json.dumps(spec.to_dict())) == spec.to_dict()


def test_public_data_sets_know_their_variables_and_times(tmp_path):
    known = {
        name: DataSpec.of(data) for name, data in {"rain": SyntheticRadar(1), "flows": SyntheticTraffic(1)}.items()
    }
    assert (known["rain"].unit, known["rain"].variables, known["rain"].step) == ("dBZ", ("reflectivity",), None)
    assert (known["flows"].variables, known["flows"].step) == (("inflow", "outflow"), 1800)
    assert DataSpec.of(MovingMNIST(1)) == DataSpec(0.0, 1.0, in_frames=10, out_frames=10, image_size=(64, 64))
    for number, hours in enumerate((2, 2, 3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for frame in range(3):
            np.save(folder / f"2019060{1 + number}{hours * frame:02d}.npy", np.zeros((8, 8)))
    assert DataSpec.of(FrameFolders(tmp_path, 2, 1)).step is None
    (tmp_path / "2").rename(tmp_path.with_name("away"))
    assert DataSpec.of(FrameFolders(tmp_path, 2, 1)).step == 7200
    assert DataSpec.of(FrameFolders(tmp_path, 2, 1, seconds=60, variables=["rain"])).step == 60


def test_weather_names_its_variables_and_levels(tmp_path):
    dataset(2015).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    variables = {"z": (850, 500), "t2m": None}
    data = WeatherBench(tmp_path / "a.nc", variables=variables, years={"train": (2015, 2015)}, step=3, extras=("hour",))
    spec = DataSpec.of(data)
    assert (spec.variables, spec.step, spec.channels) == (("z850", "z500", "t2m"), 10800, 5)
    assert spec.scaler() == data.scaler
    assert spec.unit == ("", "", "K", "", "")


@pytest.mark.parametrize("layout", ["nc", "npz"])
def test_a_new_year_is_scored_with_the_scaler_of_the_model_alone(layout, tmp_path):
    path = tmp_path / f"new.{layout}"
    if layout == "nc":
        dataset(2021)[["t2m"]].to_netcdf(path, engine="h5netcdf")
    else:
        npz(path, train_index=None)  # its test_index is there
    years = {"test": (2021, 2021)} if layout == "nc" else None
    fitted = Scaler((280.0, 0.0), (3.0, 1.0), ("K", ""))  # a model's, which saw an extra channel too
    data = WeatherBench(path, "test", years=years, scaler=fitted, extras=("hour",), in_frames=2, out_frames=2)
    assert data.scaler.channel(0) == fitted.channel(0)
    wanted = {"years": years, "in_frames": 2, "out_frames": 2}
    with pytest.raises(ValueError, match=r"no frames for 'train': .* or scaler= of the data set"):
        WeatherBench(path, "test", **wanted)
    with pytest.raises(ValueError, match=r"no frames for 'train': .*no climatology among extras"):
        WeatherBench(path, "test", scaler=fitted, extras=("climatology",), **wanted)
    with pytest.raises(ValueError, match=r"no frames for 'validation': .*give years={'validation': \(20..,"):
        WeatherBench(path, "validation", scaler=fitted, **wanted)


numbers = st.floats(-1e30, 1e30)
names = st.text(max_size=5)
specs = st.builds(
    DataSpec,
    offset=numbers,
    scale=numbers.filter(bool) | st.lists(numbers.filter(bool), min_size=2, max_size=2),
    unit=names | st.lists(names, min_size=2, max_size=2),
    variables=st.none() | st.lists(names, min_size=1, max_size=2),
    step=st.none() | st.floats(1e-3, 1e9),
    in_frames=st.none() | st.integers(1, 99),
    out_frames=st.none() | st.integers(1, 99),
    image_size=st.none() | st.tuples(st.integers(1, 99), st.integers(1, 99)),
)


@given(specs)
def test_json_keeps_all_of_it(spec):
    again = DataSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.scaler() == Scaler(spec.offset, spec.scale, spec.unit)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scale": 0}, "finite scale other than 0"),
        ({"scale": [1.0, float("inf")]}, "finite scale other than 0"),
        ({"offset": float("nan")}, "finite offset"),
        ({"offset": "0"}, "offset of a DataSpec must be a number, or one for each channel, got '0'"),
        ({"offset": None}, "needs offset and scale, or neither"),
        ({"scale": []}, "scale of a DataSpec must be a number"),
        ({"scale": {"a": 1}}, "scale of a DataSpec must be a number"),
        ({"scale": [1.0, 2.0], "offset": [0.0, 0.0, 0.0]}, "tuples of one length"),
        ({"unit": 3}, "unit of a DataSpec must be a text"),
        ({"variables": "rain"}, "variables of a DataSpec must be a list of names, or None, got 'rain'"),
        ({"scale": [1.0, 2.0], "variables": ["a", "b", "c"]}, "variables of a DataSpec must be at most the 2 channels"),
        ({"step": -1}, "step of a DataSpec must be seconds"),
        ({"in_frames": True}, "in_frames of a DataSpec must be an integer"),
        ({"out_frames": 1.5}, "out_frames of a DataSpec must be an integer"),
        ({"image_size": [8]}, r"image_size of a DataSpec must be \(H, W\)"),
        ({"ofset": 1}, r"A data_spec has no 'ofset'; did you mean offset\?"),
    ],
)
def test_values_are_checked_when_they_are_read(changed, message):
    with pytest.raises(ValueError, match=message):
        DataSpec.from_dict({**SPEC.to_dict(), **changed})
    with pytest.raises(ValueError, match="must be a dict, got list"):
        DataSpec.from_dict([])


def test_windows_name_the_channels_they_forecast():
    with pytest.raises(ValueError, match=r"variables must name the 1 channels to forecast, got \('a', 'b'\)"):
        windows(variables=["a", "b"])
    with pytest.raises(ValueError, match="step of a DataSpec must be seconds, more than 0"):
        windows(seconds=0)


def test_what_a_model_knows_must_fit_it():
    model = small()
    with pytest.raises(ValueError, match=r"does not know its data .*model.data_spec = DataSpec\(offset=-10.0"):
        DataSpec.of_model(model)
    model.data_spec = SPEC.to_dict()
    assert DataSpec.of_model(model) == SPEC
    for changed, message in (
        ({"offset": [0.0, 0.0]}, "in_channels=1, got one for 2"),
        ({"variables": ["a", "b"]}, "out_channels=1, got one for 2"),
    ):
        model.data_spec = SPEC.to_dict() | changed
        with pytest.raises(ValueError, match=message):
            DataSpec.of_model(model)
    direct = create_model("simvp", 1, (8, 8), in_frames=4, out_frames=2, channels=4, translator_channels=16)
    direct.data_spec = SPEC.to_dict()
    with pytest.raises(ValueError, match="in_frames=4, got one for 3"):
        DataSpec.of_model(direct)


def test_saved_models_keep_it(tmp_path, monkeypatch):
    model = small()
    model.data_spec = SPEC.to_dict()
    model.save_pretrained(tmp_path / "a")
    again = Forecaster.from_pretrained(tmp_path / "a")
    assert (again.config, DataSpec.of_model(again)) == (model.config, SPEC)
    pushed = []
    monkeypatch.setattr(OnHub, "push_to_hub", lambda self, repo, **_: pushed.append(self._hub_mixin_config))
    again.push_to_hub("somebody/model")
    assert pushed == [{**model.config, "data_spec": SPEC.to_dict()}]
    model.data_spec = {"offset": float("inf")}
    with pytest.raises(ValueError, match="the model must have a data_spec of finite JSON values"):
        model.save_pretrained(tmp_path / "b")
    model.data_spec = None
    model.save_pretrained(tmp_path / "b")
    assert Forecaster.from_pretrained(tmp_path / "b").data_spec is None


def report_on(model, data, out):
    """`report` without its pictures, which take most of the time."""
    module = "stblocks.train.report"
    names = ("skill_by_lead_time", "forecast_strip", "forecast_gif")
    with patch.multiple(import_module(module), **dict.fromkeys(names, lambda *_: None)):
        report(model, data, out, metrics=["mse@pixel"])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with an average of weights, its report, and its data."""
    out = tmp_path_factory.mktemp("run")
    data = windows(variables=["rain"], seconds=300)
    settings = {"ema_decay": 0.9, "epochs": 2, "validate_every": 1, "keep_best": 2}
    result = train(out, model=small(), data=data, validation=data, **settings)
    report_on(result.model, data, out)
    return out, result.model, data


@pytest.mark.parametrize("folder", ["best", "model"])
def test_what_a_run_leaves_is_loadable_and_knows_its_data(run, folder):
    out, model, _ = run
    again = Forecaster.from_pretrained(out / folder)
    assert same_weights(again, model)
    assert DataSpec.of_model(again) == SPEC == DataSpec.of_model(model)


def test_other_places_of_a_run_name_the_folders_that_load(run):
    out, *_ = run
    for place in (out, out / "checkpoint.pt", out / "best" / "step-00000002.safetensors"):
        name = place.name if place == out else place.name.replace(".", r"\.")
        with pytest.raises(ValueError, match=rf"{name} must be a folder with .*; name .*best") as error:
            Forecaster.from_pretrained(place)
        assert (str(out / "model") in str(error.value)) == (place.parent != out / "best")


def test_a_model_made_by_hand_knows_its_data_too(tmp_path):
    result = train(tmp_path)
    assert DataSpec.of_model(result.model) == DataSpec.of(Drifting())
    with pytest.raises(
        ValueError, match=r"best must be a folder with .* config.json is missing; save_pretrained writes"
    ):
        Forecaster.from_pretrained(tmp_path / "best")


def test_a_report_on_a_model_from_before_says_its_data(run, tmp_path):
    _, _, data = run
    before = Forecaster.from_pretrained(run[0] / "model")
    before.data_spec = None
    report_on(before, data, tmp_path)
    assert DataSpec.of_model(Forecaster.from_pretrained(tmp_path / "model")) == SPEC


def test_thresholds_are_physical_in_a_part_of_a_data_set(run):
    _, model, data = run
    part = Subset(data, range(4))
    tables = evaluate(model, part, thresholds=(20.0,), metrics=["mae@physical"])
    whole = evaluate(model, ConcatDataset([part]), thresholds=(20.0,), metrics=["mae@physical"])
    assert tables["persistence"].pooled == whole["persistence"].pooled
    assert tables["persistence"].pooled["mae@physical"] > 10


def test_data_scaled_otherwise_than_those_of_the_training_are_warned_of(run):
    _, model, _ = run
    trained = DataSpec.of_model(model).scaler()
    frames = trained.to_physical(torch.rand(6, 1, *SPEC.image_size))
    rounded = Scaler(float(np.float32(trained.offset)), trained.scale * (1 + 1e-9), "")
    for scaler in (trained, rounded, Scaler((trained.offset,), (trained.scale,), (trained.unit,))):
        evaluate(
            model, SequenceWindows(frames, 3, 2, scaler=scaler), metrics=["mse@pixel"]
        )  # a warning would be an error
    for scaler in (Scaler(), Scaler(trained.offset, trained.scale * 1.01), Scaler(trained.offset, trained.scale, "mm")):
        with pytest.warns(UserWarning, match=r"data are scaled by Scaler\(.*trained on by .*scaler=DataSpec\.of_model"):
            evaluate(model, SequenceWindows(frames, 3, 2, scaler=scaler), metrics=["mse@pixel"])
    stranger = deepcopy(model)
    stranger.data_spec = None
    evaluate(stranger, SequenceWindows(frames, 3, 2), metrics=["mse@pixel"])
    with pytest.warns(UserWarning, match="data are scaled by"):
        evaluate(stranger, SequenceWindows(frames, 3, 2), metrics=["mse@pixel"], beside={"trained": model})
