"""What can be wrong with a file: damage, and what somebody may have made on purpose."""

import json
import os
import pickle
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import h5py
import numpy as np

Rng = np.random.Generator
Bytes = Callable[[bytes, Rng], bytes]
HUGE = 3 * 2**30


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.makedirs, (str(self.mark),)


def mutate(folder: Path, mark: Path, rng: Rng) -> str:
    """Change one file in a folder, and say how. `mark` is a path that pickles and archives try to make."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    file = files[rng.integers(len(files))]
    special = SPECIAL.get(file.suffix, [])
    if file.name in ("zarr.json", ".zarray", ".zmetadata"):
        special = [zarr_metadata]
    kinds = [*BYTES, *PLACES, *special * 4]
    change = kinds[rng.integers(len(kinds))]
    if change in BYTES:
        file.write_bytes(change(file.read_bytes(), rng))
    else:
        change(file, mark, rng)
    return f"{change.__name__} of {file.relative_to(folder)}"


def truncate(content: bytes, rng: Rng) -> bytes:
    return content[: rng.integers(len(content))] if content else b""


def flip_bits(content: bytes, rng: Rng) -> bytes:
    values = bytearray(content)
    for place in rng.integers(len(values), size=rng.integers(1, 9)) if values else ():
        values[place] ^= 1 << int(rng.integers(8))
    return bytes(values)


def flip_early_bits(content: bytes, rng: Rng) -> bytes:
    return flip_bits(content[:256], rng) + content[256:]


def fill_range(content: bytes, rng: Rng) -> bytes:
    start, length = rng.integers(len(content) or 1), int(2 ** rng.uniform(0, 14))
    return (
        content[:start]
        + bytes([rng.choice([0, 255])]) * len(content[start : start + length])
        + content[start + length :]
    )


def zero_the_start(content: bytes, rng: Rng) -> bytes:
    length = min(len(content), int(2 ** rng.uniform(2, 12)))
    return bytes(length) + content[length:]


def zero_all(content: bytes, rng: Rng) -> bytes:
    return bytes(len(content))


def noise(content: bytes, rng: Rng) -> bytes:
    return rng.bytes(len(content))


def wrong_magic(content: bytes, rng: Rng) -> bytes:
    magics = [
        b"\x93NUMPY\x01\x00",
        b"PK\x03\x04",
        b"\x89HDF\r\n\x1a\n",
        b"CDF\x01",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF",
        b"\x80\x04",
    ]
    magic = magics[rng.integers(len(magics))]
    return magic + content[len(magic) :]


def huge_numbers(content: bytes, rng: Rng) -> bytes:
    start = rng.integers(max(1, len(content) - 8))
    return (
        content[:start]
        + rng.choice([b"\xff\xff\xff\x7f", b"\xff" * 8, b"\x00\x00\x00\x00\x01\x00\x00\x00"])
        + content[start + 8 :]
    )


def more(content: bytes, rng: Rng) -> bytes:
    return content + content


def nothing(content: bytes, rng: Rng) -> bytes:
    return b""


BYTES: list[Bytes] = [
    truncate,
    flip_bits,
    flip_early_bits,
    fill_range,
    zero_the_start,
    zero_all,
    noise,
    wrong_magic,
    huge_numbers,
    more,
    nothing,
]


def a_pickle(file: Path, mark: Path, rng: Rng) -> None:
    file.write_bytes(pickle.dumps(Bomb(mark)))


def objects(file: Path, mark: Path, rng: Rng) -> None:
    with open(file, "wb") as opened:
        np.save(opened, np.array([Bomb(mark)], dtype=object), allow_pickle=True)


def a_pipe(file: Path, mark: Path, rng: Rng) -> None:
    file.unlink()
    os.mkfifo(file)


def a_loop(file: Path, mark: Path, rng: Rng) -> None:
    file.unlink()
    file.symlink_to(file)


def a_folder(file: Path, mark: Path, rng: Rng) -> None:
    file.unlink()
    file.mkdir()


def gone(file: Path, mark: Path, rng: Rng) -> None:
    file.unlink()


def not_text(file: Path, mark: Path, rng: Rng) -> None:
    file.write_bytes("Größe 1-5 é".encode("latin-1") * 9)


PLACES = [a_pickle, objects, a_pipe, a_loop, a_folder, gone, not_text]


def header(shape: tuple[int, ...], descr: object, content: bytes = b"") -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content


def odd_array(content: bytes, mark: Path, rng: Rng) -> bytes:
    """Another header on the values of an `.npy` file."""
    start = 10 + int.from_bytes(content[8:10], "little")
    shape = eval(content[10:start])["shape"]
    odd = [
        header((HUGE, *shape[1:]), "|u1", content[start:]),
        header((10**30, 2), "<f8"),
        header((-1, *shape[1:]), "|u1", content[start:]),
        header((), "<f4", bytes(4)),
        header((0, *shape[1:]), "|u1"),
        header(shape, "|O", pickle.dumps(Bomb(mark))),
        header(shape, "<c16", bytes(16 * int(np.prod(shape)))),
        header(shape, "<U1", bytes(4 * int(np.prod(shape)))),
        header(shape, [("a", "|u1")], bytes(int(np.prod(shape)))),
        header(shape, "<f4", np.full(shape, np.nan, "f4").tobytes()),
        header(shape, "<f8", np.full(shape, -1e300).tobytes()),
        header(shape, ">i4", np.full(shape, 7, ">i4").tobytes()),
        content[:10] + b"(" * (start - 11) + b"\n" + content[start:],
        content[:10] + b"\0" * (start - 10) + content[start:],
        content[:6] + b"\x03\x00" + content[8:],
    ]
    return odd[rng.integers(len(odd))]


def odd_npy(file: Path, mark: Path, rng: Rng) -> None:
    file.write_bytes(odd_array(file.read_bytes(), mark, rng))


def odd_zip(file: Path, mark: Path, rng: Rng) -> None:
    """A whole archive with an odd member."""
    with ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[rng.integers(len(members))]
    kind, method = rng.integers(8), ZIP_DEFLATED
    if kind == 0:
        members["../" * 9 + str(mark)] = members[str(mark)] = members[name]
    elif kind == 1:
        members[name] = bytes(2**29)
    elif kind == 2:
        method = ZIP_BZIP2
    elif kind == 3:
        members[name.removesuffix(".npy")] = members.pop(name)
    elif kind == 4:
        members[name] = header((2**29,), "|u1", bytes(2**29))
    elif name.endswith(".npy"):
        members[name] = odd_array(members[name], mark, rng)
    else:
        members[name] = BYTES[rng.integers(len(BYTES))](members[name], rng)
    with ZipFile(file, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def zip_fields(file: Path, mark: Path, rng: Rng) -> None:
    """An encrypted member, an unknown method, a size that is not so; in both places that say it."""
    content = bytearray(file.read_bytes())
    offset, value = [(6, b"\x01\x00"), (8, b"\x63\x00"), (8, b"\x0e\x00"), (22, b"\x00\x00\x00\xf0")][rng.integers(4)]
    for magic, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        place = content.find(magic)
        if place >= 0:
            content[place + offset + shift : place + offset + shift + len(value)] = value
    file.write_bytes(bytes(content))


def odd_hdf5(file: Path, mark: Path, rng: Rng) -> None:
    """Another data set under the name of one."""
    with h5py.File(file, "a") as opened:
        names = [name for name in opened if isinstance(opened[name], h5py.Dataset)]
        name = names[rng.integers(len(names))]
        shape, kind = opened[name].shape, rng.integers(13)
        old = opened[name][()]
        for scale in opened[name].attrs:
            del opened[name].attrs[scale]
        del opened[name]
        huge = (max(1, HUGE // max(1, int(np.prod(shape[1:])))), *shape[1:])
        if kind == 0:
            opened.create_group(name)
        elif kind == 1:
            opened[name] = h5py.ExternalLink("/etc/hostname", "/x")
        elif kind == 2:
            opened[name] = h5py.SoftLink(f"/{name}")
        elif kind == 3:
            opened.create_dataset(name, shape=shape, dtype="u1", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])
        elif kind == 4:
            opened.create_dataset(name, shape=huge, dtype="f4", chunks=True)
        elif kind == 5:
            opened.create_dataset(name, shape=huge, dtype="f4")
        elif kind == 6:
            opened[name] = np.float32(3)
        elif kind == 7:
            opened[name] = h5py.Empty("f4")
        elif kind == 8:
            opened[name] = np.full(shape, b"text")
        elif kind == 9:
            opened[name] = np.full(shape, -1e9)
        elif kind == 10:
            opened[name] = np.full(shape, np.nan)
        elif kind == 11:
            opened.create_dataset(name, shape=shape, dtype=h5py.special_dtype(vlen=str))
        else:
            opened[name] = old.astype("c8") if old.dtype.kind == "f" else old[:1]


def odd_png(file: Path, mark: Path, rng: Rng) -> None:
    """A header of another size or kind, with the right checksum."""
    content = file.read_bytes()
    width, height = [(30000, 30000), (12000, 12000), (2**31 - 1, 1), (0, 7), (7, 6)][rng.integers(5)]
    fields = struct.pack(">IIBBBBB", width, height, rng.choice([8, 16]), rng.choice([0, 2, 3]), 0, 0, 0)
    body = b"IHDR" + fields
    file.write_bytes(content[:12] + body + struct.pack(">I", zlib.crc32(body)) + content[33:])


def odd_text(file: Path, mark: Path, rng: Rng) -> None:
    words = file.read_text().split(" ")
    odd = ["4294967297", "1e3", "-7", "x", "", "9" * 5000, "1-" + "9" * 5000, "nan", "\0", "256"]
    words[rng.integers(len(words))] = odd[rng.integers(len(odd))]
    file.write_text(" ".join(words))


def zarr_metadata(file: Path, mark: Path, rng: Rng) -> None:
    """Other values of JSON: huge shapes, objects to unpickle, codecs that are not there."""
    text = file.read_text()
    kind = rng.integers(6)
    if kind == 0:
        text = text.replace("[", "[3000000000, ", 1)
    elif kind == 1:
        store = next(folder for folder in file.parents if folder.suffix == ".zarr")
        for other in filter(Path.is_file, store.rglob("*")):
            if other.name.startswith(".z") or other.name == "zarr.json":  # consolidated metadata say it again
                old = re.sub(r'"compressor": (null|\{[^}]*\})', '"compressor": null', other.read_text())
                other.write_text(old.replace('"filters": null', '"filters": [{"id": "pickle", "protocol": 5}]'))
            else:
                other.write_bytes(pickle.dumps(Bomb(mark)))
        return
    elif kind == 2:
        text = text.replace("<f4", "|O").replace('"float32"', '"object"')
    elif kind == 3:
        text = text.replace("zstd", "nowhere").replace("blosc", "nowhere")
    elif kind == 4:
        text = "[" * 100000
    else:
        text = text.replace(str(json.loads(text).get("shape", [6])[0]), "3000000000")
    file.write_text(text)


def odd_json(file: Path, mark: Path, rng: Rng) -> None:
    config = json.loads(file.read_text())
    key = list(config)[rng.integers(len(config))]
    odd = [None, -1, 10**7, 1e300, "x" * 9999, [], {}, True, [[1]]]
    config[key] = odd[rng.integers(len(odd))]
    file.write_text(["[" * 100000, "[]", json.dumps(config), json.dumps(config)][rng.integers(4)])


def odd_safetensors(file: Path, mark: Path, rng: Rng) -> None:
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    entries = json.loads(content[8 : 8 + length])
    name = [key for key in entries if key != "__metadata__"][rng.integers(len(entries) - ("__metadata__" in entries))]
    kind = rng.integers(5)
    if kind == 0:
        entries[name]["shape"] = [HUGE]
    elif kind == 1:
        entries[name]["dtype"] = "I32"
    elif kind == 2:
        entries[name]["data_offsets"] = [0, 2**60]
    elif kind == 3:
        entries["other"] = entries.pop(name)
    text = json.dumps(entries).encode()
    size = 2**62 if kind == 4 else len(text)
    file.write_bytes(struct.pack("<Q", size) + text + content[8 + length :])


SPECIAL = {
    ".npy": [odd_npy],
    ".npz": [odd_zip, zip_fields],
    ".zip": [odd_zip, zip_fields],
    ".h5": [odd_hdf5],
    ".nc": [odd_hdf5],
    ".png": [odd_png],
    ".txt": [odd_text],
    ".json": [odd_json],
    ".safetensors": [odd_safetensors],
}
