"""Zarr stores, looked through before they are opened: what they declare, and whether reading would unpickle."""

import json
import os
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..borders.reading import MOST_BYTES, MOST_RATIO, check_declared, reading

METADATA = (".zmetadata", ".zarray", "zarr.json", "*/.zarray", "*/zarr.json")  # of an array, or a group and its arrays


def check_zarr(path: Path) -> None:
    """Look through the metadata of an array, or a group and its arrays.

    Raises:
        ValueError: If they are damaged, name the codec that unpickles, or declare a huge array that is hardly stored,
            or if a file of the store is a pipe.
    """
    declared: dict[str, int] = {}
    with reading(path, "a zarr store"):
        _refuse_pipes(path)
        for file in (file for pattern in METADATA for file in sorted(path.glob(pattern))):
            for name, entry in _objects(
                json.loads(file.read_text(encoding="utf-8")), file.parent.relative_to(path).as_posix()
            ):
                if "pickle" in (entry.get("id"), entry.get("name")):
                    raise ValueError(f"'{name}' is stored as Python objects, which are never unpickled")
                if "shape" in entry and ("chunks" in entry or "chunk_grid" in entry):
                    declared[name] = max(declared.get(name, 0), _bytes(entry))
    for name, needed in declared.items():
        with reading(path, "a zarr store"):
            stored = _stored(path / name, needed)
        check_declared(path, f"'{name}'", needed, stored)


def is_consolidated(path: Path) -> bool:
    """Whether a group has the metadata of its arrays in one place, as a file or within its own."""
    with reading(path, "a zarr store"):
        own = path / "zarr.json"
        held = json.loads(own.read_text(encoding="utf-8")) if own.is_file() else {}
        return (path / ".zmetadata").is_file() or bool(held.get("consolidated_metadata"))


def _objects(value: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All JSON objects inside a value, each with the name of its array."""
    if isinstance(value, dict):
        yield name, value
        for key, inner in value.items():
            if key.endswith("/.zarray"):
                key_name = key.removesuffix("/.zarray")
            else:  # consolidated metadata have a key for each array
                key_name = key if isinstance(inner, dict) and inner.get("node_type") == "array" else name
            yield from _objects(inner, key_name)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner, name)


def _refuse_pipes(path: Path) -> None:
    with os.scandir(path) as entries:  # it knows kinds without asking for each of a million chunks
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _refuse_pipes(Path(entry))
            elif not (entry.is_file() or entry.is_dir()):
                raise ValueError(f"{entry.name} is a pipe, socket, device or broken link")


def _bytes(array: dict[str, Any]) -> int:
    """In memory, whole chunks."""
    if "chunks" in array:  # format 2
        chunks, size = array["chunks"], np.dtype(array["dtype"]).itemsize
    else:
        chunks = array["chunk_grid"]["configuration"]["chunk_shape"]
        bits = re.search(r"\d+$", str(array["data_type"]))
        size = -(-int(bits[0]) // 8) if bits else 16  # other types are no weather; 16 is the size of the largest number
    return prod(map(max, array["shape"], chunks)) * size


def _stored(folder: Path, needed: int) -> int:
    """Bytes of the files in a folder, counted until they are enough."""
    stored = 0
    if needed > MOST_BYTES:
        for file in folder.rglob("*"):
            stored += file.stat().st_size if file.is_file() else 0
            if stored * MOST_RATIO >= needed:
                break
    return stored
