"""Frames in NumPy's `.npy` and `.npz` files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..borders.checks import did_you_mean
from ..data.numpy_files import StoredArray, npz_names, open_npy, open_npz
from ..data.times import check_ascending
from .source import PLACES, Choice, Source, decoded


def open_arrays(path: Path, choice: Choice) -> list[Source]:
    """The sequences of an array.

    Beside the frames, an `.npz` file may hold `time`, `(T,)` dates, `lat`, `(H,)`, and `lon`, `(W,)`.

    Raises:
        ValueError: If the file is damaged, no array or several can be meant, one has too few or too many axes, or times
            do not ascend.
    """
    beside: dict[str, np.ndarray] = {}
    if path.suffix.lower() == ".npy":
        stored = open_npy(path)
        array: Any = stored.map()
    else:
        stored, beside = _find(path, choice.key)
        array = stored.read()
    if stored.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold numbers, got {stored.dtype}; name another array.")
    parts = _sequences(path, array, choice)
    return [Source(decoded(path, part, choice), **_axes(path, beside, part.shape)) for part in parts]


def _find(path: Path, key: str | None) -> tuple[StoredArray, dict[str, np.ndarray]]:
    """The array of frames, and what stands beside it."""
    names = npz_names(path)
    if key is not None and key not in names:
        raise ValueError(f"{path} has no array {key!r}; {did_you_mean(key, names)}")
    if key is None:
        fit = [name for name in names if _may_be_frames(path, name)]
        if len(fit) != 1:
            raise ValueError(
                f"{path} has {len(fit)} arrays that can be frames ({', '.join(fit or names)}); choose one, as by "
                f"--key {(fit or names or ['frames'])[0]}."
            )
        key = fit[0]
    beside = [name for name in ("time", *PLACES) if name in names and name != key]
    arrays = open_npz(path, [key, *beside])
    return arrays[key], {name: arrays[name].read() for name in beside}


def _may_be_frames(path: Path, name: str) -> bool:
    try:
        array = open_npz(path, [name])[name]
    except ValueError:  # of a kind that is not read, such as objects
        return False
    return array.ndim >= 3 and array.dtype.kind in "biuf"


def _sequences(path: Path, array: np.ndarray, choice: Choice) -> list[np.ndarray]:
    axes = (3, 4) if choice.sequence is None else (4, 5)
    if array.ndim not in axes or 0 in array.shape:
        wanted = "(T, H, W) or (T, C, H, W)" if choice.sequence is None else "(N, T, H, W) or (N, T, C, H, W)"
        hint = "; choose one of its sequences, as by --sequence 0" if array.ndim == 5 else ""
        raise ValueError(f"{path} must hold {wanted}, got {array.shape}{hint}.")
    if choice.sequence is None:
        return [array]
    if choice.sequence == "all":
        return list(array)
    if not -len(array) <= choice.sequence < len(array):
        raise ValueError(f"sequence must be below {len(array)}, which {path} holds, got {choice.sequence}.")
    return [array[choice.sequence]]


def _axes(path: Path, beside: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> dict[str, Any]:
    """Times and places that fit the frames; others are of something else in the file."""
    time = beside.get("time")
    fits = time is not None and time.shape == shape[:1] and time.dtype.kind == "M"
    if time is not None and fits:
        check_ascending(time, f"{path}")
    lengths = dict(zip(PLACES, shape[-2:], strict=True))
    places = {name: beside[name] for name in PLACES if name in beside and beside[name].shape == (lengths[name],)}
    return {"time": time if fits else None, "places": places}
