"""Every setting has an effect, every problem is named before the first batch, and records are whole."""

import json
import re
from dataclasses import fields
from functools import partial
from itertools import count
from multiprocessing import active_children

import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, get_worker_info

from stblocks import create_model
from stblocks.blocks.layers import MapNorm
from stblocks.data import CIKM_DBZ, Sequence
from stblocks.score import evaluate
from stblocks.train import TrainConfig, fit, report, run_state
from stblocks.train.order import DataOrder
from stblocks.train.settings import described
from tests.tiny import SET_UP, SMALL, Drifting, same_weights, tiny, train

#: Another value of a setting, and what of a run it changes.
CHANGES = {
    "epochs": (3, "weights"),
    "batch_size": (3, "weights"),
    "accumulate": (2, "weights"),  # dropout is drawn part by part
    "lr": (0.1, "weights"),
    "weight_decay": (0.5, "weights"),
    "schedule": ("cosine", "weights"),
    "warmup": (0.9, "weights"),
    "sampling": ("reverse", "weights"),
    "l1": (0.0, "weights"),
    "l2": (0.0, "weights"),
    "grad_clip": (0.01, "weights"),
    "ema_decay": (0.5, "weights"),
    "precision": ("bf16", "weights"),
    "augment": (True, "weights"),
    "jitter": (0.2, "weights"),
    "spectral": (1.0, "weights"),
    "high_frequency": (1.0, "weights"),
    "pinball": (1.0, "weights"),
    "seed": (1, "weights"),
    "thresholds": ((0.5,), "records"),
    "metrics": (("rmse@pixel",), "records"),
    "validate_every": (2, "records"),
    "keep_best": (2, "files"),
}
#: Settings with a test of their own, below.
ALONE = {"num_workers", "checkpoint_every", "patience", "graph", "channels_last", "monitor"}
#: Another value of a setting that needs others, and those.
TOGETHER = {
    "heavier": ((3.0,), {"loss_thresholds": (0.5,)}),
    "csi": (1.0, {"loss_thresholds": (0.5,)}),
    "fss": (1.0, {"loss_thresholds": (0.5,)}),
    "loss_thresholds": ((0.6,), {"loss_thresholds": (0.5,), "csi": 1.0}),
    "softness": (0.1, {"loss_thresholds": (0.5,), "csi": 1.0}),
    "fss_window": (3, {"loss_thresholds": (0.5,), "fss": 1.0}),
    "quantile": (0.9, {"pinball": 1.0}),
    "sampling_steps": (40, {"sampling": "reverse"}),
}


def traces(out, **settings):
    """What a run leaves behind."""
    result = train(out, **settings)
    return {
        "weights": torch.cat([value.flatten() for value in result.model.state_dict().values()]).tolist(),
        "records": (out / "metrics.jsonl").read_text(),
        "files": sorted(path.name for path in out.rglob("*")),
    }


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return traces(tmp_path_factory.mktemp("usual"))


def test_every_setting_is_tried_and_has_a_rule():
    names = {field.name for field in fields(TrainConfig)}
    assert CHANGES.keys() | ALONE | TOGETHER.keys() == names
    assert all(said.check and said.help for said in described(TrainConfig).values())


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_changes_the_run(name, usual, tmp_path):
    value, what = CHANGES[name]
    assert traces(tmp_path, **{name: value})[what] != usual[what]


@pytest.mark.parametrize("name", TOGETHER)
def test_a_setting_that_needs_others_changes_the_run(name, usual, tmp_path):
    value, others = TOGETHER[name]
    without = usual if name in ("heavier", "csi", "fss") else traces(tmp_path / "without", **others)
    assert traces(tmp_path / "with", **{**others, name: value})["weights"] != without["weights"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"csi": 1.0}, "csi needs loss_thresholds, where it cuts"),
        ({"heavier": (1.0,)}, "heavier needs loss_thresholds, where it cuts"),
        ({"heavier": (1.0,), "loss_thresholds": (1.0, 2.0)}, r"heavier must be a number >= 0 for each .* got \(1.0,\)"),
        ({"heavier": (-1.0,), "loss_thresholds": (1.0,)}, r"heavier must be a number >= 0 for each .* got \(-1.0,\)"),
        ({"loss_thresholds": (1.0,)}, "loss_thresholds changes nothing without heavier or csi or fss; give that"),
        ({"softness": 1.0}, "softness changes nothing without csi or fss; give that, or leave softness out"),
        ({"quantile": 0.5}, "quantile changes nothing without pinball"),
        ({"fss_window": 3}, "fss_window changes nothing without fss"),
        ({"fss_window": 4}, "fss_window must be an odd number >= 1, got 4"),
        ({"quantile": 1.0}, r"quantile must be in \(0, 1\), got 1.0"),
        ({"l1": 0.0, "l2": 0.0, "spectral": 1.0}, "l1 and l2 must not both be 0"),
        ({"monitor": "csi@20"}, "monitor must be one of .*lpips@vgg, got 'csi@20'"),
        ({"monitor": "bias@20", "thresholds": (20.0,)}, "monitor must be one of .*csi@20, .*, got 'bias@20'"),
    ],
)
def test_settings_that_need_others_say_so(settings, problem):
    (found,) = TrainConfig(**settings).problems()
    assert re.match(problem, found)


