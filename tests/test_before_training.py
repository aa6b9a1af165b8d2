"""What cannot be trained, scored or saved is refused before the first batch, and before anything is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset

from stblocks import create_model
from stblocks.data import CIKM_DBZ, Scaler
from stblocks.train import TrainConfig, fit, report
from tests.tiny import SMALL, Drifting, Tiny, tiny, train


@dataclass(frozen=True, kw_only=True)
class Own(TrainConfig):
    """A recipe's settings, with one that is not checked."""

    folder: Any = "radar"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            Path("radar"),
            r"config\.folder must be made of numbers, strings, .* type \w*Path; .* str\(\.\.\.\) of a path",
        ),
        (
            (1, np.float64(0.5)),
            r"config\.folder\[1\] must be made of numbers, .* type float64; take \.item\(\) of a numb",
        ),
        (torch.ones(1), r"config\.folder must be made of numbers, strings, .* type Tensor"),
    ],
)
def test_a_setting_that_cannot_be_saved(value, message, tmp_path):
    with pytest.raises(ValueError, match=f"This run cannot start: {message}"):
        fit(tiny(), Drifting(), Drifting(5, seed=1), Own(**SMALL, folder=value), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_option_of_the_model_that_cannot_be_saved(tmp_path):
    model = tiny()
    model.config = {"channels": np.int64(8)}
    with pytest.raises(ValueError, match=r"identity\.model\.channels must be made of numbers, .* type int64"):
        train(tmp_path / "run", model=model)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]


def test_units_that_are_texts_of_numpy_can_be_gone_on_with(tmp_path):
    def data(length, seed):
        made = Drifting(length, seed)
        made.scaler = Scaler(np.float64(0.0), np.float64(2.0), unit=np.array("dBZ")[()])
        return made

    settings = {"data": data(9, 0), "validation": data(5, 1)}
    assert train(tmp_path, **settings).step == train(tmp_path, resume=True, **settings).step == 4


def test_a_compiled_model_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"model must be a module as it is, got one of torch\.compile, .* what fit returns"
    ):
        train(tmp_path / "run", model=torch.compile(tiny()))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["data", "validation"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_frames_are_of_the_dtype_of_the_weights(name, dtype, tmp_path):
    data = Drifting()
    data.frames = data.frames.to(dtype)
    where = {"data": "train_data", "validation": "validation_data"}[name]
    message = f"{where} must yield frames of the dtype of the model's weights, torch.float32, got {dtype}; convert them"
    model = create_model("convlstm", image_size=(8, 8), channels=4, num_layers=1, patch_size=2, kernel_size=3)
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", model=model, **{name: data})
    assert not (tmp_path / "run").exists()


def test_a_model_of_ones_own_may_take_frames_of_another_dtype(tmp_path):
    class Casting(Tiny):
        def rollout(self, past, horizon, future=None, teacher_mask=None):
            future = None if future is None else future.float()
            return super().rollout(past.float(), horizon, future, teacher_mask)

    data = Drifting()
    data.frames = data.frames.half()
    assert train(tmp_path / "run", data=data, model=Casting()).best_step


@pytest.mark.parametrize("settings", [{"thresholds": (30.0,)}, {"metrics": ("mse@pixel", "rmse@physical")}])
def test_validation_data_have_one_unit_where_scores_are_in_it(settings, tmp_path):
    class Radar(Drifting):
        scaler = CIKM_DBZ

    data = ConcatDataset([Drifting(5), Radar(5)])
    with pytest.raises(ValueError, match="cannot start: thresholds and scores @physical of validation_data must be in"):
        train(tmp_path / "run", validation=data, **settings)
    assert not (tmp_path / "run").exists()


def test_a_report_saves_the_model_in_the_end(tmp_path):
    with pytest.raises(
        ValueError, match=r"model must be one of create_model, .* got a Tiny without a config; score it by evaluate"
    ):
        report(tiny(), Drifting(), tmp_path)
    assert not list(tmp_path.iterdir())
