"""Packages that only some rooms need: who lacks one is told which extra brings it."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Within the block, a package that is not installed is an error that names the extra.

    Args:
        extra: Such as `"train"`.
        what: What needs the package.

    Raises:
        ImportError: In place of a `ModuleNotFoundError`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "stblocks":
            raise
        raise ImportError(f"{what} needs {package}: pip install 'stblocks[{extra}]'.") from error