def test_the_same_settings_give_the_same_run(usual, tmp_path):
    assert traces(tmp_path, checkpoint_every=3) == usual


def test_workers_load_the_data_and_change_nothing(usual, tmp_path):
    class ByWorkers(Drifting):
        here = 0  # samples that this process has read

        def __getitem__(self, index):
            if get_worker_info() is None:
                self.here += 1
            return super().__getitem__(index)

    data = {"data": ByWorkers(), "validation": ByWorkers(5, seed=1)}
    assert traces(tmp_path, num_workers=1, **data) == usual
    assert {name: each.here for name, each in data.items()} == SET_UP  # none for a batch


def test_parts_of_a_batch_change_nothing_but_memory(tmp_path):
    whole = train(tmp_path / "whole", model=tiny(dropout=0), sampling="reverse")
    model = tiny(dropout=0)
    sizes = set()
    model.blur.register_forward_pre_hook(lambda _, inputs: sizes.add(len(inputs[0])) if model.training else None)
    parts = train(tmp_path / "parts", model=model, sampling="reverse", accumulate=2)
    assert sizes == {2}
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_accelerates_own_way_to_accumulate_is_not_heard(usual, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    assert traces(tmp_path)["records"] == usual["records"]


def test_a_failed_run_leaves_no_process_that_loads(tmp_path):
    before, data = {*active_children()}, Drifting()
    data.frames[:, 1] = torch.nan
    data.frames[0] = Drifting().frames[0]
    with pytest.raises(FloatingPointError) as error:  # the frames of the exception, kept here, keep what they hold
        train(tmp_path, data=data, num_workers=1)
    assert error.tb
    assert {*active_children()} == before


@pytest.mark.parametrize(("every", "steps"), [(1, [0, 1, 2, 2, 3, 4, 4]), (3, [0, 2, 2, 3, 4, 4])])
def test_checkpoints_are_written_as_often_as_asked(every, steps, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(run_state, "save_checkpoint", lambda state, path: saved.append(state["training"]["step"]))
    train(tmp_path, checkpoint_every=every)
    assert saved == steps


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, wrong)
            for name in ("epochs", "batch_size", "validate_every", "keep_best")
            for wrong in (0, 1.0, None)
        ),
        *((name, 0) for name in ("accumulate", "checkpoint_every", "patience", "grad_clip", "lr")),
        *((name, -1) for name in ("num_workers", "seed", "weight_decay", "l1", "l2", "warmup", "ema_decay")),
        *((name, "none") for name in ("schedule", "precision", "grad_clip", "augment", "thresholds", "lr")),
        *((name, float("nan")) for name in ("lr", "l1", "warmup", "sampling")),
        *((name, 1.0) for name in ("warmup", "ema_decay")),
        ("schedule", "linear"),
        ("augment", 1),
        ("channels_last", 1),
        ("thresholds", [20.0]),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    settings = {**SMALL, "precision": "no", name: value}
    if (name, value) == ("precision", "none"):
        settings["precision"] = "half"
    (problem,) = TrainConfig(**settings).problems()
    assert problem.startswith(f"{name} must be ")
    assert problem.endswith(repr(settings[name]))


