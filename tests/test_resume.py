"""A run that was interrupted anywhere and resumed ends bit for bit where an unbroken one does."""

import json
import random
import signal
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_flatten
from torch.utils.data import Dataset

from stblocks import create_model
from stblocks.data import Sequence
from stblocks.train import Objective, TrainConfig, fit, load_checkpoint, report
from stblocks.train.best import Best
from stblocks.train.screen import Screen
from tests.tiny import FIT, SET_UP, SMALL, Drifting, same_weights, tiny, train

PLAIN = {"epochs": 3}
#: All that draws random numbers or remembers something from step to step.
ALL = {
    "epochs": 3,
    "accumulate": 2,
    "augment": True,
    "sampling": "scheduled",
    "ema_decay": 0.6,
    "weight_decay": 0.1,
    "schedule": "onecycle",
    "keep_best": 2,
    "patience": 9,
    "thresholds": (0.5,),
}


class Killed(BaseException):
    """The process is gone: nothing that handles errors sees it."""


def kill():
    raise Killed


class Breaking(Dataset):
    """Does something at the n-th sequence that is read after a run was set up, which reads some too."""

    def __init__(self, data, draw, action, set_up=SET_UP["data"]):
        self.data, self.left, self.action = data, draw + set_up, action
        self.scaler = data.scaler

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        if self.left == 0:
            self.action()
        self.left -= 1
        return self.data[index]


def interrupt():
    signal.raise_signal(signal.SIGINT)


def read(out):
    """All that a run leaves and reads again."""
    checkpoint = load_checkpoint(out / "checkpoint.pt")
    weights = {path.name: path.read_bytes() for path in (out / "best").iterdir()}
    return checkpoint, (out / "metrics.jsonl").read_text(), weights


def same(one, other):
    """Bit by bit."""
    (left, shape), (right, expected) = tree_flatten(one), tree_flatten(other)
    pairs = zip(left, right, strict=True)
    return shape == expected and all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def assert_same(out, result, unbroken):
    whole, expected = unbroken
    assert same(read(out), read(whole))
    assert same_weights(result.model, expected.model)
    assert (result.step, result.best_step, result.records) == (expected.step, expected.best_step, expected.records)


@pytest.fixture(scope="module", params=["plain", "all"])
def unbroken(request, tmp_path_factory):
    settings = PLAIN if request.param == "plain" else ALL
    out = tmp_path_factory.mktemp("unbroken")
    return settings, (out, train(out, **settings))


@pytest.mark.parametrize("step", range(1, 6))
def test_after_ctrl_c_at_any_step(step, unbroken, tmp_path):
    settings, whole = unbroken
    draw = 4 * step - 4  # where the batch begins
    with pytest.raises(KeyboardInterrupt, match=f"stopped after step {step}; resume=True goes on"):
        train(tmp_path, data=Breaking(Drifting(), draw, interrupt), checkpoint_every=99, **settings)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["training"]["step"] == step
    assert_same(tmp_path, train(tmp_path, resume=True, checkpoint_every=99, **settings), whole)


@pytest.mark.parametrize(
    ("draw", "every", "kept"), [(1, 1, 0), (5, 1, 1), (9, 1, 2), (13, 3, 3), (13, 9, 2), (22, 4, 4)]
)
def test_after_the_process_was_killed(draw, every, kept, unbroken, tmp_path):
    settings, whole = unbroken
    with pytest.raises(Killed):
        train(tmp_path, data=Breaking(Drifting(), draw, kill), checkpoint_every=every, **settings)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["training"]["step"] == kept
    assert_same(tmp_path, train(tmp_path, resume=True, checkpoint_every=every, **settings), whole)


