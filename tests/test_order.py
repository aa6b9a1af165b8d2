"""Which sequences a step trains on, and how they are turned, is a function of the seed and the step alone."""

from itertools import chain

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Dataset

from stblocks.data import Sequence
from stblocks.score import evaluate
from stblocks.train import Objective
from stblocks.train.objective import Losses
from stblocks.train.order import DataOrder, Drawn, Share
from tests.tiny import Drifting, tiny, train

seeds = st.integers(0, 2**40)


@given(st.integers(1, 12), st.integers(1, 30), seeds, st.integers(0, 40))
def test_an_order_is_a_function_of_seed_and_step(batch_size, more, seed, step):
    order = DataOrder(batch_size + more, batch_size, seed)
    order.batch(step + 7)  # what was asked before does not matter
    assert order.batch(step) == DataOrder(batch_size + more, batch_size, seed).batch(step)
    epoch = step // order.steps_per_epoch
    assert {draw[0] for draw in order.batch(step)} == {epoch}


@given(st.integers(1, 12), st.integers(0, 30), seeds)
def test_an_epoch_takes_every_sequence_at_most_once(batch_size, more, seed):
    order = DataOrder(batch_size + more, batch_size, seed)
    drawn = list(chain.from_iterable(map(order.batch, range(order.steps_per_epoch))))
    assert len({index for _, index in drawn}) == len(drawn) == (batch_size + more) // batch_size * batch_size
    assert all(0 <= index < batch_size + more for _, index in drawn)


def test_epochs_and_seeds_differ():
    orders = [DataOrder(64, 64, seed).batch(step) for seed in (0, 1) for step in (0, 1)]
    assert len({tuple(index for _, index in order) for order in orders}) == 4


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 5), st.integers(0, 3))
def test_processes_and_parts_divide_every_batch(side, parts, processes, first, steps):
    order = DataOrder(40, side * parts * processes, seed=0)
    shares = [Share(order, range(first, first + steps), parts, rank, processes) for rank in range(processes)]
    taken = [list(share) for share in shares]
    assert [len(each) for each in taken] == [len(share) for share in shares] == [steps * parts] * processes
    for step in range(steps):
        together = [draw for each in taken for part in each[step * parts : (step + 1) * parts] for draw in part]
        assert sorted(together) == sorted(order.batch(first + step))
        for share, each in zip(shares, taken, strict=True):
            batch = order.batch(first + step)
            assert each[step * parts : (step + 1) * parts] == [batch[part] for part in share.slices()]


class One(Dataset):
    """One sequence whose cells are numbered."""

    def __init__(self, height, width):
        frames = torch.arange(5.0 * height * width).view(5, 1, height, width)
        self.sample = Sequence(*frames.split([3, 2]))

    def __getitem__(self, index):
        return self.sample


def symmetries(frames):
    """All turns of the square; of a rectangle, those that keep its shape."""
    square = frames.shape[-2] == frames.shape[-1]
    turned = [frames, frames.transpose(-2, -1)] if square else [frames]
    return [each.flip(axes) for each in turned for axes in ((), (-1,), (-2,), (-2, -1))]


@pytest.mark.parametrize(("width", "number"), [(3, 8), (2, 4)])
def test_augmentation_turns_whole_sequences_in_every_way(width, number):
    data = One(3, width)
    whole = torch.cat(data.sample)
    drawn = Drawn(data, augment=True, seed=0)
    seen = set()
    for draw in ((epoch, index) for epoch in range(10) for index in range(10)):
        turned = torch.cat(drawn[draw])
        (way,) = (i for i, each in enumerate(symmetries(whole)) if torch.equal(each, turned))
        assert torch.equal(torch.cat(Drawn(data, augment=True, seed=0)[draw]), turned)
        seen.add(way)
    assert len(seen) == number
    others = [torch.cat(Drawn(data, augment=True, seed=1)[draw]) for draw in ((0, i) for i in range(20))]
    assert any(not torch.equal(torch.cat(drawn[0, i]), other) for i, other in enumerate(others))


def test_without_augmentation_a_draw_is_the_sequence_itself():
    data = One(3, 3)
    assert Drawn(data, augment=False, seed=0)[5, 0] is not data.sample
    assert torch.equal(Drawn(data, augment=False, seed=0)[5, 0].past, data.sample.past)


@settings(max_examples=15)
@given(st.permutations(range(6)), st.integers(1, 6))
def test_neither_order_nor_size_of_batches_changes_scores(order, batch_size):
    data, shuffled, model = Drifting(6), Drifting(6), tiny()
    shuffled.frames = data.frames[order]
    expected = evaluate(model, data, thresholds=(0.5,), batch_size=6)
    found = evaluate(model, shuffled, thresholds=(0.5,), batch_size=batch_size)
    assert model.training
    for name in ("model", "persistence"):
        assert found[name].pooled == pytest.approx(expected[name].pooled, rel=1e-5, nan_ok=True)


@settings(max_examples=15)
@given(st.permutations(range(6)))
def test_the_order_within_a_batch_does_not_change_the_loss(order):
    past, future = Drifting(6).frames.split([3, 2], dim=1)
    losses = Losses(tiny(dropout=0), Objective())
    torch.testing.assert_close(losses(past, future), losses(past[order], future[order]))


def test_a_frame_with_missing_cells_is_not_fed():
    past, future = Drifting(2).frames.split([3, 2], dim=1)
    future[1, 0, 0, 3, 3] = torch.nan
    losses = Losses(tiny(dropout=0), Objective())
    found = losses(past, future, torch.ones(2, 4, dtype=torch.bool))
    fed = torch.tensor([[True] * 4, [True] * 3 + [False]])
    rollout = losses.model.rollout(past, 2, future, fed)
    target = torch.cat([past, future], dim=1)[:, 1:]
    error = (rollout.frames - target)[~target.isnan()]
    torch.testing.assert_close(found["l1"], error.abs().mean())
    torch.testing.assert_close(found["l2"], error.square().mean())


@pytest.mark.parametrize("sampling", ["none", "scheduled"])
def test_missing_cells_reach_neither_losses_nor_scores(sampling, tmp_path):
    data, validation = Drifting(), Drifting(5, seed=1)
    data.frames[1:, 3:, :, 2:5] = torch.nan
    validation.frames[:, 3:, :, 2:5] = torch.nan
    result = train(tmp_path, data=data, validation=validation, sampling=sampling)
    assert all(record["loss"] < 10 for record in result.records if "loss" in record)
    assert all(record["model"]["mse@pixel"] < 1 for record in result.records if "model" in record)
    assert all(value.isfinite().all() for value in result.model.state_dict().values())