def test_all_problems_are_reported_at_once_before_anything_is_written(tmp_path):
    model, data, validation = tiny(), Drifting(), Drifting()
    model.in_channels, model.image_size = 2, (9, 9)
    data.frames = data.frames.double().round().int()
    validation.frames[0, 0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="This run cannot start") as error:
        train(tmp_path / "run", model=model, data=data, validation=validation, lr=-1.0, epochs=0, l1=None)
    for problem in (
        "epochs must be an integer >= 1, got 0",
        "lr must be a number > 0, got -1.0",
        "l1 must be a number >= 0, got None",
        "train_data must yield past as floats",
        "validation_data has NaN or infinite values in its first past",
        "validation_data must fit the model's in_channels=2, got 1",
        "validation_data must fit the model's image_size=[9, 9], got [8, 8]",
    ):
        assert problem in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "got"), [(torch.rand(9, 5, 1, 8, 8), r"a Tensor \(5, 1, 8, 8\)"), ([(torch.rand(1), 3)] * 9, "a tuple")]
)
def test_frames_that_are_no_samples(tmp_path, data, got):
    with pytest.raises(ValueError, match=rf"train_data must yield samples \(past, future\), got {got}; cut"):
        train(tmp_path / "run", data=data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1": 0, "l2": 0.0}, "l1 and l2 must not both be 0"),
        ({"accumulate": 3}, r"batch_size must be divisible by accumulate=3 times 1 process\(es\), got 4"),
        ({"batch_size": 10}, "batch_size must be at most the 9 training sequences, got 10"),
        ({"precision": "fp16"}, "precision='fp16' needs a GPU"),
        ({"model": torch.nn.Linear(1, 1)}, r"model must have a method rollout\(past, horizon, ...\), got Linear"),
        ({"data": Drifting(0)}, "train_data must hold at least one sequence"),
    ],
)
def test_settings_model_and_data_must_fit(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        train(tmp_path, **options)


@pytest.mark.parametrize("name", ["data", "validation"])
def test_a_loader_is_no_data_set(name, tmp_path):
    """Batches are the trainer's own business: order, processes and resuming go by the numbers of sequences."""
    where = {"data": "train_data", "validation": "validation_data"}[name]
    told = rf"{where} must be a data set with len\({where}\) and {where}\[i\], got DataLoader; pass its .*\.dataset"
    with pytest.raises(ValueError, match=told):
        train(tmp_path / "run", **{name: DataLoader(Drifting(), 4)})
    for score in (evaluate, partial(report, out_dir=tmp_path / "run")):
        with pytest.raises(ValueError, match=r"data must be .* got DataLoader; pass its data set, data\.dataset"):
            score(tiny(), DataLoader(Drifting(), 4))
    with pytest.raises(ValueError, match="got NoneType; make it a map-style one"):
        evaluate(tiny(), None)
    stream = type("Stream", (IterableDataset,), {"__len__": lambda self: 9, "__iter__": iter})()
    with pytest.raises(ValueError, match=f"{where} must be .* got Stream; make it a map-style one"):
        train(tmp_path / "run", **{name: stream})
    assert not (tmp_path / "run").exists()


def test_settings_and_directory_are_of_their_types(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"config must be a TrainConfig, got dict; write TrainConfig\(epochs=1"):
        fit(tiny(), Drifting(), Drifting(), {"epochs": 1}, "run")
    for place in (None, 5):
        with pytest.raises(ValueError, match=f"out_dir must be the path of a directory, got {place}"):
            fit(tiny(), Drifting(), Drifting(), TrainConfig(), place)
        with pytest.raises(ValueError, match=f"out_dir must be the path of a directory, got {place}"):
            report(tiny(), Drifting(), place)
    assert list(tmp_path.iterdir()) == []


class TwoToOne(Drifting):
    """Frames of two channels, of which the first is forecast."""

    frame_shape = (2, 8, 8)

    def __getitem__(self, index):
        past, future = super().__getitem__(index)
        return Sequence(past.expand(-1, 2, -1, -1), future)


def test_forecasts_of_fewer_channels_must_be_fed_back(tmp_path):
    """It is known before the first batch, and before there is a directory."""
    data, run = TwoToOne(), tmp_path / "run"
    model = create_model("convlstm", 2, (8, 8), out_channels=1, channels=4, num_layers=1, patch_size=2)
    with pytest.raises(ValueError, match=r"train_data must have future frames of all channels, or at most 1 of them"):
        train(run, model=model, data=data, validation=data)
    model.feedback = lambda frames: frames.expand(*frames.shape[:-3], 2, -1, -1)
    with pytest.raises(ValueError, match=r"must have whole future frames for sampling='scheduled', which feeds them"):
        train(run, model=model, data=data, validation=data, sampling="scheduled")
    assert not run.exists()
    train(run, model=model, data=data, validation=data)


def test_thresholds_of_one_name_are_refused_before_the_first_batch(tmp_path):
    with pytest.raises(ValueError, match=r"This run cannot start: .*thresholds must be numbers that differ"):
        train(tmp_path / "run", thresholds=(20.0, 20.000001))


def test_a_trained_model_is_ready_to_forecast(tmp_path):
    assert not any(part.training for part in train(tmp_path).model.modules())


def test_frames_must_be_large_enough_to_score(tmp_path):
    data = Drifting()
    data.frames = data.frames[..., :6]
    with pytest.raises(ValueError, match="metrics cannot score validation_data: ssim needs frames of at least 7 x 7"):
        train(tmp_path, data=data, validation=data)
    train(tmp_path, data=data, validation=data, metrics=("mae@pixel",))


def test_records_hold_every_step_and_every_validation(tmp_path):
    result = train(tmp_path, thresholds=(0.5,), draw=True)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(record["step"], record["epoch"], "loss" in record) for record in lines] == [
        (1, 1, True),
        (2, 1, True),
        (2, 1, False),
        (3, 2, True),
        (4, 2, True),
        (4, 2, False),
    ]
    assert lines == result.records
    assert lines[0].keys() == {"step", "epoch", "loss", "l1", "l2", "lr", "grad_norm", "seconds"}
    assert lines[2]["model"].keys() == lines[2]["persistence"].keys() >= {"mse@pixel", "csi@0.5"}
    assert json.loads((tmp_path / "config.json").read_text())["lr"] == SMALL["lr"]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_seconds_are_those_of_steps_and_go_on_after_a_pause(tmp_path):
    clock = count(step=2).__next__  # which is read before a step and after it
    records = train(tmp_path, clock=clock, patience=1, keep_best=9).records
    assert [record["seconds"] for record in records] == [2.0, 4.0, 4.0, 6.0, 8.0, 8.0]
    lines = (tmp_path / "metrics.jsonl").read_text()
    again = train(tmp_path, clock=clock, resume=True, patience=1, keep_best=9, epochs=2).records
    assert again == records
    assert (tmp_path / "metrics.jsonl").read_text() == lines