def fail():
    raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("action", "error", "message", "draw", "step"),
    [
        (kill, Killed, None, 1, 2),
        (kill, Killed, None, 11, 6),
        (fail, OSError, "the disk is gone", 7, 4),
        (interrupt, KeyboardInterrupt, "stopped by SIGINT; resume=True goes on from step 4", 7, 4),
    ],
)
def test_a_failed_validation_costs_no_step(action, error, message, draw, step, unbroken, tmp_path):
    settings, whole = unbroken
    broken = Breaking(Drifting(5, seed=1), draw, action, SET_UP["validation"])
    with pytest.raises(error, match=message):
        train(tmp_path, validation=broken, checkpoint_every=99, **settings)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["training"]["step"] == step
    first = Breaking(Drifting(), 7, kill)  # the validation comes before the next step
    validated = Breaking(Drifting(5, seed=1), 0, kill, SET_UP["validation"])
    with pytest.raises(Killed):
        train(tmp_path, data=first, validation=validated, resume=True, **settings)
    assert first.left > 6, "it trained before it validated"
    assert_same(tmp_path, train(tmp_path, resume=True, **settings), whole)


@pytest.mark.parametrize("when", ["before the ranking is saved", "after it is recorded"])
def test_a_kill_between_validation_and_checkpoint(when, unbroken, tmp_path, monkeypatch):
    settings, whole = unbroken

    def crash(*_):
        raise Killed

    place = (Best, "save") if when.startswith("before") else (Screen, "validation")
    with monkeypatch.context() as patch:
        patch.setattr(*place, crash)
        with pytest.raises(Killed):
            train(tmp_path, **settings)
    assert_same(tmp_path, train(tmp_path, resume=True, **settings), whole)


class Noisy(Drifting):
    """Draws from every generator there is whenever a sequence is read."""

    def __getitem__(self, index):
        past, future = super().__getitem__(index)
        return Sequence(past + 0.1 * (torch.rand(past.shape) + np.random.rand() + random.random()), future)


def test_what_data_draw_is_of_the_seed_and_the_place_too(tmp_path):
    unbroken = train(tmp_path / "whole", data=Noisy())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "out", data=Breaking(Noisy(), 6, interrupt))
    again = train(tmp_path / "out", data=Noisy(), resume=True, num_workers=1)
    assert_same(tmp_path / "out", again, (tmp_path / "whole", unbroken))
    assert not same_weights(train(tmp_path / "other", data=Noisy(), seed=1).model, unbroken.model)


def test_after_several_interruptions_and_a_line_cut_short(unbroken, tmp_path):
    settings, whole = unbroken
    for resume in (False, True, True):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, data=Breaking(Drifting(), 0, interrupt), resume=resume, **settings)
        with (tmp_path / "metrics.jsonl").open("a") as file:
            file.write('{"step": 99, "epo')
    assert_same(tmp_path, train(tmp_path, resume=True, **settings), whole)


def test_a_finished_run_resumes_to_the_same_end(unbroken, tmp_path):
    settings, (out, expected) = unbroken
    assert_same(out, train(out, resume=True, **settings), (out, expected))


sigterm = partial(signal.raise_signal, signal.SIGTERM)


def test_sigterm_is_heard_too_and_a_second_signal_interrupts_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt, match="stopped after step 1"):
        train(tmp_path / "one", data=Breaking(Drifting(), 0, sigterm))

    def twice():
        interrupt()
        interrupt()

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="stopped by SIGINT; resume=True goes on from step 1"):
        train(tmp_path / "two", data=Breaking(Drifting(), 4, twice), checkpoint_every=1)
    assert load_checkpoint(tmp_path / "two" / "checkpoint.pt")["training"]["step"] == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_stops_what_is_no_step_at_once_and_cleanly(unbroken, tmp_path, monkeypatch):
    settings, whole = unbroken
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="stopped by SIGTERM"):  # while the run is set up
        train(tmp_path, data=Breaking(Drifting(), 0, sigterm, set_up=0), **settings)
    assert not any(tmp_path.iterdir())
    config = TrainConfig(**{**SMALL, **settings})
    with monkeypatch.context() as patch:
        patch.setattr(FIT, "perf_counter", float)  # as in the other run
        patch.setattr(FIT, "loss_curve", lambda *_: sigterm())  # while pictures are drawn
        with pytest.raises(KeyboardInterrupt, match="SIGTERM; resume=True goes on from step 6"):
            fit(tiny(), Drifting(), Drifting(5, seed=1), config, tmp_path)
    assert_same(tmp_path, train(tmp_path, resume=True, **settings), whole)
    assert signal.getsignal(signal.SIGTERM) is before
    model = create_model("convlstm", image_size=(8, 8), channels=4, num_layers=1)
    with pytest.raises(KeyboardInterrupt, match="stopped by SIGTERM"):
        report(model, Breaking(Drifting(3), 3, sigterm, set_up=0), tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, data=Breaking(Drifting(), 0, interrupt))
    left = [tmp_path / ".scores.md.unfinished", tmp_path / "best" / ".step-00000099.safetensors.unfinished"]
    left[1].parent.mkdir()
    for path in (*left, tmp_path / "mine.unfinished"):
        path.write_bytes(b"half")
    train(tmp_path, resume=True)
    assert not any(path.exists() for path in left)
    assert (tmp_path / "mine.unfinished").exists(), "it is not ours"


