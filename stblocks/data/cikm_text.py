"""The official text files of CIKM AnalytiCup 2017, indexed once and read a line at a time."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..borders.reading import reading, version

LAYOUT = (15, 4, 101, 101)  # T, altitudes, H, W
VALUES = 15 * 4 * 101 * 101
LONGEST = 16 * VALUES  # bytes of a line: an id, a label, and up to fifteen blanks before each value
KIND = "a text file of CIKM2017"


@dataclass(frozen=True, slots=True)
class TextSample:
    """The series of codes on one line, at one altitude."""

    file: Path
    line: int  #: from 1
    start: int  #: first byte
    size: int  #: bytes
    level: int  #: index of the altitude

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, H, W)`."""
        return (LAYOUT[0], *LAYOUT[2:])

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        with reading(self.file, KIND), open(self.file, "rb") as file:
            file.seek(self.start)
            text = file.read(self.size)
        values = _parse(_values(text), self.file, self.line)
        return values.reshape(LAYOUT)[frames, self.level].clip(0).astype(np.uint8)  # -1 says: no measurement


def text_samples(file: Path, level: int) -> list[TextSample]:
    """One series for each line, `id,values` or `id,label,values`: 15 x 4 x 101 x 101 integers between blanks.

    Raises:
        ValueError: If the file is empty, or a line has too few or too many values.
    """
    with reading(file, KIND):
        file, held = file.resolve(), version(file)
    places = _index(file, held)
    return [TextSample(file, line, start, size, level) for line, start, size in places]


@lru_cache(maxsize=8)  # the files have some 20 GB: every split and altitude shares one look through
def _index(file: Path, version: tuple[int, int]) -> tuple[tuple[int, int, int], ...]:
    """Number, first byte and bytes of each line."""
    places, start = [], 0
    for number, line in enumerate(_lines(file), start=1):
        if line.strip():
            _check_count(_count(_values(line)), file, number)
            places.append((number, start, len(line)))
        start += len(line)
    if not places:
        raise ValueError(f"{file} is empty; fetch it again.")
    return tuple(places)


def _lines(file: Path) -> Iterator[bytes]:
    """Lines, or the first part of those that are too long."""
    with reading(file, KIND), open(file, "rb") as lines:
        yield from iter(partial(lines.readline, LONGEST), b"")


def _parse(text: bytes, file: Path, line: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # all that older versions of NumPy have to say
            values = np.fromstring(text, dtype=np.int64, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise ValueError(f"{file}, line {line} holds something other than integers ({error}).") from error
    _check_count(values.size, file, line)
    if values.min() < -1 or values.max() > 255:
        raise ValueError(
            f"{file}, line {line} must hold values from 0 to 255, or -1, got {values.min()} to {values.max()}."
        )
    return values


def _values(line: bytes) -> bytes:
    return line.rpartition(b",")[2]


def _count(text: bytes) -> int:
    """Words in a text, without splitting it."""
    blank = np.frombuffer(b" " + text, dtype=np.uint8) <= ord(" ")
    return int(np.count_nonzero(blank[:-1] & ~blank[1:]))


def _check_count(count: int, file: Path, line: int) -> None:
    if count != VALUES:
        raise ValueError(
            f"{file}, line {line} holds {count} values, expected 15 x 4 x 101 x 101 = {VALUES} after the id and the "
            f"label; the file may be cut short: fetch it again, or remove the line."
        )
