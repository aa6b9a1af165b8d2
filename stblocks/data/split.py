"""Which of the data are for training, for validation and for testing."""

import re
from pathlib import Path
from typing import Literal

import numpy as np

from ..borders.reading import reading

Split = Literal["train", "validation", "test"]


def check_split(split: str) -> None:
    """Raise a `ValueError` unless there is such a split."""
    if split not in ("train", "validation", "test"):
        raise ValueError(f"split must be 'train', 'validation' or 'test', got {split!r}.")


def find_part(root: Path, split: Split) -> list[Path]:
    """The files and folders that belong to a split, told by how their names end.

    `train`, `train.txt` and `CIKM2017_train` are for training; `val`, `valid` and `validation` for validation; `test`,
    `testA` and `testB` for testing. A file or folder with no such name, in it or its own, is all for training.

    Raises:
        ValueError: If there are none, or no `root`.
    """
    check_split(split)
    if not root.exists():
        raise ValueError(f"There is no {root}; name the file or folder of the data set.")
    parts = _parts(root, split)
    if not parts:
        raise ValueError(
            f"{root} has no {split} part: no file or folder is called '{split}...' there; choose another split, or "
            f"name the folder that holds all parts."
        )
    return parts


def _parts(path: Path, split: Split) -> list[Path]:
    with reading(path, "a data set"):
        inside = [entry for entry in sorted(path.iterdir()) if _split_of(entry)] if path.is_dir() else []
        own = path.resolve()
        back = [entry for entry in inside if entry.resolve() in (own, *own.parents)]
    if back:
        raise ValueError(f"{back[0]} is a link that leads back to where it is; remove it.")
    if inside:
        return [part for entry in inside for part in _parts(entry, split)]
    return [path] if (_split_of(path) or "train") == split else []


def _split_of(path: Path) -> Split | None:
    if not path.is_dir() and path.suffix not in (".txt", ".npy"):
        return None
    ending = re.search(r"(?<![a-z])(train|val|valid|validation|test|testa|testb)$", path.stem.lower())
    if ending is None:
        return None
    return "validation" if ending[0].startswith("val") else "train" if ending[0] == "train" else "test"


def hold_out(count: int, fraction: float, left: np.ndarray | None, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the samples to train on, and of those held out to validate on.

    Where samples are crops of a larger map, whole places are held out: the rightmost crops. Neighbours overlap, so
    crops that reach across the border are in neither part, and no pixel is in both. Otherwise the last samples are
    held out.

    Args:
        count: Number of samples.
        fraction: Least share of them to hold out, in (0, 1).
        left: `(count,)`, the column where each crop starts, if they are crops.
        width: Columns of a crop.

    Raises:
        ValueError: If nothing is left to train on.
    """
    first = count - max(1, round(fraction * count))
    if left is None:
        train, validation = np.arange(first), np.arange(first, count)
    else:
        left = left.astype(np.int64)  # left + width may not fit in the type it is stored in
        border = np.sort(left)[first]
        train, validation = np.flatnonzero(left + width <= border), np.flatnonzero(left >= border)
    if not train.size:
        raise ValueError(
            f"validation_fraction={fraction} leaves none of the {count} samples to train on; take a smaller one."
        )
    return train, validation
