"""Members of zip files, read in place: nothing is unpacked to the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

SIP = 4096  # bytes of LZMA, which come to 30 MB at most


@contextmanager
def open_member(path: Path, name: str) -> Iterator[tuple[IO[bytes], ZipInfo]]:
    """A member to read from, and what the archive says of it."""
    with ZipFile(path) as archive:
        info = archive.getinfo(name)
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED, ZIP_LZMA):
            raise ValueError(f"{name} is compressed by method {info.compress_type}, not stored, deflated or LZMA")
        with archive.open(info) as file:
            if info.compress_type == ZIP_LZMA:
                yield BufferedReader(_Sips(file)), info
            else:
                yield file, info


class _Sips(RawIOBase):
    """A member that is read a little at a time: zipfile unpacks LZMA as many bytes at once as it is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self.file, self.position = file, 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: Any) -> int:
        data = self.file.read(min(len(buffer), SIP))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)
