"""Series in files go to worker processes as the place where they lie, and damage is told with the file's name."""

import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import zarr
from torch.utils.data import DataLoader

from stblocks.data import SequenceWindows, hdf5_files

rng = np.random.default_rng(0)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "part", [slice(None), slice(3, 30), slice(20, 3, -2), (slice(2, None), slice(1, 6), slice(2, 7))]
)
def test_memmaps_are_pickled_as_their_place(tmp_path, order, part):
    np.save(tmp_path / "rain.npy", np.asarray(rng.normal(size=(40, 8, 9)), order=order))
    rain = np.load(tmp_path / "rain.npy", mmap_mode="r")[part]
    data = SequenceWindows([rain, rain[5:]], 2, 1)
    sent = pickle.dumps(data)
    assert len(sent) < 2000
    again = pickle.loads(sent)
    np.testing.assert_array_equal(torch.cat(again[1])[:, 0], rain[1:4].astype("f4"))
    for index in range(len(data)):
        assert torch.equal(again[index].past, data[index].past)
    (tmp_path / "rain.npy").unlink()
    with pytest.raises(ValueError, match=r"rain.npy cannot be read as the memmap it was .* leave files where they are"):
        pickle.loads(sent)


def test_memmaps_with_values_of_their_own_are_pickled_with_these(tmp_path):
    np.save(tmp_path / "rain.npy", np.zeros((4, 2, 2)))
    changed = np.load(tmp_path / "rain.npy", mmap_mode="c")
    changed[:] = 3
    for series in (changed, np.load(tmp_path / "rain.npy", mmap_mode="r") + 3):
        again = pickle.loads(pickle.dumps(SequenceWindows(series, 1, 1)))
        assert again[0].past.eq(3).all()


def test_hdf5_data_sets_are_reopened(tmp_path):
    rain = rng.normal(size=(40, 8, 9)).astype("f4")
    with h5py.File(tmp_path / "rain.h5", "w") as file:
        file.create_dataset("a/rain", data=rain, chunks=(4, 8, 9), compression="gzip")
    with h5py.File(tmp_path / "rain.h5") as file:
        data = SequenceWindows(file["a/rain"], 2, 1)
        again = pickle.loads(pickle.dumps(data))
        for index in (0, 37):
            np.testing.assert_array_equal(again[index].past[:, 0], rain[index : index + 2])
        sent = pickle.dumps(data)
    hdf5_files.KEPT.clear()
    with h5py.File(tmp_path / "rain.h5", "a") as file:
        del file["a/rain"]
        file["a/rain"] = rain[:20]
    with pytest.raises(ValueError, match=r"'/a/rain' is float32 \(20, 8, 9\) now, no longer float32 \(40, 8, 9\)"):
        pickle.loads(sent)


def test_an_hdf5_file_that_another_one_is_copied_over(tmp_path):
    """HDF5 would read the values of the new file from where those of the old one were, or say its old shapes."""
    values = rng.normal(size=(3, 40, 8, 9)).astype("f4")
    for name, rain, first in zip("abc", (*values[:2], values[2, :20]), (0, 999, 5000), strict=True):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["first"] = np.zeros(first)  # so that rain begins elsewhere
            file.create_dataset("rain", data=rain, chunks=(4, 8, 9), compression="gzip")
    place = tmp_path / "rain.h5"
    shutil.copy(tmp_path / "a.h5", place)
    with h5py.File(place) as file:
        again = pickle.loads(pickle.dumps(SequenceWindows(file["rain"], 2, 1)))
    np.testing.assert_array_equal(again[5].past[:, 0], values[0, 5:7])
    shutil.copy(tmp_path / "b.h5", place)
    np.testing.assert_array_equal(again[5].past[:, 0], values[1, 5:7])
    np.testing.assert_array_equal(hdf5_files.opened_hdf5(place)["rain"][:], values[1])
    shutil.copy(tmp_path / "c.h5", place)
    held = hdf5_files.open_hdf5(place)
    assert (held["rain"].shape, held["first"].shape) == ((20, 8, 9), (5000,))
    np.testing.assert_array_equal(held["rain"].read(), values[2, :20])
    with pytest.raises(ValueError, match=r"rain.h5 cannot be read .*'/rain' is float32 \(20, 8, 9\) now, no longer"):
        again[5]


def test_an_hdf5_file_by_another_path_while_the_old_one_is_held(tmp_path):
    (tmp_path / "folder").mkdir()
    place, other = tmp_path / "rain.h5", tmp_path / "folder" / ".." / "rain.h5"
    for number, length in ((0, 40), (1, 20)):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["rain"] = np.full(length, number)
    shutil.copy(tmp_path / "0.h5", place)
    old = hdf5_files.opened_hdf5(place)
    assert old is hdf5_files.opened_hdf5(other)
    shutil.copy(tmp_path / "1.h5", place)
    assert hdf5_files.open_hdf5(other)["rain"].shape == (20,)
    np.testing.assert_array_equal(hdf5_files.opened_hdf5(other)["rain"][:], np.ones(20))
    assert not old


def test_few_hdf5_files_are_kept_open(tmp_path):
    for number in range(hdf5_files.MOST_KEPT + 3):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["rain"] = np.full(4, number)
        assert hdf5_files.opened_hdf5(tmp_path / f"{number}.h5")["rain"][0] == number
        assert hdf5_files.opened_hdf5(tmp_path / "0.h5")["rain"][0] == 0
    names = [path.name for path in hdf5_files.KEPT]
    assert names[-1] == "0.h5"
    assert len(names) == hdf5_files.MOST_KEPT


def test_zarr_arrays_are_reopened_and_named_when_damaged(tmp_path):
    rain = rng.normal(size=(6, 8, 9)).astype("f4")
    array = zarr.open_array(str(tmp_path / "rain.zarr"), mode="w", shape=rain.shape, chunks=(2, 8, 9), dtype="f4")
    array[:] = rain
    data = SequenceWindows(array, 2, 1)
    again = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(again[3].past[:, 0], rain[3:5])
    chunks = [tmp_path / "rain.zarr" / name for name in ("1.0.0", "c/1/0/0")]  # of formats 2 and 3
    next(filter(Path.exists, chunks)).write_bytes(b"damage")
    with pytest.raises(ValueError, match=r"rain.zarr cannot be read as a zarr array \(.+\); fetch it again"):
        data[2]


def test_spawned_workers_read_files(tmp_path):
    np.save(tmp_path / "rain.npy", rng.normal(size=(12, 4, 4)))
    data = SequenceWindows(np.load(tmp_path / "rain.npy", mmap_mode="r"), 2, 1)
    batch = next(iter(DataLoader(data, 5, num_workers=1, multiprocessing_context="spawn")))
    assert torch.equal(batch.past[4], data[4].past)
