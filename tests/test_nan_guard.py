"""A loss or gradient that is not finite stops a run, says where it comes from, and spoils nothing that was saved."""

import re

import pytest
import torch
from torch import nn

from stblocks.runtime.nan_guard import first_non_finite, is_finite
from stblocks.score import evaluate
from stblocks.train import load_checkpoint
from stblocks.train.order import DataOrder
from tests.tiny import Drifting, Tiny, tiny, train


@pytest.mark.parametrize("settings", [{}, {"sampling": "scheduled"}, {"accumulate": 2, "augment": True}])
def test_a_broken_sequence_is_named_and_the_checkpoint_stays(settings, tmp_path):
    order = DataOrder(9, 4, seed=0)
    broken = next(index for _, index in order.batch(1) if index)  # the check of the run looks at the first
    data, model = Drifting(), tiny()
    data.frames[broken, 1, 0, 4, 4] = torch.nan
    sequences = re.escape(str([index for _, index in order.batch(1)]))
    message = f"Step 2 has loss nan .*: the past of sequence {broken}. Its batch: sequences {sequences} of epoch 1"
    with pytest.raises(FloatingPointError, match=message):
        train(tmp_path, model=model, data=data, checkpoint_every=1, **settings)
    training = load_checkpoint(tmp_path / "checkpoint.pt")["training"]
    assert training["step"] == 1
    assert all(torch.equal(value, training["model"][name]) for name, value in model.state_dict().items())
    before = (tmp_path / "metrics.jsonl").read_text()
    assert before.count("\n") == 1
    with pytest.raises(FloatingPointError, match="Step 2 "):
        train(tmp_path, data=data, checkpoint_every=1, resume=True, **settings)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["training"]["step"] == 1
    assert (tmp_path / "metrics.jsonl").read_text() == before


class Late(Tiny):
    """Has broken weights from some step of the run on."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def rollout(self, *arguments):
        self.left -= self.training
        if self.left == 0:
            with torch.no_grad():
                self.blur.weight.fill_(torch.inf)
        return super().rollout(*arguments)


def test_the_first_module_that_is_not_finite_is_named(tmp_path):
    with pytest.raises(FloatingPointError, match=r"Step 3 has loss nan .*: model.blur \(Conv2d\). Its .* of epoch 2"):
        train(tmp_path, model=Late(3))
    checkpoint = load_checkpoint(tmp_path / "checkpoint.pt")
    assert checkpoint["training"]["step"] == 2
    assert is_finite(checkpoint)
    assert (tmp_path / "best" / "step-00000002.safetensors").is_file()


class Steep(Tiny):
    """The loss is finite, its gradient is not."""

    def rollout(self, *arguments):
        rollout = super().rollout(*arguments)
        return rollout._replace(frames=rollout.frames + (self.gain - 1).sqrt())


def test_a_gradient_that_is_not_finite_stops_the_run_too(tmp_path):
    torch.manual_seed(0)
    model = Steep()
    with pytest.raises(
        FloatingPointError, match=r"Step 1 has loss 0\.\d+ and a gradient of norm inf; .*: a gradient\."
    ):
        train(tmp_path, model=model)
    assert torch.equal(model.gain, torch.ones(1))


class Broken(Tiny):
    def forward(self, past, horizon):
        return super().forward(past, horizon).log()


def test_a_forecast_that_is_not_finite_is_not_scored(tmp_path):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"The forecast of sequence 0 is not finite, though its past is; .*: Broken"):
        train(tmp_path, model=Broken())


def test_a_forecaster_beside_the_model_is_named():
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"of sequence 0 by 'other' is not finite, though its past is; .*: Broken"):
        evaluate(Tiny(), Drifting(), beside={"other": Broken()}, metrics=("mse@pixel",))


@pytest.mark.parametrize("sequence", [1, 4])
def test_a_broken_past_in_validation_is_named(sequence, tmp_path):
    validation = Drifting(5, seed=1)
    validation.frames[sequence, 2, 0, 4, 4] = torch.inf
    message = f"The forecast of sequence {sequence} is not finite, since its past has NaN or infinite values; fill"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, validation=validation)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["training"]["step"] == 2


def test_data_without_a_known_cell_are_named(tmp_path):
    blank = Drifting()
    blank.frames[:, Drifting.in_frames :] = torch.nan
    with pytest.raises(ValueError, match="validation_data must have a future frame with a cell that is known"):
        train(tmp_path / "validation", validation=blank)
    with pytest.raises(ValueError, match=r"train_data must have .* in all of epoch 1 they are NaN"):
        train(tmp_path / "training", data=blank)
    blank.frames[4] = Drifting().frames[4]  # one is enough
    train(tmp_path / "one", data=blank, validation=blank, batch_size=3)


def test_the_guard_looks_into_nested_outputs_and_leaves_no_hooks():
    class Nested(nn.Module):
        def forward(self, x):
            return {"count": torch.tensor([1]), "parts": (x, [x.log()])}

    module = nn.Sequential(nn.Identity(), Nested())
    assert first_non_finite(module, torch.ones(2)) is None
    assert first_non_finite(module, torch.zeros(2)) == "1 (Nested)"
    assert first_non_finite(module, torch.tensor([torch.nan])) == "0 (Identity)"
    assert first_non_finite(module[1], torch.zeros(2)) == "Nested"
    assert not any(each._forward_hooks for each in module.modules())
    assert is_finite({"integers": torch.ones(2, dtype=torch.long), "text": "nan", "none": None})