@pytest.mark.parametrize("channels_last", [True, False])
def test_weights_lie_as_the_setting_says(channels_last, tmp_path):
    model = tiny()
    model.blur = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), MapNorm(2, 8, 8), torch.nn.Conv2d(2, 1, 1))
    train(tmp_path, model=model, channels_last=channels_last)
    strides = [model.blur[2].weight.stride(), model.blur[1].weight.stride()]
    assert strides == ([(2, 1, 2, 2), (1, 16, 2)] if channels_last else [(2, 1, 1, 1), (64, 8, 1)])


def test_batches_are_those_of_the_order(tmp_path):
    class Noting(Drifting):
        drawn: list[int] = []  # noqa: RUF012

        def __getitem__(self, index):
            self.drawn.append(index)
            return super().__getitem__(index)

    train(tmp_path, data=Noting())
    order = DataOrder(9, 4, seed=0)
    expected = [index for step in range(4) for _, index in order.batch(step)]
    assert Noting.drawn[-len(expected) :] == expected


def test_every_step_draws_random_numbers_of_its_own(tmp_path):
    def dropped(out):
        model, found = tiny(dropout=0.5), []
        model.drop.register_forward_hook(
            lambda module, _, output: found.append(output == 0) if module.training else None
        )
        train(tmp_path / out, model=model)
        return found

    found, again = dropped("one"), dropped("again")
    assert len(found) == len(again) == 4 * 4  # frames of a rollout, steps
    for i, mask in enumerate(found):
        assert torch.equal(mask, again[i])
        assert not any(torch.equal(mask, other) for other in found[:i])


def test_thresholds_of_the_loss_are_physical_in_a_part_of_a_data_set(tmp_path):
    class Radar(Drifting):
        scaler = CIKM_DBZ

    settings = {"loss_thresholds": (30.0,), "csi": 1.0}
    whole = train(tmp_path / "a", data=Radar(), validation=Radar(5, seed=1), **settings)
    part = train(tmp_path / "b", data=Subset(Radar(), range(9)), validation=Radar(5, seed=1), **settings)
    assert same_weights(whole.model, part.model)


def test_parts_in_other_units_have_no_thresholds_and_no_jitter(tmp_path):
    class Radar(Drifting):
        scaler = CIKM_DBZ

    data = ConcatDataset([Drifting(5), Radar(5)])
    for settings in ({"loss_thresholds": (30.0,), "csi": 1.0}, {"jitter": 2.0}):
        with pytest.raises(ValueError, match=r"cannot start: (loss_thresholds|jitter) must be in units that all data"):
            train(tmp_path / "run", data=data, **settings)
    train(tmp_path / "run", data=data)
