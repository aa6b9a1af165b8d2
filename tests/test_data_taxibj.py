"""TaxiBJ from the file that is passed on and from those released: values, splits, days that lack slots."""

import sys

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stblocks.data import Scaler, TaxiBJ


def pairs(count, seed=0):
    """Samples as in the file: `(count, 8, 2, 32, 32)` in [-1, 1]."""
    made = np.random.default_rng(seed).uniform(-0.9, 1, (count, 8, 2, 32, 32)).astype(np.float32)
    made[:, 0, 0, 0, 0] = -1
    return made


def npz(path, **other):
    train, test = pairs(5), pairs(2, seed=1)
    arrays = {"X_train": train[:, :4], "Y_train": train[:, 4:], "X_test": test[:, :4], "Y_test": test[:, 4:]}
    np.savez(path, **{name: array for name, array in (arrays | other).items() if array is not None})
    return path


def dates(first, days):
    texts = [str(day).replace("-", "") for day in np.datetime64(first) + np.arange(days, dtype="m8[D]")]
    return [f"{text}{slot:02d}".encode() for text in texts for slot in range(1, 49)]


def h5(path, date, first=0):
    """Flows that tell their place in time: frame t is `first + t`, and twice that as outflow."""
    t = np.arange(first, first + len(date), dtype=np.float32)
    data = np.stack([t, 2 * t], axis=1)[..., None, None] * np.ones((32, 32), np.float32)
    with h5py.File(path, "w") as file:
        file["data"], file["date"] = data, np.array(date)
    return path


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """Two files: 2 days, and 30 days of which the second lacks a slot. 31 whole days, of which 28 are for testing."""
    root = tmp_path_factory.mktemp("TaxiBJ")
    h5(root / "BJ15_M32x32_T30_InOut.h5", dates("2015-06-29", 2))
    rest = dates("2015-11-01", 30)
    h5(root / "BJ16_M32x32_T30_InOut.h5", rest[:70] + rest[71:], first=1000)
    (root / "BJ_Meteorology.h5").write_bytes(b"")
    return root


def test_the_file_passed_on(tmp_path):
    path = npz(tmp_path / "dataset.npz")
    train, test = TaxiBJ(path), TaxiBJ(path, "test")
    assert (len(train), len(test), train.in_frames, train.out_frames) == (5, 2, 4, 4)
    assert train.frame_shape == (2, 32, 32)
    np.testing.assert_allclose(torch.cat(train[3]), (pairs(5)[3] + 1) / 2, atol=1e-6)
    np.testing.assert_allclose(torch.cat(test[1]), (pairs(2, seed=1)[1] + 1) / 2, atol=1e-6)
    flow = TaxiBJ(path, scaler=Scaler(0.0, 1000.0, "flow"))
    assert torch.allclose(flow[3].future, train[3].future, atol=1e-6)
    np.testing.assert_allclose(flow.scaler.to_physical(flow[3].past), (pairs(5)[3, :4] + 1) * 500, atol=1e-3)
    few = TaxiBJ(path, in_frames=3, out_frames=2)
    assert torch.equal(torch.cat(few[1]), torch.cat(train[1])[:5])
    assert torch.equal(next(iter(DataLoader(train, 2, num_workers=1))).past[1], train[1].past)


def test_samples_held_out(tmp_path):
    path = npz(tmp_path / "dataset.npz")
    train, held = (TaxiBJ(path, split, validation_fraction=0.4) for split in ("train", "validation"))
    assert (len(train), len(held)) == (3, 2)
    assert torch.equal(held[0].past, TaxiBJ(path)[3].past)
    assert len(TaxiBJ(path, "test", validation_fraction=0.4)) == 2


def starts(data):
    """The number of each window's first frame."""
    return [round(data.scaler.to_physical(sample.past)[0, 0, 0, 0].item()) for sample in data]


