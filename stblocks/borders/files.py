"""Writing files so that a crash leaves the old one or the new one, never half of one."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import IO

UNFINISHED = ".{}.unfinished"


def write_atomically(path: str | Path, write: Callable[[IO[bytes]], object], keep: Path | None = None) -> None:
    """Write a file beside `path`, flush it to the disk, and rename it. Missing directories are made.

    Args:
        path: The file.
        write: Given the open file, writes the content.
        keep: What the old file is renamed to, if there is one; by default it is gone. After a crash between the two
            renames it is under this name alone.

    Raises:
        ValueError: If the file cannot be written there.
    """
    path = Path(path)
    unfinished = path.with_name(UNFINISHED.format(f"{path.name}.{token_hex(4)}"))  # each writer has its own
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.is_file():
            os.replace(path, keep)
        os.replace(unfinished, path)
    except OSError as error:
        raise ValueError(
            f"path must be a file that can be written, got {path} ({error.strerror or error}); name another directory."
        ) from error
    finally:
        with suppress(OSError):  # it is gone after a success, and where it could not be made there is none
            unfinished.unlink()


def make_atomically(path: str | Path, make: Callable[[Path], object]) -> None:
    """Make a file or a directory beside `path` and rename it: for libraries that write to a name, or to several files.

    What is at `path` is replaced, a directory too, with all that is in it.

    Args:
        path: The file or directory.
        make: Given the name to write to, which ends as that of `path`, writes it.

    Raises:
        ValueError: If it cannot be written there.
    """
    path = Path(path)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix=UNFINISHED.format(path.name), dir=path.parent) as folder:
            made, old = Path(folder, path.name), Path(folder, "old")
            make(made)
            if path.is_dir():
                os.replace(path, old)
            os.replace(made, path)
    except OSError as error:
        raise ValueError(
            f"path must be one that can be written, got {path} ({error.strerror or error}); name another place."
        ) from error


def remove_unfinished(directory: Path) -> None:
    """Delete what a killed process left of files that it was writing in a directory."""
    for path in directory.glob(UNFINISHED.format("*")):
        path.unlink(missing_ok=True)
