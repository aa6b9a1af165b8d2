"""CIKM2017 gives the same samples from every layout, the right altitude, and parts that share nothing."""

import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stblocks.data import CIKM2017, CIKM_DBZ
from stblocks.data.split import hold_out

LINES = 3
SHAPE = (15, 4, 101, 101)


def codes(count, *, size=6, first=0):
    """Samples `(count, 15, size, size)`, each of one code: its number from `first` on."""
    return np.broadcast_to(
        np.arange(first, first + count, dtype=np.uint8)[:, None, None, None], (count, 15, size, size)
    )


def numbers(data):
    """The codes of samples made by `codes`."""
    return [round(255 * sample.past.max().item()) for sample in data]


def frames(data, index):
    """All frames of a sample, in pixel codes, `(15, H, W)`."""
    return torch.cat(data[index]).squeeze(1).numpy() * 255


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Text files as they were released, and the values in them, `(LINES, 15, 4, 101, 101)`, -1 included."""
    root = tmp_path_factory.mktemp("cikm") / "data_new"
    truth = np.random.default_rng(0).integers(-1, 256, (LINES, *SHAPE), dtype=np.int16)
    lines = [f"sample_{i},{i + 0.5},{' '.join(map(str, sample.ravel().tolist()))}\n" for i, sample in enumerate(truth)]
    for part, which in (("train", lines[:2]), ("testA", lines[2:]), ("testB", lines[:1])):
        (root / f"CIKM2017_{part}").mkdir(parents=True)
        (root / f"CIKM2017_{part}" / f"{part}.txt").write_text("".join(which))
    return root, truth


@pytest.mark.parametrize(("altitude", "level"), [(None, 0), (0.5, 0), (1.5, 1), (2.5, 2), (3.5, 3)])
def test_official_text(official, altitude, level):
    root, truth = official
    data = CIKM2017(root / "CIKM2017_train" / "train.txt", altitude=altitude, size=None)
    assert (len(data), data.in_frames, data.out_frames, data.frame_shape) == (2, 5, 10, (1, 101, 101))
    index = level % 2
    np.testing.assert_allclose(frames(data, index), truth[index, :, level].clip(0), atol=1e-3)


def test_official_folders(official):
    root, truth = official
    train, test = CIKM2017(root, size=None), CIKM2017(root, "test", size=None)
    assert (len(train), len(test)) == (2, 2)
    np.testing.assert_allclose(frames(train, 1), truth[1, :, 0].clip(0), atol=1e-3)
    np.testing.assert_allclose(frames(test, 0), truth[2, :, 0].clip(0), atol=1e-3)  # testA comes before testB
    np.testing.assert_allclose(frames(test, 1), truth[0, :, 0].clip(0), atol=1e-3)
    held = CIKM2017(root, "validation", validation_fraction=0.5, size=None)
    assert len(held) == 1
    assert torch.equal(held[0].past, train[1].past)
    with pytest.raises(ValueError, match=r"has no validation part.*choose another split"):
        CIKM2017(root, "validation")


def test_line_ends_and_blank_lines_do_not_matter(official, tmp_path):
    root, truth = official
    line = (root / "CIKM2017_testA" / "testA.txt").read_bytes().strip()
    (tmp_path / "rain.txt").write_bytes(b"\r\n" + line.replace(b",2.5,", b",") + b"\r\n\r\n")
    data = CIKM2017(tmp_path / "rain.txt", altitude=3.5, size=None)
    assert len(data) == 1
    np.testing.assert_allclose(frames(data, 0), truth[2, :, 3].clip(0), atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line[:-1000], r"train.txt, line 2 holds \d+ values, expected .*= 612060.*cut short"),
        (lambda line: line + b" 7", r"train.txt, line 2 holds 612061 values"),
        (lambda line: line[:-1] + b"x", r"train.txt, line 2 holds (something other than integers|\d+ values)"),
        (
            lambda line: line.rpartition(b" ")[0] + b" 256",
            r"line 2 must hold values from 0 to 255, or -1, got -1 to 256",
        ),
        (lambda line: line.rpartition(b" ")[0] + b" -2", r"line 2 must hold values .* got -2 to 255"),
    ],
    ids=["cut", "long", "letter", "high", "low"],
)
def test_broken_text(official, tmp_path, change, message):
    first, second = (official[0] / "CIKM2017_train" / "train.txt").read_bytes().splitlines()
    path = tmp_path / "train.txt"
    path.write_bytes(first + b"\n" + change(second))
    with pytest.raises(ValueError, match=message):
        CIKM2017(path)[1]


def test_an_index_is_not_kept_when_the_file_changes(official, tmp_path):
    path = tmp_path / "train.txt"
    shutil.copy(official[0] / "CIKM2017_testA" / "testA.txt", path)
    assert len(CIKM2017(path)) == 1
    path.write_bytes(path.read_bytes() * 2)
    assert len(CIKM2017(path)) == 2
    path.write_text("\n")
    with pytest.raises(ValueError, match=r"train.txt is empty; fetch it again"):
        CIKM2017(path)


def test_npz(tmp_path):
    parts = {"train": codes(10), "validation": codes(2, first=20), "test": codes(3, first=30)}
    np.savez_compressed(tmp_path / "cikm.npz", **parts)
    path = tmp_path / "cikm.npz"
    assert numbers(CIKM2017(path)) == [*range(10)]
    assert numbers(CIKM2017(path, "validation")) == [20, 21]
    assert numbers(CIKM2017(path, "test")) == [30, 31, 32]
    assert numbers(CIKM2017(path, "train", validation_fraction=0.3)) == [*range(7)]
    assert numbers(CIKM2017(path, "validation", validation_fraction=0.3)) == [7, 8, 9]
    assert numbers(CIKM2017(path, "test", validation_fraction=0.3)) == [30, 31, 32]
    assert CIKM2017(path, size=(4, 5)).frame_shape == (1, 4, 5)
    data = CIKM2017(path, in_frames=3, out_frames=4)
    assert (len(data), data[0].past.shape, data[0].future.shape) == (10, (3, 1, 64, 64), (4, 1, 64, 64))
    assert data.scaler.to_physical(data[5].future[0, 0, 0, 0]).item() == pytest.approx(5 * 95 / 255 - 10)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_places_held_out_share_no_pixel(tmp_path, dtype):
    left = np.random.default_rng(0).integers(0, 250, 200).astype(dtype)
    np.savez(tmp_path / "rain.npz", train=codes(200, size=16), train_x=left)
    train = numbers(CIKM2017(tmp_path / "rain.npz", "train", validation_fraction=0.2))
    held = numbers(CIKM2017(tmp_path / "rain.npz", "validation", validation_fraction=0.2))
    assert max(int(left[i]) for i in train) + 16 <= min(int(left[i]) for i in held)
    assert len(held) >= 40
    assert len(train) >= 140


@given(st.lists(st.integers(0, 60), min_size=2, max_size=30), st.floats(0.01, 0.99), st.integers(1, 20))
def test_hold_out(left, fraction, width):
    border = sorted(left)[-max(1, round(fraction * len(left)))]
    if min(left) + width > border:
        with pytest.raises(ValueError, match=f"validation_fraction={fraction} leaves none of the {len(left)} samples"):
            hold_out(len(left), fraction, np.array(left), width)
        return
    train, held = (part.tolist() for part in hold_out(len(left), fraction, np.array(left), width))
    assert held == [i for i, x in enumerate(left) if x >= border]
    assert train == [i for i, x in enumerate(left) if x + width <= border]


def test_altitudes_in_arrays(tmp_path):
    array = np.stack([codes(2, first=10 * level) for level in range(4)], axis=2)
    np.save(tmp_path / "rain.npy", array)
    assert numbers(CIKM2017(tmp_path / "rain.npy")) == [0, 1]
    assert numbers(CIKM2017(tmp_path / "rain.npy", altitude=2.5)) == [20, 21]
    with pytest.raises(ValueError, match=r"altitude must be one of 0.5, 1.5, 2.5, 3.5 km, got 1"):
        CIKM2017(tmp_path / "rain.npy", altitude=1)
    np.save(tmp_path / "flat.npy", codes(2))
    with pytest.raises(ValueError, match=r"flat.npy holds frames of one altitude, got altitude=0.5; leave it out"):
        CIKM2017(tmp_path / "flat.npy", altitude=0.5)


def test_npy_files_are_memmaps(tmp_path):
    for name, first in (("train.npy", 0), ("test.npy", 5), ("unlike.npy", 9)):
        np.save(tmp_path / name, codes(2, first=first))
    assert numbers(CIKM2017(tmp_path)) == [0, 1]
    assert numbers(CIKM2017(tmp_path, "test")) == [5, 6]
    data = CIKM2017(tmp_path / "unlike.npy")  # no part by its name: all for training
    changed = np.load(tmp_path / "unlike.npy", mmap_mode="r+")
    changed[:] += 100
    changed.flush()
    assert numbers(data) == [109, 110]


def test_folders_of_images(tmp_path):
    for part, first in (("train", 0), ("validation", 100), ("test", 200)):
        for sample in (1, 2, 10):
            for number in range(15):
                path = tmp_path / part / f"sample_{sample}" / f"img_{number + 1}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.full((6, 6), first + sample + number, np.uint8)).save(path)
    assert numbers(CIKM2017(tmp_path)) == [5, 6, 14]  # the fifth frame has the highest code of the past
    assert numbers(CIKM2017(tmp_path, "validation")) == [105, 106, 114]
    assert frames(CIKM2017(tmp_path / "test", "test"), 2)[:, 0, 0].round().tolist() == [*range(210, 225)]
    with pytest.raises(ValueError, match=r"test holds frames of one altitude, got altitude=0.5"):
        CIKM2017(tmp_path, "test", altitude=0.5)
    Image.fromarray(np.zeros((6, 6), np.uint8)).save(tmp_path / "test" / "sample_2" / "img_16.png")
    with pytest.raises(ValueError, match="sample_2 must hold 15 grey frames, got 16 of 1 channels"):
        CIKM2017(tmp_path, "test")


PARTS = {"CIKM_train": "train", "Valid": "validation", "val": "validation", "testB": "test", "contest": "train"}


@pytest.mark.parametrize(("name", "split"), PARTS.items())
def test_parts_are_known_by_name(tmp_path, name, split):
    np.save(tmp_path / f"{name}.npy", codes(1))
    assert len(CIKM2017(tmp_path / f"{name}.npy", split)) == 1
    for other in {"train", "validation", "test"} - {split}:
        with pytest.raises(ValueError, match=f"{name}.npy has no {other} part"):
            CIKM2017(tmp_path / f"{name}.npy", other)


def save(path, **arrays):
    np.savez(path, **arrays) if path.suffix == ".npz" else np.save(path, arrays["train"])


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_arrays_that_are_not_cikm(tmp_path, suffix):
    path = tmp_path / f"rain.{suffix}"
    wrong = [codes(2) / 255, codes(2)[:, :14], codes(2)[:, :, None], codes(2)[:, :, 0]]
    for array in wrong:
        save(path, train=array)
        with pytest.raises(ValueError, match=r"must hold uint8 arrays \(N, 15, H, W\) or .*; read other arrays with"):
            CIKM2017(path)
    save(path, train=codes(0))
    with pytest.raises(ValueError, match=r"holds no samples; fetch it again"):
        CIKM2017(path)
    save(path, train=codes(9))
    content = path.read_bytes()
    other = tmp_path / f"other.{'npy' if suffix == 'npz' else 'npz'}"
    other.write_bytes(content)
    with pytest.raises(ValueError, match=r"other.np. cannot be read as an .np. file"):
        CIKM2017(other)
    path.write_bytes(content[:-1000])
    with pytest.raises(ValueError, match=r"cannot be read as an .np. file \(.+\); fetch it again"):
        CIKM2017(path)


def test_errors(tmp_path):
    save(tmp_path / "rain.npz", train=codes(2))
    with pytest.raises(ValueError, match="split must be 'train', 'validation' or 'test', got 'val'"):
        CIKM2017(tmp_path / "rain.npz", "val")
    with pytest.raises(ValueError, match=r"rain.npz has no array 'test', only train; choose another split"):
        CIKM2017(tmp_path / "rain.npz", "test")
    for fraction in (1.0, -0.1):
        with pytest.raises(ValueError, match=rf"validation_fraction must be in \[0, 1\), got {fraction}"):
            CIKM2017(tmp_path / "rain.npz", validation_fraction=fraction)
    with pytest.raises(ValueError, match=r"validation_fraction=0.9 leaves none of the 2 samples to train on"):
        CIKM2017(tmp_path / "rain.npz", validation_fraction=0.9)
    with pytest.raises(ValueError, match=r"There is no .*gone.npz; name the file or folder"):
        CIKM2017(tmp_path / "gone.npz")


def test_the_units_are_those_of_the_contest():
    assert (CIKM_DBZ.to_physical(0), CIKM_DBZ.to_physical(1), CIKM_DBZ.unit) == (-10, 85, "dBZ")


@pytest.mark.parametrize("name", ["radar.nc", "radar.h5", "radar.zarr"])
def test_other_files_are_not_read_as_text(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x89HDF")
    with pytest.raises(ValueError, match=rf"{name} must be a .txt, .npy or .npz file .*; read NetCDF and zarr with"):
        CIKM2017(tmp_path / name)
