"""The border to formats' libraries: one sentence for all they raise, no waiting, no small file that takes gigabytes."""

import os
import tokenize
import zipfile
from zipfile import ZIP_BZIP2, ZIP_LZMA, ZipFile

import numpy as np
import pytest

from stblocks.borders.reading import MOST_BYTES, check_declared, reading
from stblocks.data.numpy_files import npz_names, open_npy, open_npz
from stblocks.data.split import find_part

RAISED = [
    (KeyError("data"), "'data'"),
    (tokenize.TokenError("EOF in multi-line statement", (2, 0)), "EOF in multi-line"),
    (RuntimeError("first line\nsecond line"), r"first line\);"),
    (NotImplementedError(), r"\(NotImplementedError\)"),
    (OSError(2, "No such file or directory", "name"), r"\(No such file or directory\)"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "invalid start byte"),
    (RecursionError("too deep"), "too deep"),
    (DeprecationWarning("old"), "old"),
    (ValueError("x" * 9999), r"\(x{200}\); look$"),
]


@pytest.mark.parametrize(("raised", "text"), RAISED, ids=lambda value: type(value).__name__)
def test_whatever_is_raised_becomes_one_sentence(tmp_path, raised, text):
    (tmp_path / "rain.dat").touch()
    with (
        pytest.raises(ValueError, match=r"rain\.dat cannot be read as rain \(.*\); look\.$") as caught,
        reading(tmp_path / "rain.dat", "rain", "look"),
    ):
        raise raised
    assert caught.match(text.replace("look$", r"look\.$"))
    assert caught.value.__cause__ is raised


def test_missing_packages_and_interrupts_pass(tmp_path):
    for passing in (ImportError("pip install"), KeyboardInterrupt()):
        with pytest.raises(type(passing)), reading(tmp_path, "rain"):
            raise passing


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "rain.npy")
    with pytest.raises(ValueError, match=r"rain.npy cannot be read as an .npy file \(it is a pipe, socket or device"):
        open_npy(tmp_path / "rain.npy")


def test_sizes_that_are_declared():
    check_declared("a.h5", "'data'", MOST_BYTES, 0)
    check_declared("a.h5", "'data'", 10**12, 10**12 // 200)
    with pytest.raises(ValueError, match=r"a.h5 declares 1,000 MB for 'data' and stores 4.999 MB; it is damaged"):
        check_declared("a.h5", "'data'", 10**9, 4_999_000)


def test_arrays_nobody_asked_for_are_not_looked_at(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, rain=np.arange(6.0).reshape(2, 3), notes=np.array([{"a": 1}], dtype=object))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("broken.npy", b"\x93NUMPY")
        archive.writestr("readme.txt", "no array")
    assert npz_names(path) == ["rain", "notes", "broken"]
    stored = open_npz(path, ["rain"])["rain"]
    assert (stored.shape, stored.dtype, stored.ndim, stored.size) == ((2, 3), np.float64, 2, 6)
    np.testing.assert_array_equal(stored.read(), [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(ValueError, match=r"Python objects are never unpickled\); fetch it again"):
        open_npz(path, ["notes"])
    with pytest.raises(ValueError, match=r"has no array 'readme', only rain, notes, broken; name another file"):
        open_npz(path, ["readme"])


def test_an_array_that_is_huge_and_empty_is_not_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, rain=np.zeros(MOST_BYTES + 1, np.uint8))
    stored = open_npz(path, ["rain"])["rain"]
    with pytest.raises(ValueError, match=r"a.npz declares 268 MB for rain.npy and stores 0.2.. MB"):
        stored.read()


HEADERS = {
    "zeros": lambda content: content[:10] + bytes(118) + content[128:],  # as a crash can leave it: TokenError
    "short": lambda content: content[:-1],
    "long": lambda content: content + b"x",
    "zip": lambda content: b"PK\x03\x04" + content,
    "records": lambda content: content[:6] + b"\x03\x00" + content[8:],
    "negative": lambda content: content.replace(b"(2, 3)", b"(-2,3)"),
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_do_not_fit(tmp_path, name):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6.0).reshape(2, 3))
    path.write_bytes(HEADERS[name](path.read_bytes()))
    with pytest.raises(ValueError, match=r"a.npy cannot be read as an .npy file \(.+\); fetch it again"):
        open_npy(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", ">f4", "f8", "M8[h]", "U4", "?"])
def test_arrays_are_read_and_mapped_as_they_were(tmp_path, order, dtype):
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    stored = open_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(stored.read(), array)
    np.testing.assert_array_equal(stored.map(), array)
    assert isinstance(stored.map(), np.memmap)


def test_links_that_lead_back(tmp_path):
    (tmp_path / "train").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=r"train is a link that leads back to where it is; remove it"):
        find_part(tmp_path, "train")
    (tmp_path / "train").unlink()
    (tmp_path / "train.npy").symlink_to(tmp_path / "train.npy")
    with pytest.raises(ValueError, match=r"cannot be read as a data set|has no train part"):
        find_part(tmp_path, "train")


def test_archives_may_be_compressed_by_lzma(tmp_path):
    array = np.random.default_rng(0).integers(0, 9, (40, 50, 60))
    with ZipFile(tmp_path / "a.npz", "w", ZIP_LZMA) as archive, archive.open("x.npy", "w") as file:
        np.save(file, array)
    stored = open_npz(tmp_path / "a.npz", ["x"])["x"]
    assert (stored.shape, stored.start) == (array.shape, 128)
    assert np.array_equal(stored.read(), array)
    with ZipFile(tmp_path / "b.npz", "w", ZIP_BZIP2) as archive:
        archive.writestr("x.npy", b"")
    with pytest.raises(ValueError, match="compressed by method 12, not stored, deflated or LZMA"):
        open_npz(tmp_path / "b.npz", ["x"])
