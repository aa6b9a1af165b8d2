"""A model as pysteps calls it: shapes, units, missing cells."""

import numpy as np
import pytest
import torch

from stblocks import Ensemble, create_model
from stblocks.data import DataSpec, Scaler
from stblocks.interop import as_pysteps_nowcast
from tests.test_models import small_options

DBZ = Scaler(offset=-10.0, scale=95.0, unit="dBZ")


def build(name="convlstm", **options):
    torch.manual_seed(0)
    return create_model(name, image_size=(8, 8), **small_options(name) | options)


def rain(frames=4, dtype=np.float64):
    return np.random.default_rng(0).uniform(-10, 60, (frames, 7, 9)).astype(dtype)


@pytest.mark.parametrize("name", ["convlstm", "simvpv2_s", "advection"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_the_model_in_physical_units(name, dtype):
    model, precip = build(name), rain(dtype=dtype)
    found = as_pysteps_nowcast(model, DBZ)(precip, 5)
    assert (found.shape, found.dtype) == ((5, 7, 9), dtype)
    past = torch.from_numpy((precip + 10) / 95).float()[None, -getattr(model, "in_frames", 4) :, None]
    assert not model.training
    with torch.no_grad():
        expected = model(past, 5)[0, :, 0].double().numpy() * 95 - 10
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_missing_cells_stay_missing_and_are_dry_to_the_model():
    nowcast, precip = as_pysteps_nowcast(build(), DBZ), rain()
    precip[0, 2, 3] = np.nan  # seen again since
    precip[:, 5, 6] = np.nan
    found = nowcast(precip, 3)
    assert np.isnan(found[:, 5, 6]).all()
    assert np.isnan(found).sum() == 3
    dry = np.where(np.isnan(precip), -10.0, precip)
    np.testing.assert_allclose(found[~np.isnan(found)], nowcast(dry, 3)[~np.isnan(found)], rtol=1e-6)


def test_missing_cells_are_filled_as_in_training():
    model, precip = build(), rain()
    precip[1, 2, 3] = np.nan
    model.data_spec = DataSpec(offset=-10.0, scale=95.0, fill="last").to_dict()
    found = as_pysteps_nowcast(model)(precip, 3)
    precip[1, 2, 3] = precip[0, 2, 3]
    np.testing.assert_allclose(found, as_pysteps_nowcast(model)(precip, 3), rtol=1e-6)
    assert np.isfinite(found).all()


def test_lead_times_by_list():
    nowcast, precip = as_pysteps_nowcast(build(), DBZ), rain()
    np.testing.assert_array_equal(nowcast(precip, [2, 5]), nowcast(precip, 5)[[1, 4]])
    np.testing.assert_array_equal(nowcast(precip, np.int64(2)), nowcast(precip, [1, 2]))
    assert nowcast(rain().astype(int), 1).dtype == np.float64


def test_a_trained_model_knows_its_units():
    model = build()
    model.data_spec = DataSpec(offset=-10.0, scale=95.0, unit="dBZ").to_dict()
    np.testing.assert_array_equal(as_pysteps_nowcast(model)(rain(), 2), as_pysteps_nowcast(build(), DBZ)(rain(), 2))


def test_errors():
    with pytest.raises(ValueError, match="model must be a Forecaster, got Ensemble; of an ensemble take each by"):
        as_pysteps_nowcast(Ensemble([build(), build()], mean=True), DBZ)
    with pytest.raises(ValueError, match=r"model must take and forecast one channel.* got in_channels=2"):
        as_pysteps_nowcast(build(in_channels=2), DBZ)
    with pytest.raises(ValueError, match="This model does not know its data"):
        as_pysteps_nowcast(build())
    nowcast = as_pysteps_nowcast(build(), DBZ)
    with pytest.raises(ValueError, match=r"precip must be \(T, m, n\) with T >= 1, got shape \(7, 9\)"):
        nowcast(rain()[0], 1)
    with pytest.raises(ValueError, match="timesteps must be an integer >= 1, got 0"):
        nowcast(rain(), 0)
    for leads in ([0.5, 1], [], [0, 1], [2, 1], [1, 1]):
        with pytest.raises(ValueError, match="timesteps must be a number of steps, or whole lead times"):
            nowcast(rain(), leads)
    with pytest.raises(ValueError, match="past must have in_frames=2 frames, got 1"):
        as_pysteps_nowcast(build("simvpv2_s"), DBZ)(rain(1), 1)
