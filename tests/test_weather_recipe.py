"""The weather recipe on small files, and the weather that is made."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray

from stblocks import Forecaster
from stblocks.data import WeatherBench, write_synthetic_weather
from stblocks.recipes import gmg_weather
from stblocks.recipes import simvpv2_weather as recipe
from stblocks.tasks.weather import SimVPWeatherSettings, WeatherSettings, data_sets
from stblocks.train import read_flags

TINY = ["--epochs", "1", "--in_frames", "4", "--out_frames", "3", "--stride", "12", "--channels", "2"]
TINY += ["--translator_channels", "8", "--num_layers", "1"]


def test_made_weather_is_read_and_is_a_function_of_its_seed(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_synthetic_weather(tmp_path / f"{name}.npz", days=4, size=(8, 10), seed=seed)
    first, same, other = (np.load(tmp_path / f"{name}.npz")["t2m"] for name in "abc")
    assert (first == same).all()
    assert (first != other).any()
    assert first.shape == (96, 8, 10)
    assert 255 < first.min() < first.max() < 310
    train, test = (WeatherBench(tmp_path / "a.npz", split) for split in ("train", "test"))
    assert (len(train), len(test)) == (72 - 23, 1)


@pytest.mark.parametrize("wrong", [{"days": 3}, {"size": (1, 8)}])
def test_made_weather_of_no_use(tmp_path, wrong):
    with pytest.raises(ValueError, match="days must be at least 4 and size at least"):
        write_synthetic_weather(tmp_path / "a.npz", **wrong)


def test_the_recipe_leaves_scores_in_kelvin_pictures_and_a_model(tmp_path):
    recipe.main(["--out", str(tmp_path), *TINY])
    scores = (tmp_path / "scores.md").read_text()
    assert "rmse@physical" in scores
    assert "csi" not in scores
    for name in ("skill.png", "forecast.png", "forecast.gif", "loss.png", "best"):
        assert (tmp_path / name).exists(), name
    model = Forecaster.from_pretrained(tmp_path / "model")
    assert (model.in_channels, model.out_channels) == (3, 1)  # the temperature, and what is usual now and ahead
    assert json.loads((tmp_path / "config.json").read_text())["stride"] == 12


@pytest.mark.parametrize("fraction", ["0.25", "0.0"])
def test_held_out_hours_choose_the_weights_if_there_are_any(tmp_path, fraction):
    write_synthetic_weather(tmp_path / "a.npz", days=6, size=(8, 10))
    settings = WeatherSettings(data=str(tmp_path / "a.npz"), stride=1, validation_fraction=float(fraction))
    train, validation, test = data_sets(settings)
    hours = 108 * (1 - float(fraction))
    assert len(train) == hours - 23
    assert len(validation) == ((hours - 23 + 23) // 24 if fraction == "0.0" else 1)
    assert len(test) == 36 - 23
    assert validation.scaler == test.scaler == train.scaler


def test_the_validation_part_of_a_file_chooses_the_weights(tmp_path):
    write_synthetic_weather(tmp_path / "a.npz", days=6, size=(8, 10))
    with np.load(tmp_path / "a.npz") as arrays:
        parts = {"train_index": np.arange(60), "validation_index": np.arange(60, 108)}
        np.savez(tmp_path / "b.npz", **(dict(arrays) | parts))
        truth = arrays["t2m"][60:72]
    train, validation, _ = data_sets(WeatherSettings(data=str(tmp_path / "b.npz"), stride=1))
    assert (len(train), len(validation)) == (60 - 23, 2)
    np.testing.assert_allclose(validation.scaler.to_physical(validation[0].past)[:, 0], truth, rtol=1e-6)


def test_hours_are_held_out_of_files_with_indices_alone(tmp_path):
    time = np.datetime64("2015-01-01T00", "ns") + np.arange(48) * np.timedelta64(1, "h")
    t2m = np.random.default_rng(0).normal(280, 3, (48, 2, 3))
    coordinates = {"time": time, "lat": [1.0, 0.0], "lon": [0.0, 1.0, 2.0]}
    made = xarray.Dataset({"t2m": (("time", "lat", "lon"), t2m)}, coords=coordinates)
    made.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match=r"validation_fraction is for .npz files.*got 0.25"):
        data_sets(WeatherSettings(data=str(tmp_path / "a.nc"), validation_fraction=0.25))


def test_the_setting_of_the_paper():
    settings = recipe.PAPER
    options = {"in_channels": 1, "image_size": (32, 64), **settings.model_options()}
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in recipe.build(settings, options).parameters())
    assert parameters == 12_758_305
    assert (settings.epochs, settings.lr, settings.batch_size, settings.precision) == (50, 5e-3, 16, "no")
    assert (settings.l1, settings.l2, settings.schedule) == (0.0, 1.0, "cosine")
    assert not settings.problems()


def test_gmg_sees_the_temperature_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "stblocks.tasks.recipe.report", lambda model, data, out, **_: model.save_pretrained(out / "model")
    )
    tiny = "--in_frames 3 --out_frames 2 --stride 200 --channels 4 --num_layers 1 --batch_size 1"
    gmg_weather.main(["--out", str(tmp_path), *tiny.split()])
    assert Forecaster.from_pretrained(tmp_path / "model").in_channels == 1


def test_the_setting_of_gmg():
    settings = gmg_weather.PAPER
    options = {"in_channels": 1, "image_size": (32, 64), **settings.model_options()}
    with torch.device("meta"):
        assert sum(p.numel() for p in gmg_weather.build(settings, options).parameters()) == 28_967_181
    assert (settings.epochs, settings.lr, settings.batch_size, settings.first_year) == (100, 3e-4, 16, 2010)
    assert (settings.l1, settings.l2, settings.schedule, settings.grad_clip) == (1.0, 1.0, "cosine", None)
    assert (settings.sampling, settings.sampling_steps, settings.stride) == ("scheduled", 50_000, 1)
    assert not settings.problems()


def test_the_windows_of_gmg(tmp_path):
    """The paper has 52,559 to train on and 17,495 to test on; the released loader leaves out the last two of either."""
    time = np.arange("2009-01-01", "2019-01-01", dtype="M8[h]").astype("M8[ns]")
    t2m = np.random.default_rng(0).normal(280, 3, (len(time), 1, 1)).astype(np.float32)
    np.savez(tmp_path / "a.npz", t2m=t2m, time=time, lat=[0.0], lon=[0.0])
    train, _, test = data_sets(replace(gmg_weather.PAPER, data=str(tmp_path / "a.npz")))
    assert (len(train), len(test)) == (52_559 + 2, 17_495 + 2)


def test_years_to_train_on(tmp_path):
    time = np.concatenate(
        [
            np.datetime64(f"{year}-06-01", "ns") + np.arange(30) * np.timedelta64(1, "h")
            for year in (2009, 2015, 2016, 2017)
        ]
    )
    t2m = np.random.default_rng(0).normal(280, 3, (len(time), 2, 3))
    coordinates = {"time": time, "lat": [1.0, 0.0], "lon": [0.0, 1.0, 2.0]}
    made = xarray.Dataset({"t2m": (("time", "lat", "lon"), t2m)}, coords=coordinates)
    made.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    for first, windows in ((None, 14), (2010, 7)):
        train, validation, test = data_sets(WeatherSettings(data=str(tmp_path / "a.nc"), stride=1, first_year=first))
        assert (len(train), len(validation), len(test)) == (windows, 1, 7)


def test_more_than_temperature_may_be_seen(tmp_path):
    recipe.main(["--out", str(tmp_path), *TINY, "--extras", "hour", "position"])
    assert Forecaster.from_pretrained(tmp_path / "model").in_channels == 6


@pytest.mark.parametrize("translator", ["vss", "convmixer", "conv3d"])
def test_a_translator_may_have_no_mlp(translator):
    settings, *_ = read_flags("a", SimVPWeatherSettings(), {}, ["--translator", translator, "--mlp_ratio", "none"])
    options = {"in_channels": 3, "image_size": (8, 8), **settings.model_options()}
    assert recipe.build(settings, options)(torch.rand(1, 12, 3, 8, 8), 12).shape == (1, 12, 1, 8, 8)


def test_mistakes(tmp_path):
    with pytest.raises(ValueError, match=r"There is no .*none\.npz"):
        recipe.main(["--out", str(tmp_path), "--data", str(tmp_path / "none.npz"), *TINY])
    with pytest.raises(ValueError, match="extras must be among"):
        recipe.main(["--out", str(tmp_path), *TINY, "--extras", "sun"])
    with pytest.raises(ValueError, match="There is no translator 'gstar'; did you mean gsta"):
        recipe.main(["--out", str(tmp_path), *TINY, "--translator", "gstar"])
