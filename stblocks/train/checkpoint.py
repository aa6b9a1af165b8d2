"""Checkpoints: one dict of tensors, numbers and strings in one file that is either whole or not there."""

import hashlib
import io
import math
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import torch
from torch import Tensor

from ..borders.checks import is_number
from ..borders.files import write_atomically

State = dict[str, Any]

#: Stands at the end of the file, before the hexadecimal SHA-256 of all before it.
MARK = b"sha256:"
_END = len(MARK) + hashlib.sha256().digest_size * 2
_PLAIN = (bool, int, float, str, NoneType)


def save_checkpoint(state: State, path: str | Path) -> None:
    """Write a checkpoint with its digest, atomically, and keep the one before it as `previous(path)`.

    Args:
        state: Tensors, numbers, strings, and dicts, lists and tuples of them.
        path: The file.

    Raises:
        ValueError: If the state holds anything else, or cannot be written there.
    """
    require_plain(state, "state")
    content = io.BytesIO()  # torch.save hides why a file cannot be written, such as a full disk
    torch.save(state, content)
    content.write(MARK + hashlib.sha256(content.getbuffer()).hexdigest().encode())
    write_atomically(path, lambda file: file.write(content.getbuffer()), keep=previous(path))


def require_plain(value: Any, name: str, *, tensors: bool = True) -> None:
    """Raise a `ValueError` unless a value is one that can be read again without running anything.

    Args:
        value: The value. NumPy's numbers and strings are none, although Python's are what some of them are made of.
        name: What errors call it.
        tensors: May there be tensors in it?
    """
    if type(value) in (dict, OrderedDict):
        for key, inner in value.items():
            require_plain(key, f"a key of {name}", tensors=False)
            require_plain(inner, f"{name}.{key}", tensors=tensors)
    elif type(value) in (list, tuple, torch.Size):
        for i, inner in enumerate(value):
            require_plain(inner, f"{name}[{i}]", tensors=tensors)
    elif type(value) not in _PLAIN and not (tensors and isinstance(value, Tensor)):
        raise ValueError(
            f"{name} must be made of {'tensors, ' if tensors else ''}numbers, strings, True, False and None of Python, "
            f"in dicts, lists and tuples, got {value!r:.80} of the type {type(value).__name__}; take .item() of a "
            f"number of NumPy, str(...) of a path or another text."
        )


def previous(path: str | Path) -> Path:
    """The file of the checkpoint before: `checkpoint.previous.pt` for `checkpoint.pt`."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def newest(path: Path) -> Path | None:
    """The newest of the two checkpoints that are kept, `None` if there is none.

    The previous one is it only after a crash between two renames, or if the newer one was deleted.
    """
    return next((each for each in (path, previous(path)) if os.path.isfile(each)), None)


def require_newest(path: Path) -> Path:
    """The same, or a `ValueError` if there is none."""
    found = newest(path)
    if found is None:
        raise _missing(path)
    return found


def _missing(path: Path) -> ValueError:
    return ValueError(f"There is no checkpoint {path}; start without resume, or name the directory of the run.")


def load_checkpoint(path: str | Path) -> State:
    """Read a checkpoint, on the CPU and without running anything stored in it.

    Args:
        path: The file.

    Raises:
        ValueError: If there is no such file, or it is not whole: a single changed bit is found by the digest. The
            message says whether the checkpoint before it is whole.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise _missing(path)
    try:
        return _read(path)
    except _NotPlain as error:
        raise ValueError(
            f"{path} is as it was written, but holds {error}, and only numbers, strings and tensors are read from a "
            f"file, since others could run code; start a new run in another directory, and see best/ for its weights."
        ) from error
    except _NotWhole as error:
        raise ValueError(f"{path} is not a whole checkpoint of this library ({error}); {_way_out(path)}.") from error


class _NotWhole(Exception):
    """Why a file cannot be used."""


class _NotPlain(_NotWhole):
    """Of what kind something is in it that cannot be read, although it fits its digest."""


def _read(path: Path) -> State:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _NotWhole(error.strerror or error) from error
    content, end = content[:-_END], content[-_END:]
    if not end.startswith(MARK):
        raise _NotWhole("it does not end with a digest: it was cut short, or written before checkpoints had one")
    if end[len(MARK) :] != hashlib.sha256(content).hexdigest().encode():
        raise _NotWhole("its content does not fit its digest: it was damaged since it was written")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # what reading foreign bytes can raise has no end
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise _NotPlain(found[1]) from error
        raise _NotWhole(error) from error
    if not isinstance(state, dict):
        raise _NotWhole(f"it must hold a dict, got {type(state).__name__}")
    return state


def _way_out(path: Path) -> str:
    other = previous(path)
    if os.path.isfile(other):
        try:
            training = _read(other).get("training")
        except _NotWhole:
            return f"nor is {other.name}: delete both and start without resume"
        step = training.get("step") if isinstance(training, dict) else "unknown"
        return f"{other.name} is whole, of step {step}: delete {path.name}, and resume=True goes on from there"
    return "delete it and start without resume"


def differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two dicts, one phrase per key."""
    return [
        f"{key} was {saved.get(key)!r:.200}, is {now.get(key)!r}"
        for key in dict.fromkeys([*saved, *now])
        if isinstance(saved.get(key), Tensor) or saved.get(key) != now.get(key)
    ]


def require_like(found: Any, expected: Any, name: str) -> None:
    """Raise a `ValueError` unless a value is made like another one.

    Alike are dicts of the same keys, lists of the same length, tensors of the same shape and dtype, and numbers, `None`
    and flags, strings; all that is a number must be finite.

    Args:
        found: The value.
        expected: One of the same kind.
        name: What errors call it.
    """
    if isinstance(expected, Tensor):
        if not isinstance(found, Tensor) or (found.shape, found.dtype) != (expected.shape, expected.dtype):
            raise ValueError(f"{name} must be {_kind(expected)}, got {_kind(found)}.")
        if not found.isfinite().all():
            raise ValueError(f"{name} must be finite, got NaN or infinite values.")
    elif is_number(expected):
        if not is_number(found) or not math.isfinite(found):
            raise ValueError(f"{name} must be a finite number, got {found!r}.")
    elif expected is None or isinstance(expected, bool):
        if not (found is None or isinstance(found, bool)):
            raise ValueError(f"{name} must be True, False or None, got {_kind(found)}.")
    elif type(found) is not type(expected):
        raise ValueError(f"{name} must be {_kind(expected)}, got {_kind(found)}.")
    elif isinstance(expected, dict):
        if found.keys() != expected.keys():
            raise ValueError(f"{name} must hold {_names(expected)}, got {_names(found)}.")
        for key in expected:
            require_like(found[key], expected[key], f"{name}.{key}")
    elif isinstance(expected, (list, tuple)):
        if len(found) != len(expected):
            raise ValueError(f"{name} must hold {len(expected)} values, got {len(found)}.")
        for i, pair in enumerate(zip(found, expected, strict=True)):
            require_like(*pair, f"{name}[{i}]")


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def _names(keys: Mapping[Any, Any]) -> str:
    return ", ".join(map(str, list(keys)[:9])) or "nothing"
