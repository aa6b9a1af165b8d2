"""The border to the libraries of file formats: damage is told in one sentence, and huge declared sizes are refused."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What is read may always take so many bytes, and so many times the bytes that are stored of it.
MOST_BYTES, MOST_RATIO = 2**28, 200


@contextmanager
def reading(path: str | Path, what: str, way_out: str = "fetch it again") -> Iterator[None]:
    """The border to a format's library: whatever it raises on a damaged or odd file becomes one sentence.

    Keep to calls of the library inside; checks of what it has read belong after.

    Args:
        path: The file or directory. It is not waited for if it is a pipe.
        what: What it is read as, such as "an .npz file".
        way_out: What to do about it.

    Raises:
        ValueError: In place of any exception, except that a package is not installed.
    """
    try:
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError("it is a pipe, socket or device, not a regular file")
        yield
    except ImportError:
        raise
    except Exception as error:  # what libraries raise on damaged bytes has no end: TokenError, RuntimeError, zlib.error
        # OSError puts the path into its text once more.
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = (text.strip().splitlines() or [""])[0][:200] or type(error).__name__
        raise ValueError(f"{path} cannot be read as {what} ({reason}); {way_out}.") from error


def version(path: Path) -> tuple[int, int]:
    """Size and time of the last change of a file: what is remembered of it holds as long as these do."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def check_declared(path: str | Path, what: str, needed: int, stored: int) -> None:
    """Refuse a small file that declares a huge array, before there is memory for it.

    Raises:
        ValueError: If `needed` bytes are more than `MOST_BYTES`, and more than `MOST_RATIO` times those `stored`.
    """
    if needed > max(MOST_BYTES, MOST_RATIO * stored):
        raise ValueError(
            f"{path} declares {needed / 1e6:,.0f} MB for {what} and stores {stored / 1e6:,.3f} MB; "
            f"it is damaged or not meant to be read: fetch it again, or write it uncompressed."
        )
