"""One run at a time in a directory."""

import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: The file that is locked. What it holds only serves the message: the system frees a lock when its process ends,
#: however it ends, so that a file left behind locks nothing.
LOCK = ".lock"


@contextmanager
def run_lock(directory: Path) -> Iterator[None]:
    """Within the block, no other process can hold the lock of the directory, which is made if need be.

    Raises:
        ValueError: If another process holds it, or it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = open(directory / LOCK, "a+b")  # noqa: SIM115
    except OSError as error:
        raise ValueError(
            f"out_dir must be a directory that can be written, got {directory} ({error.strerror or error}); "
            f"name another directory."
        ) from error
    with file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            raise ValueError(
                f"out_dir {directory} is in use: {file.read().decode(errors='replace') or 'another process'} trains "
                f"there; wait until it ends, or name another directory."
            ) from error
        except OSError as error:  # some network file systems have no locks
            warnings.warn(f"{directory} cannot be locked ({error}): start no second run there.", stacklevel=3)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        file.flush()
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(1 << 20)  # Windows lets nobody read what is locked: lock behind the text
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        # Unlike flock's, this lock is not inherited by forked loaders of data, which outlive a killed run by seconds.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
