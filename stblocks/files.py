"""Writing files so that a crash leaves the old one or the new one, never half of one."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_atomically(path: str | Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside `path`, flush it to the disk, and rename it. Missing directories are made.

    Args:
        path: The file.
        write: Given the open file, writes the content.

    Raises:
        ValueError: If the file cannot be written there.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        raise ValueError(
            f"path must be a file that can be written, got {path} ({error.strerror or error}); name another directory."
        ) from error
    finally:
        if unfinished.is_file():
            unfinished.unlink()