def test_an_early_stop_stays_stopped(tmp_path):
    settings = {"lr": 3.0, "schedule": "constant", "warmup": 0.0, "epochs": 9, "patience": 1}
    stopped = train(tmp_path, **settings)
    assert stopped.step < 18
    assert train(tmp_path, resume=True, **settings).step == stopped.step


class Weighed(Objective):
    """An objective that learns."""

    def __init__(self, **weights):
        super().__init__(**weights)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, rollout, frames):
        losses = super().forward(rollout, frames)
        return losses | {"loss": self.share.sigmoid() * losses["l1"] + losses["l2"] - 0.1 * self.share}


def test_an_objective_with_weights_goes_on_too(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unbroken = train(whole, objective=Weighed)
    with pytest.raises(KeyboardInterrupt):
        train(broken, data=Breaking(Drifting(), 4, interrupt), objective=Weighed)
    assert_same(broken, train(broken, objective=Weighed, resume=True), (whole, unbroken))


def test_what_changes_no_number_may_change(tmp_path):
    train(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    train(tmp_path, resume=True, num_workers=1, checkpoint_every=1)
    assert json.loads((tmp_path / "config.json").read_text()) == {**config, "num_workers": 1, "checkpoint_every": 1}


STEADY = {"schedule": "constant", "warmup": 0.0}


@pytest.mark.parametrize(
    ("broken", "settings"),
    [
        (False, STEADY),
        (True, STEADY),
        (False, {"sampling": "scheduled", "sampling_steps": 5, **STEADY}),
        (False, {"schedule": "constant"}),  # of six steps a tenth is less than one
        (True, {"validate_every": 3, **STEADY}),
    ],
)
def test_a_longer_run_begins_as_a_shorter_one(broken, settings, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    unbroken = train(whole, epochs=3, **settings)
    if broken:
        with pytest.raises(KeyboardInterrupt):
            train(out, data=Breaking(Drifting(), 8, interrupt), epochs=2, **settings)
    else:
        train(out, epochs=2, **settings)
    assert_same(out, train(out, epochs=3, resume=True, **settings), (whole, unbroken))
    with pytest.raises(ValueError, match="in its settings: epochs was 3, is 2"):
        train(out, epochs=2, resume=True, **settings)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"schedule": "cosine"},
            "schedule='cosine' is laid over all steps, .* resume it with epochs=2, or start a new",
        ),
        ({"schedule": "onecycle"}, "schedule='onecycle' is laid over all steps"),
        ({"sampling": "scheduled", **STEADY}, "sampling='scheduled' is laid over all steps"),
        ({"schedule": "constant"}, "warmup=0.1 would be 1.8 steps, so that they would have had another learning rate"),
        ({"schedule": "constant", "warmup": 0.5}, "warmup=0.5 would be 9 steps"),
        ({"validate_every": 3, **STEADY}, "it was validated after its last epoch, which .* validate_every=3 would not"),
    ],
)
def test_a_run_that_cannot_become_longer_says_why(settings, reason, tmp_path):
    train(tmp_path, **settings)
    with pytest.raises(ValueError, match=f"is of a run of 2 epochs, which cannot become one of 9: {reason}"):
        train(tmp_path, epochs=9, resume=True, **settings)
    with pytest.raises(ValueError, match="in its settings: seed was 0, is 1"):
        train(tmp_path, epochs=9, seed=1, resume=True, **settings)
    assert train(tmp_path, resume=True, **settings).step == 4
