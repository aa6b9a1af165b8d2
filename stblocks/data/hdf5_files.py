"""HDF5 files: what a data set declares is known before it is read, and nothing outside the file is opened."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..borders.reading import check_declared, reading, version

KIND = "an HDF5 file"
#: Files that are kept open, and their versions; those used last come last.
KEPT: dict[Path, tuple[tuple[int, int], Any]] = {}
MOST_KEPT = 8


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
        with reading(self.path, KIND), _open(self.path) as file:
            return file[self.name][:]


def open_hdf5(path: Path) -> dict[str, StoredData]:
    """The data sets of a file's root group by name; groups and what has no shape are left out.

    Raises:
        ValueError: If the file is damaged, or a link or the values of a data set are in another file.
    """
    h5py, held = import_h5py(), {}
    with reading(path, KIND), _open(path) as file:
        for name in file:
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"'{name}' is a link, which may lead out of the file")
            if isinstance(file[name], h5py.Dataset) and file[name].shape is not None:
                held[name] = _stored(path, name, file[name])
    return held


def opened_hdf5(path: Path) -> Any:
    """A file, kept open for those who read a part of it at a time; `open_hdf5` has looked through it before.

    Look data sets up in it anew for each part: it is closed when something else is written to its path.
    """
    path = path.resolve()
    _close_outdated(path)
    kept = KEPT.get(path) or (version(path), import_h5py().File(path, "r"))
    KEPT.pop(path, None)
    KEPT[path] = kept  # as the last one
    for oldest in [*KEPT][:-MOST_KEPT]:
        KEPT.pop(oldest, None)
    return kept[1]


def _open(path: Path) -> Any:
    """A file as it is now."""
    _close_outdated(path.resolve())
    return import_h5py().File(path, "r")


def _close_outdated(path: Path) -> None:
    """Close what was open at a path before it was written anew.

    HDF5 knows files by their inodes. While one is open, it takes where things lie in it for where they lie in another
    one that was copied over it.
    """
    kept = KEPT.get(path)
    if kept is not None and kept[0] != version(path):
        KEPT.pop(path, None)
        kept[1].close()


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
