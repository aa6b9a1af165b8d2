"""Checkpoints: one dict of tensors, numbers and strings in one file that is either whole or not there."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..files import write_atomically

State = dict[str, Any]


def save_checkpoint(state: State, path: str | Path) -> None:
    """Write a checkpoint, atomically.

    Args:
        state: Tensors, numbers, strings, and dicts, lists and tuples of them.
        path: The file.

    Raises:
        ValueError: If it cannot be written there.
    """
    content = io.BytesIO()  # torch.save hides why a file cannot be written, such as a full disk
    torch.save(state, content)
    write_atomically(path, lambda file: file.write(content.getbuffer()))


def load_checkpoint(path: str | Path) -> State:
    """Read a checkpoint, on the CPU and without running anything stored in it.

    Raises:
        ValueError: If there is no such file, or it is not a whole checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"There is no checkpoint {path}; start without resume, or name the directory of the run.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what reading damaged bytes can raise has no end
        raise ValueError(
            f"{path} is not a whole checkpoint of this library ({error}); delete it and start without resume."
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} must hold a dict, got {type(state).__name__}; it is not a checkpoint of a run.")
    return state


def differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two dicts, one phrase per key."""
    return [
        f"{key} was {saved.get(key)!r}, is {now.get(key)!r}"
        for key in dict.fromkeys([*saved, *now])
        if saved.get(key) != now.get(key)
    ]
