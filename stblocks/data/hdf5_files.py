"""HDF5 files: what a data set declares is known before it is read, and nothing outside the file is opened."""

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..borders.reading import check_declared, reading, version

KIND = "an HDF5 file"


@dataclass(frozen=True)
class StoredData:
    """A data set of an HDF5 file, which is not read yet."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    declared: int  #: bytes in memory, whole chunks
    stored: int  #: bytes in the file, compressed

    def check_size(self) -> None:
        """Raise a `ValueError` if it is huge and hardly stored at all."""
        check_declared(self.path, f"'{self.name}'", self.declared, self.stored)

    def read(self) -> np.ndarray:
        """All of it.

        Raises:
            ValueError: If it is damaged, or a huge array in a small file.
        """
        self.check_size()
        with reading(self.path, KIND), import_h5py().File(self.path, "r") as file:
            return file[self.name][:]


def open_hdf5(path: Path) -> dict[str, StoredData]:
    """The data sets of a file's root group by name; groups and what has no shape are left out.

    Raises:
        ValueError: If the file is damaged, or a link or the values of a data set are in another file.
    """
    h5py, held = import_h5py(), {}
    with reading(path, KIND), h5py.File(path, "r") as file:
        for name in file:
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"'{name}' is a link, which may lead out of the file")
            if isinstance(file[name], h5py.Dataset) and file[name].shape is not None:
                held[name] = _stored(path, name, file[name])
    return held


def opened_hdf5(path: Path) -> Any:
    """A file, kept open for those who read a part of it at a time; `open_hdf5` has looked through it before."""
    return _opened(path, version(path))


@lru_cache(maxsize=8)
def _opened(path: Path, version: tuple[int, int]) -> Any:
    return import_h5py().File(path, "r")


def import_h5py() -> ModuleType:
    """The package, or an `ImportError` that says how to install it."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError("Reading HDF5 files needs h5py: pip install 'stblocks[data]'.") from error
    return h5py


def _stored(path: Path, name: str, data: Any) -> StoredData:
    if data.external or data.is_virtual:
        raise ValueError(f"the values of '{name}' are in another file")
    sides = map(max, data.shape, data.chunks or data.shape)
    stored = min(data.id.get_storage_size(), path.stat().st_size)
    return StoredData(path, name, data.shape, data.dtype, prod(sides) * data.dtype.itemsize, stored)
