"""NumPy's `.npy` and `.npz` files: shape and type of an array are known before it is read, and nothing is unpickled."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from ..borders.reading import check_declared, reading
from .zip_files import open_member

KINDS = "biufcmMSU"  # booleans, numbers, times and fixed-length texts; no objects, which are pickles, and no records


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, which is not read yet."""

    path: Path
    member: str  #: of an `.npz` file; empty for `.npy` files
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    start: int  #: first byte of the values, after the header
    stored: int  #: bytes it has in the file, compressed

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries."""
        return prod(self.shape)

    def read(self) -> np.ndarray:
        """All of it.

        Raises:
            ValueError: If it is damaged, or a huge array in a small file.
        """
        check_declared(self.path, self.member or "its array", self.size * self.dtype.itemsize, self.stored)
        with reading(self.path, _kind(self.path)):
            if not self.member:
                with open(self.path, "rb") as file:
                    return npy.read_array(file, allow_pickle=False)
            with open_member(self.path, self.member) as (file, _):
                return npy.read_array(file, allow_pickle=False)

    def map(self) -> np.memmap:
        """The array of an `.npy` file without reading it."""
        order = "F" if self.fortran_order else "C"
        with reading(self.path, _kind(self.path)):
            return np.memmap(self.path, self.dtype, "r", self.start, self.shape, order)  # type: ignore[call-overload]


def open_npy(path: Path, way_out: str = "fetch it again") -> StoredArray:
    """The array of an `.npy` file.

    Raises:
        ValueError: If the file is damaged or cut short, or holds Python objects.
    """
    with reading(path, _kind(path), way_out), open(path, "rb") as file:
        return _stored(path, "", file, path.stat().st_size, path.stat().st_size)


def npz_names(path: Path) -> list[str]:
    """The names of the arrays in an `.npz` file, whatever they hold; members of other kinds are left out.

    Raises:
        ValueError: If the file is not there or damaged.
    """
    with reading(path, _kind(path)), ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def open_npz(path: Path, names: Iterable[str]) -> dict[str, StoredArray]:
    """Some arrays of an `.npz` file by name; the others are not looked at.

    Raises:
        ValueError: If the file is not there or damaged, or an array is not in it, cut short, or holds Python objects.
    """
    held, names = npz_names(path), list(names)
    if missing := [f"'{name}'" for name in names if name not in held]:
        raise ValueError(f"{path} has no array {', '.join(missing)}, only {', '.join(held)}; name another file.")
    arrays = {}
    for name in names:
        with reading(path, _kind(path)), open_member(path, f"{name}.npy") as (file, info):
            arrays[name] = _stored(path, info.filename, file, info.file_size, info.compress_size)
    return arrays


def _stored(path: Path, member: str, file: IO[bytes], size: int, stored: int) -> StoredArray:
    """Reads the header, which says all but the values."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format is for records")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran_order, dtype = read(file)
    start = file.tell()
    if dtype.kind not in KINDS or not dtype.itemsize:
        raise ValueError(f"its type is {dtype}, not numbers, times or texts; Python objects are never unpickled")
    if min(shape, default=0) < 0 or start + prod(shape) * dtype.itemsize != size:
        raise ValueError(f"its header declares {dtype} {shape}, which {size - start} bytes are not")
    return StoredArray(path, member, shape, dtype, fortran_order, start, min(stored, path.stat().st_size))


def _kind(path: Path) -> str:
    return "an .npz file" if path.suffix == ".npz" else "an .npy file"
