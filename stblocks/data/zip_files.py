"""Members of zip files, read in place: nothing is unpacked to the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo


@contextmanager
def open_member(path: Path, name: str) -> Iterator[tuple[IO[bytes], ZipInfo]]:
    """A member to read from, and what the archive says of it."""
    with ZipFile(path) as archive:
        info = archive.getinfo(name)
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # zipfile cannot read others a part at a time
            raise ValueError(f"{name} is compressed by method {info.compress_type}, neither stored nor deflated")
        with archive.open(info) as file:
            yield file, info
