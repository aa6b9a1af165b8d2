"""Series that lie in files: read within the border to their library, and pickled as the place where they lie.

Worker processes that are not forked get what they need by pickling. A memmap would travel as all its values, and an
HDF5 data set not at all.
"""

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..borders.reading import reading, version
from .hdf5_files import KIND as HDF5
from .hdf5_files import opened_hdf5
from .zarr_files import check_zarr

CLOSE_FIRST = "close it where it is written before workers read it"


class Mapped:
    """A memmap, or a part of one."""

    def __init__(self, array: np.ndarray, file: Path, start: int) -> None:
        self.array, self.file, self.start = array, file, start
        self.shape = array.shape

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        return self.array[frames]

    def __reduce__(self) -> Any:
        return _map_again, (self.file, self.start, self.array.shape, self.array.dtype, self.array.strides)


class InHDF5:
    """A data set of an HDF5 file that its owner has open."""

    def __init__(self, data: Any) -> None:
        self.data, self.file = data, Path(data.file.filename).absolute()
        self.shape = data.shape

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        with reading(self.file, HDF5):
            return self.data[frames]

    def __reduce__(self) -> Any:
        return ReopenedHDF5, (self.file, self.data.name, self.data.shape, self.data.dtype)


class ReopenedHDF5:
    """The same after it was pickled: looked up for each part, in the file as it is then."""

    def __init__(self, file: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.file, self.name, self.shape, self.dtype = file, name, shape, dtype
        with reading(file, HDF5, CLOSE_FIRST):
            self._data()

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        with reading(self.file, HDF5, CLOSE_FIRST):
            return self._data()[frames]

    def _data(self) -> Any:
        data = opened_hdf5(self.file)[self.name]
        if (data.shape, data.dtype) != (self.shape, self.dtype):
            raise ValueError(f"'{self.name}' is {data.dtype} {data.shape} now, no longer {self.dtype} {self.shape}")
        return data


class InZarr:
    """An array of a zarr store in a folder; zarr pickles it as its place."""

    def __init__(self, array: Any, folder: Path) -> None:
        self.array, self.folder = array, folder
        self.shape = array.shape

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        with reading(self.folder, "a zarr array"):
            return self.array[frames]


def stored_series(series: Any) -> Any:
    """A memmap, HDF5 data set or zarr array that lies in a file, as one of the above; anything else as it is."""
    if isinstance(series, np.memmap):
        return _mapped(series)
    h5py, zarr = sys.modules.get("h5py"), sys.modules.get("zarr")  # imported, if the series is theirs
    if h5py is not None and isinstance(series, h5py.Dataset) and Path(series.file.filename).is_file():
        return InHDF5(series)
    if zarr is not None and isinstance(series, zarr.Array):
        folder = getattr(series.store, "root", None) or getattr(series.store, "path", None)
        if folder is not None and Path(folder).is_dir():
            check_zarr(Path(folder, series.path))
            return InZarr(series, Path(folder, series.path))
    return series


def _mapped(array: np.memmap) -> Mapped | np.memmap:
    whole: Any = array
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    # A copy has no file behind it, and what is written to one mapped copy-on-write is in no file.
    if not isinstance(whole, np.memmap) or whole.filename is None or whole.mode == "c":
        return array
    return Mapped(array, Path(whole.filename), whole.offset + _address(array) - _address(whole))


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _map_again(file: Path, start: int, shape: tuple[int, ...], dtype: np.dtype, strides: tuple[int, ...]) -> Mapped:
    with reading(file, "the memmap it was", "leave files where they are while workers read them"):
        content = _content(file, version(file))
        return Mapped(np.ndarray(shape, dtype, content, start, strides), file, start)


@lru_cache(maxsize=8)  # samples share one map of their file
def _content(file: Path, version: tuple[int, int]) -> np.memmap:
    return np.memmap(file, np.uint8, "r")