def test_the_files_released(released):
    train, test = TaxiBJ(released), TaxiBJ(released, "test")
    assert train.frame_shape == (2, 32, 32)
    # Days 29 and 30 June follow one another, 1 November is alone, 2 November lacks a slot.
    assert starts(train) == [*range(0, 96 - 7), *range(1000, 1048 - 7)]
    assert starts(test) == [*range(1095, 1095 + 28 * 48 - 7)]
    assert train.scaler == test.scaler == Scaler(0.0, 2 * 1047.0, "crowd flow / 30 min")
    past, future = train[90]
    np.testing.assert_allclose(past[:, :, 5, 5] * 2094, [[1001 + t, 2002 + 2 * t] for t in range(4)], rtol=1e-5)
    np.testing.assert_allclose(train.scaler.to_physical(future)[:, 1, 0, 0], [2010, 2012, 2014, 2016], rtol=1e-5)


def test_days_held_out(released):
    train, held = (TaxiBJ(released, split, validation_fraction=0.34) for split in ("train", "validation"))
    assert (starts(train), starts(held)) == ([*range(89)], [*range(1000, 1041)])
    assert train.scaler == held.scaler == TaxiBJ(released).scaler


def test_one_file_and_longer_windows(released):
    path = released / "BJ16_M32x32_T30_InOut.h5"
    assert starts(TaxiBJ(path, in_frames=20, out_frames=28)) == [1000]
    assert starts(TaxiBJ(released, in_frames=48, out_frames=48)) == [0]  # too long for 1 November


ERRORS = [
    ({}, {"split": "val"}, r"split must be 'train', 'validation' or 'test', got 'val'"),
    ({}, {"split": "validation"}, r"TaxiBJ has no validation part; pass validation_fraction=0.1"),
    ({}, {"validation_fraction": -0.1}, r"validation_fraction must be in \[0, 1\), got -0.1"),
    ({}, {"out_frames": 5}, r"in_frames \+ out_frames must be at most 8, .* got 9; take fewer, or the HDF5 files"),
    ({"Y_train": None}, {}, r"has no array 'Y_train', only X_train, X_test, Y_test"),
    ({"X_train": pairs(5)[:, :4, :1]}, {}, r"X_train of .* must be \(N, T, 2, 32, 32\).* got \(5, 4, 1, 32, 32\)"),
    ({"Y_train": pairs(4)[:, 4:]}, {}, r"must be .* as many X as Y"),
    ({"X_train": (pairs(5)[:, :4] + 1) / 2}, {}, r"must have values from -1, no flow, to 1, got 0.* to "),
    ({"X_train": pairs(5)[:, :4] * 2}, {}, r"must have values from -1, no flow, to 1, got -2 to "),
]


