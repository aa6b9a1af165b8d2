"""Crops: parts of large frames, which are all that is read, drawn by a seed, and where it rains if asked for."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

from stblocks.data import Scaler, Sequence, SequenceWindows
from stblocks.data.crops import draw
from stblocks.train.order import DataOrder, Drawn
from tests.tiny import same_weights, train


def numbered(frames, height, width, channels=None):
    """Every cell has a number of its own, so that one tells where it is from."""
    shape = (frames, height, width) if channels is None else (frames, channels, height, width)
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def whole(sample):
    return torch.cat(sample)


class Recording:
    """A series that notes which cells it was asked for."""

    def __init__(self, array):
        self.array, self.shape, self.keys = array, array.shape, []

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        self.keys.append(key)
        return self.array[key]


@given(
    st.integers(2, 5), st.integers(4, 12), st.integers(4, 12), st.sampled_from([None, 2]),
    st.tuples(st.integers(1, 4), st.integers(1, 4)), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_a_crop_is_a_part_of_the_window_at_one_place(frames, height, width, channels, crop, seed):
    array = numbered(frames + 1, height, width, channels)
    data = SequenceWindows(array, 1, 1, crop=crop)
    assert data.frame_shape == (channels or 1, *crop)
    sample = data.draw(frames - 1, seed)
    found = whole(sample)
    row, column = divmod(int(found[0, 0, 0, 0]) % (height * width), width)
    expected = array[frames - 1 : frames + 1, ..., row : row + crop[0], column : column + crop[1]]
    assert torch.equal(found, torch.from_numpy(expected).reshape(found.shape))
    assert torch.equal(whole(data.draw(frames - 1, seed)), found), "the same seed draws the same"


def test_numbers_of_numpy_are_numbers():
    array = numbered(12, 8, 8)
    data = SequenceWindows(array, 5, 5, crop=(np.int64(4), 4), crop_where=np.float32(0.5))
    own = SequenceWindows(array, 5, 5, crop=(4, 4), crop_where=0.5)
    assert torch.equal(whole(Subset(data, np.arange(3))[np.int64(1)]), whole(own[1]))
    assert torch.equal(whole(draw(Subset(data, np.arange(3)), 2, np.int64(7))), whole(own.draw(2, 7)))
    assert data.frame_shape == (1, 4, 4)


def test_every_place_is_drawn():
    data = SequenceWindows(numbered(2, 5, 6), 1, 1, crop=(3, 4))
    corners = {int(data.draw(0, seed).past[0, 0, 0, 0]) for seed in range(300)}
    assert corners == {6 * row + column for row in range(3) for column in range(3)}


def test_an_index_is_always_the_same_crop():
    data = SequenceWindows(numbered(40, 20, 20), 1, 1, crop=(3, 3))
    assert all(torch.equal(whole(data[i]), whole(data[i])) for i in range(len(data)))
    assert torch.equal(whole(data[-1]), whole(data[len(data) - 1]))
    assert len({int(sample.past[0, 0, 0, 0]) % 400 for sample in data}) > 20, "windows are cropped at many places"


def test_only_the_crop_is_read():
    series = Recording(numbered(9, 50, 60))
    data = SequenceWindows(series, 2, 3, crop=(4, 5))
    assert not series.keys
    data.draw(1, 7)
    ((times, rows, columns),) = series.keys
    assert (times, rows.stop - rows.start, columns.stop - columns.start) == (slice(1, 6), 4, 5)


def test_looking_for_rain_reads_one_frame_more():
    series = Recording(numbered(9, 50, 60, channels=2))
    SequenceWindows(series, 2, 3, crop=(4, 5), crop_where=0.0).draw(1, 7)
    looked, (times, channels, rows, columns) = series.keys
    assert looked == slice(2, 3)
    assert (times, channels, rows.stop - rows.start, columns.stop - columns.start) == (slice(1, 6), slice(None), 4, 5)


def test_crops_are_drawn_where_it_rains():
    """One wet cell in a large frame is in every crop, at any place of it; the threshold is in physical units."""
    array = np.zeros((3, 40, 40))
    array[1, 30, 8] = 25.0
    array[0, 3, 3] = 99.0  # in another frame
    scaler = Scaler(offset=-10.0, scale=95.0)
    data = SequenceWindows(array, 2, 1, crop=(6, 6), crop_where=20.0, scaler=scaler)
    places = set()
    for seed in range(400):
        wet = (scaler.to_physical(data.draw(0, seed).past)[1, 0] >= 20).nonzero()
        assert len(wet) == 1
        places.add(tuple(wet[0].tolist()))
    assert len(places) == 36
    dry = SequenceWindows(array, 2, 1, crop=(6, 6), crop_where=30.0, scaler=scaler)
    assert sum(bool((scaler.to_physical(dry.draw(0, seed).past)[1, 0] >= 20).any()) for seed in range(50)) < 10


def test_rain_at_the_border_and_missing_cells():
    array = np.full((2, 1, 9, 9), np.nan)
    array[:, :, 8, 8] = 5.0
    data = SequenceWindows(array, 1, 1, crop=(3, 3), crop_where=1.0, missing="mask")
    for seed in range(20):
        assert data.draw(0, seed).future[0, 0, 2, 2] == 5


def test_crops_are_resized_and_series_may_differ():
    data = SequenceWindows([numbered(2, 9, 9), numbered(2, 5, 20)], 1, 1, crop=(4, 4), size=(8, 8))
    assert data.frame_shape == (1, 8, 8)
    assert {sample.past.shape for sample in data} == {(1, 1, 8, 8)}
    made = SequenceWindows(lambda i: numbered(2, 6 + i, 6), 1, 1, length=3, crop=(4, 4))
    assert {sample.future.shape for sample in made} == {(1, 1, 4, 4)}


def test_training_draws_by_seed_and_epoch_and_through_parts_and_chains():
    data = SequenceWindows(numbered(9, 30, 30), 1, 1, crop=(2, 2))
    drawn = Drawn(data, augment=False, seed=0)
    epochs = [whole(drawn[epoch, 3]) for epoch in range(6)]
    assert len({int(each[0, 0, 0, 0]) for each in epochs}) > 3
    assert all(torch.equal(whole(Drawn(data, False, 0)[e, 3]), each) for e, each in enumerate(epochs))
    assert any(not torch.equal(whole(Drawn(data, False, 1)[e, 3]), each) for e, each in enumerate(epochs))
    chain = ConcatDataset([Subset(data, [5, 3]), Subset(data, [1])])
    for seed in range(5):
        assert torch.equal(whole(draw(chain, 1, seed)), whole(data.draw(3, seed)))
        assert torch.equal(whole(draw(chain, 2, seed)), whole(data.draw(1, seed)))


class Plain(Dataset):
    def __getitem__(self, index):
        return torch.zeros(1), torch.ones(1)


def test_data_that_do_not_draw_are_indexed():
    assert isinstance(draw(Plain(), 0, 5), Sequence)


def test_a_resumed_run_draws_the_crops_of_an_unbroken_one(tmp_path):
    frames = np.random.default_rng(0).random((14, 1, 20, 20), dtype=np.float32)
    data = SequenceWindows(frames, 3, 2, crop=(8, 8), crop_where=0.5)
    unbroken = train(tmp_path / "a", data=data)
    with pytest.MonkeyPatch.context() as patch:
        original, steps = DataOrder.batch, []

        def stop(self, step):
            steps.append(step)
            if step == 3:
                raise KeyboardInterrupt
            return original(self, step)

        patch.setattr(DataOrder, "batch", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "b", data=data, checkpoint_every=1)
    resumed = train(tmp_path / "b", data=data, checkpoint_every=1, resume=True)
    assert same_weights(resumed.model, unbroken.model)


def test_a_memmap_is_pickled_as_its_place(tmp_path):
    np.save(tmp_path / "rain.npy", numbered(8, 60, 60))
    data = SequenceWindows(np.load(tmp_path / "rain.npy", mmap_mode="r"), 2, 2, crop=(4, 4), crop_where=1.0)
    assert len(pickle.dumps(data)) < 4000
    assert torch.equal(whole(pickle.loads(pickle.dumps(data)).draw(2, 5)), whole(data.draw(2, 5)))


@pytest.mark.slow
def test_memmaps_in_spawned_workers(tmp_path):
    np.save(tmp_path / "rain.npy", numbered(8, 60, 60))
    data = SequenceWindows(np.load(tmp_path / "rain.npy", mmap_mode="r"), 2, 2, crop=(4, 4), crop_where=1.0)
    here = [*DataLoader(data, 2)]
    loader = DataLoader(data, 2, num_workers=1, multiprocessing_context="spawn")
    for one, other in zip(here, loader, strict=True):
        assert torch.equal(one.past, other.past)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 4}, r"crop must be \(H, W\), got 4"),
        ({"crop": (0, 4)}, r"crop must be \(H, W\), got \(0, 4\)"),
        ({"crop": (4.0, 4)}, r"crop must be \(H, W\), got"),
        ({"crop": (4, 9)}, r"crop=\(4, 9\) must be no larger than the frames, got \(8, 8\) in series 0"),
        ({"crop_where": 3.0}, r"crop_where must be a number, beside crop=\(H, W\), got 3.0 and crop=None"),
        ({"crop": (True, 4)}, r"crop must be \(H, W\), got"),
        ({"crop": (2, 2), "crop_where": np.nan}, "crop_where must be a number, .* got nan"),
        ({"crop": (2, 2), "crop_where": "rain"}, "crop_where must be a number, .* got 'rain'"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        SequenceWindows(numbered(3, 8, 8), 1, 1, **options)


def test_what_else_can_be_wrong():
    with pytest.raises(ValueError, match=r"must be no larger than the frames, got \(3, 8\) in series 1"):
        SequenceWindows([numbered(3, 8, 8), numbered(3, 3, 8)], 1, 1, crop=(4, 4))
    made = SequenceWindows(lambda i: numbered(2, 6 - i, 6), 1, 1, length=4, crop=(4, 4))
    with pytest.raises(ValueError, match=r"must be no larger than the frames, got \(3, 6\) in Window 3"):
        made[3]
    array = numbered(3, 8, 8)
    array[1, 7, 7] = np.nan
    with pytest.raises(ValueError, match=r"Window 0 .* has 1 values that are NaN"):  # whether crops meet it or not
        SequenceWindows(array, 1, 1, crop=(2, 2))


def test_a_data_set_derived_from_a_part_is_asked_itself():
    class Doubled(Subset):
        def __getitem__(self, index):
            return Sequence(*(2 * frames for frames in super().__getitem__(index)))

        def __getitems__(self, indices):  # newer torch asks for it
            return [self[index] for index in indices]

    data = SequenceWindows(np.random.default_rng(0).random((6, 4, 4)).astype(np.float32), 2, 1)
    assert torch.equal(draw(Doubled(data, [1]), 0, seed=0).past, 2 * data[1].past)
    chain = ConcatDataset([data, data])
    assert torch.equal(draw(chain, -1, seed=0).past, chain[-1].past)
    assert torch.equal(draw(ConcatDataset([data, Doubled(data, [2])]), -1, seed=0).past, 2 * data[2].past)
