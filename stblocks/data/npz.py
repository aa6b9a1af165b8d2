"""NumPy's `.npz` files, whole or refused."""

import zlib
from collections.abc import Iterable
from lzma import LZMAError
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile


def load_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Some arrays of a file, or all, by name.

    Raises:
        ValueError: If the file is not there or broken, or an array is not in it.
    """
    try:
        with open(path, "rb") as file, NpzFile(file) as arrays:  # np.load does not close a broken file
            held = list(arrays)
            names = held if names is None else list(names)
            if set(names) <= set(held):
                return {name: arrays[name] for name in names}
    except (OSError, ValueError, EOFError, BadZipFile, LZMAError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole .npz file ({error}); fetch it again.") from error
    missing = ", ".join(f"'{name}'" for name in names if name not in held)
    raise ValueError(f"{path} has no array {missing}, only {', '.join(held)}; name another file.")