@pytest.mark.parametrize(("arrays", "options", "message"), ERRORS, ids=[message for *_, message in ERRORS])
def test_errors(tmp_path, arrays, options, message):
    path = npz(tmp_path / "dataset.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        TaxiBJ(path, **options)


def test_errors_of_files(released, tmp_path, monkeypatch):
    for path, name in (
        (tmp_path, "BJ16_M32x32_T30_InOut.h5"),
        (tmp_path / "taxi", "taxi"),
        (tmp_path / "a.h5", "a.h5"),
    ):
        with pytest.raises(ValueError, match=rf"There is no .*{name}; name the files"):
            TaxiBJ(path)
    (tmp_path / "a.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a.npz cannot be read as an .npz file"):
        TaxiBJ(tmp_path / "a.npz")
    (tmp_path / "a.h5").write_bytes(b"no flow")
    with pytest.raises(ValueError, match=r"a.h5 cannot be read as an HDF5 file \(.+\); fetch it again"):
        TaxiBJ(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["Weather"] = [1.0]
    with pytest.raises(ValueError, match=r"b.h5 must hold 'data' and 'date', got Weather"):
        TaxiBJ(tmp_path / "b.h5")
    with pytest.raises(ValueError, match=r"must hold dates YYYYMMDDSS, got '2015-06-29'; name another"):
        TaxiBJ(h5(tmp_path / "c.h5", [b"2015-06-29"]))
    with pytest.raises(ValueError, match=r"has 28 whole days, of which 28 are for testing; add files"):
        TaxiBJ(h5(tmp_path / "d.h5", dates("2015-06-01", 28)))
    with pytest.raises(ValueError, match=r"no 100 frames for 'train' without a gap, at most 96; take fewer"):
        TaxiBJ(released, in_frames=50, out_frames=50)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"needs h5py: pip install 'stblocks\[data\]'"):
        TaxiBJ(released)


def released_with(path, **other):
    """A file of 29 days with another data set or two."""
    h5(path, dates("2015-06-01", 29))
    with h5py.File(path, "a") as file:
        for name, make in other.items():
            del file[name]
            make(file)
    return path


LENGTH = 29 * 48
FILE_ERRORS = {
    r"declares 1,638 MB for 'data' and stores 0.000 MB": {
        "date": lambda file: file.create_dataset(
            "date", shape=(200_000,), dtype="S10", data=np.full(200_000, b"2015060101")
        ),
        "data": lambda file: file.create_dataset("data", shape=(200_000, 2, 32, 32), dtype="f4", chunks=True),
    },
    r"must hold flows from 0 to 100000, got -1e\+09 to": {
        "data": lambda file: file.create_dataset("data", data=np.full((LENGTH, 2, 32, 32), -1e9)),
    },
    r"must hold flows from 0 to 100000, got nan": {
        "data": lambda file: file.create_dataset("data", data=np.full((LENGTH, 2, 32, 32), np.nan)),
    },
    r"'data' is a link, which may lead out of the file": {
        "data": lambda file: file.__setitem__("data", h5py.ExternalLink("other.h5", "/data")),
    },
    r"the values of 'data' are in another file": {
        "data": lambda file: file.create_dataset(
            "data", shape=(LENGTH, 2, 32, 32), dtype="u1", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
        ),
    },
    r"must hold 'data' and 'date', got date": {"data": lambda file: file.create_group("data")},
    r"must hold numbers as data, .* got float32 \(\) and": {
        "data": lambda file: file.__setitem__("data", np.float32(1))
    },
    r"must hold numbers as data, .*got complex64": {
        "data": lambda file: file.create_dataset("data", shape=(LENGTH, 2, 32, 32), dtype="c8"),
    },
    r"must hold dates YYYYMMDDSS, got '2015133101'": {
        "date": lambda file: file.__setitem__("date", np.full(LENGTH, b"2015133101")),
    },
    r"has a day that no month has, 20150631": {
        "date": lambda file: file.__setitem__(
            "date", np.array([text.replace(b"0601", b"0631") for text in dates("2015-06-01", 29)])
        ),
    },
}


@pytest.mark.parametrize("message", FILE_ERRORS)
def test_files_released_that_are_not_so(tmp_path, message):
    with pytest.raises(ValueError, match=message):
        TaxiBJ(released_with(tmp_path / "BJ16_M32x32_T30_InOut.h5", **FILE_ERRORS[message]))


def test_a_subset_without_the_extremes(tmp_path):
    few = pairs(5) * 0.9
    path = npz(tmp_path / "few.npz", X_train=few[:, :4], Y_train=few[:, 4:])
    np.testing.assert_allclose(torch.cat(TaxiBJ(path)[3]), (few[3] + 1) / 2, atol=1e-6)
    for wrong in (few[:, 4:] * 1e9, few[:, 4:] * np.nan):
        with pytest.raises(ValueError, match=r"Y_train of .* must have values from -1, no flow, to 1, got"):
            TaxiBJ(npz(tmp_path / "few.npz", X_train=few[:, :4], Y_train=wrong))
