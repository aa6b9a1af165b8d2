"""Glyphs come from every source, and those to train, to validate and to test with are not the same."""

import struct
import sys

import numpy as np
import pytest
import torch

from stblocks.data.glyphs import drawn_digits, read_glyphs

SPLITS = ("train", "validation", "test")


def codes(count, first=1):
    """Glyphs `(count, 2, 3)`, each of one code, from `first` on."""
    return np.tile(np.arange(first, first + count, dtype=np.uint8)[:, None, None], (1, 2, 3))


def parts(source):
    """The codes of each split's glyphs."""
    return [read_glyphs(source, split)[:, 0, 0].tolist() for split in SPLITS]


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_arrays_serve_any_split(kind):
    assert parts(kind(codes(4))) == [[1, 2, 3, 4]] * 3


def test_drawn_digits_differ_between_splits():
    drawn = [read_glyphs(None, split) for split in SPLITS]
    assert [len(part) for part in drawn] == [270, 30, 100]
    every = np.concatenate(drawn)
    assert every.shape[1:] == (28, 28)
    assert len(np.unique(every, axis=0)) == 400  # no glyph twice
    assert (every.reshape(40, 10, -1) > 127).sum(-1).min() > 20
    alike = every.reshape(40, 10, -1).mean(0, dtype=float)  # a row for each digit: the tenth of a part has all ten
    assert np.linalg.norm(alike[:, None] - alike, axis=-1)[~np.eye(10, dtype=bool)].min() > 300
    assert max(every[:, [0, -1]].max(), every[:, :, [0, -1]].max()) < 64  # nothing is cut off


@pytest.fixture
def npz(tmp_path):
    indices = np.random.default_rng(0).permutation(30).astype(np.int16)
    np.savez(tmp_path / "digits.npz", images=codes(30), train_index=indices[:20], test_index=indices[20:])
    return tmp_path / "digits.npz", (indices + 1).tolist()


def test_npz_files(npz, tmp_path):
    path, order = npz
    assert parts(path) == parts(str(path)) == [order[:18], order[18:20], order[20:]]
    np.savez(tmp_path / "all.npz", images=codes(4))
    assert parts(tmp_path / "all.npz") == [[1, 2, 3, 4]] * 3


def write_mnist(root):
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, images in (("train", codes(20)), ("t10k", codes(5, first=101))):
        for kind, values in (("images-idx3", images), ("labels-idx1", np.zeros(len(images), np.uint8))):
            header = struct.pack(f">{values.ndim + 1}i", 0x800 + values.ndim, *values.shape)
            (raw / f"{name}-{kind}-ubyte").write_bytes(header + values.tobytes())
    return raw


def test_the_root_of_torchvisions_mnist(tmp_path):
    raw = write_mnist(tmp_path)
    assert parts(tmp_path) == [[*range(1, 19)], [19, 20], [*range(101, 106)]]
    image = raw / "train-images-idx3-ubyte"
    for content in (image.read_bytes()[:-9], b"", b"no idx file"):
        image.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"cannot be read as torchvision's MNIST \(.+\); fetch it with .*download=True"
        ):
            read_glyphs(tmp_path, "train")
    with pytest.raises(ValueError, match=r"raw cannot be read as torchvision's MNIST .*Dataset not found"):
        read_glyphs(raw, "train")


def test_npz_files_that_do_not_do(npz, tmp_path):
    path, _ = npz
    for arrays, message in (
        ({"digits": codes(3), "labels": codes(1)}, r"has the arrays digits, labels; it needs 'images', \(N, H, W\)"),
        (
            {"images": codes(3), "test_index": [0]},
            "has the arrays images, test_index; .* 'train_index' and 'test_index'",
        ),
        ({"images": codes(3), "test_index": [3], "train_index": [5, 6]}, "must be integers below 3, the number of im"),
        ({"images": codes(3) / 255}, r"glyphs must be uint8 images .* got float64 \(3, 2, 3\)"),
    ):
        np.savez(tmp_path / "other.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            read_glyphs(tmp_path / "other.npz", "train")
    for content in (path.read_bytes()[:-100], path.read_bytes()[:50], b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"digits.npz cannot be read as an .npz file \(.+\); fetch it again"):
            read_glyphs(path, "train")
    with pytest.raises(ValueError, match=r"There is no .*nowhere; name an .npz file of glyphs or torchvision"):
        read_glyphs(tmp_path / "nowhere", "train")


@pytest.mark.parametrize(
    ("glyphs", "got"),
    [
        (codes(3)[0], r"uint8 \(2, 3\)"),
        (codes(3)[:, :0], r"uint8 \(3, 0, 3\)"),
        (torch.rand(3, 2, 3), r"float32 \(3, 2, 3\)"),
        (codes(3).tolist(), r"int64 \(3, 2, 3\)"),
    ],
)
def test_arrays_that_do_not_do(glyphs, got):
    with pytest.raises(ValueError, match=rf"glyphs must be uint8 images \(N, H, W\), .*, got {got}; convert them"):
        read_glyphs(glyphs, "train")


def test_drawing_digits_needs_pillow(monkeypatch):
    drawn_digits.cache_clear()
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"needs pillow: pip install 'stblocks\[data\]'"):
        read_glyphs(None, "train")
