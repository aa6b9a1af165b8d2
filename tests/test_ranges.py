"""Values that no model is made for, or that one cannot reach, are told at the start of a run, in one sentence."""

import warnings

import pytest
import torch

from stblocks import create_model
from stblocks.core import list_models
from tests.test_models import small_options
from tests.tiny import Drifting, train


def stretched(scale, offset=0.0):
    data = Drifting()
    data.frames = offset + scale * data.frames
    return data


def bounded():
    return create_model("vmrnn_b", 1, (8, 8), channels=4, depth=1, patch_size=2, state_dim=2)


def told(data, model=None, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(data=data, validation=data, model=model, epochs=1, metrics=("mse@pixel",), **options)
    return [str(each.message) for each in caught if issubclass(each.category, UserWarning)]


@pytest.mark.parametrize(("scale", "offset", "span"), [(255, 0, "0."), (1, 280, "280."), (-60, 0, "-59")])
def test_values_far_from_0_to_1_are_told_once(scale, offset, span, tmp_path):
    (message,) = told(stretched(scale, offset), out=tmp_path)
    assert message.startswith(f"The training data reach from {span}")
    assert "Give the data set a scaler: SequenceWindows(..., scaler=Scaler(scale=255) for pixels, or" in message


@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (6, -3), (25, 0)])
def test_usual_values_are_not(scale, offset, tmp_path):
    assert told(stretched(scale, offset), out=tmp_path) == []


def test_missing_values_have_no_range(tmp_path):
    data = Drifting()
    data.frames[:, 3:] = torch.nan
    data.frames[0, 3] = 0.5
    assert told(data, out=tmp_path) == []


@pytest.mark.parametrize(("scale", "offset"), [(3, 0), (1, -0.5)])
def test_values_out_of_reach_of_a_model_are_told(scale, offset, tmp_path):
    (message,) = told(stretched(scale, offset), bounded(), out=tmp_path)
    assert "the forecasts of this model lie from 0 to 1, and cannot reach them. Give the data set a scaler" in message


def test_noise_about_the_range_is_within_reach(tmp_path):
    assert told(stretched(1.15, -0.07), bounded(), out=tmp_path) == []


@pytest.mark.parametrize("name", list_models())
def test_models_say_how_far_they_reach(name):
    model = create_model(name, image_size=(16, 16), **small_options(name)).eval()
    bounded = name.startswith(("vmrnn", "swinlstm", "phydnet", "prednet"))
    assert model.output_range == ((0, 1) if bounded else None)
    if bounded:
        last = model.stack.layers[-1] if name == "prednet" else model.head
        with torch.no_grad():
            for parameter in last.parameters():
                parameter.mul_(100)
            forecast = model(100 * torch.randn(1, 3, 1, 16, 16), 2)
        assert 0 <= forecast.min() < 0.1
        assert 0.9 < forecast.max() <= 1


def test_a_prednet_of_other_channels_reaches_further():
    assert create_model("prednet", widths=[4], out_channels=2).output_range is None
