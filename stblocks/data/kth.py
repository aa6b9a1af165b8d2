"""KTH: people who walk, jog, run, box, wave and clap, 10 frames to 20 or 40."""

import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import islice
from math import prod
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from ..borders.checks import check_positive
from ..borders.reading import reading, version
from .scaler import Scaler
from .series import Coded, long_enough
from .split import Split, check_split
from .video_files import import_av
from .windows import SequenceWindows
from .zip_files import open_member

PERSONS = {"train": range(1, 17), "test": range(17, 26)}
CLIP = re.compile(r"(person(\d\d)_[a-z]+_d\d)_uncomp\.avi$")
MOST_BYTES = 2**26  # of a clip in its file, and of its frames: some 1,500 of 160 x 120 are 29 MB


class KTH(SequenceWindows):
    """Human actions, filmed 25 times a second in grey at 160 x 120: windows of clips, values in [0, 1].

    Schuldt et al., ICPR 2004; https://www.csc.kth.se/cvap/actions/ has a zip file for each of six actions with clips
    `person01_walking_d1_uncomp.avi`: 25 persons, 4 scenes. They are read as they are, or unpacked at any depth: the
    length and size of every clip at once, its frames when they are asked for; the last 8 clips stay decoded. Persons 1
    to 16 are for training, 17 to 25 for testing. Where the official `00sequences.txt` lies beside them, windows keep to
    its ranges of frames, each a walk, or so, from end to end; else whole clips count, empty frames included. Ranges
    shorter than a window are left out. Reading clips needs `pip install 'stblocks[data]'`.

    Args:
        root: Folder with zip files or clips, or one of the zip files.
        split: The part to read.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast; papers take 20 and 40.
        stride: Frames from the start of a window to that of the next.
        size: `(H, W)` to resize frames to, bilinear; `None` leaves them.

    Raises:
        ValueError: If there are no clips for the split, one is broken, or all are shorter than a window.
        ImportError: If av is not installed.
    """

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        *,
        in_frames: int = 10,
        out_frames: int = 20,
        stride: int = 1,
        size: tuple[int, int] | None = (128, 128),
    ) -> None:
        check_split(split)
        check_positive(in_frames=in_frames, out_frames=out_frames)
        if split == "validation":
            raise ValueError("KTH has no validation part: persons 1 to 16 are for training, 17 to 25 for testing.")
        root = Path(root)
        clips = [clip for name, clip in sorted(_find(root).items()) if int(name[6:8]) in PERSONS[split]]
        if not clips:
            raise ValueError(
                f"{root} has no clips for '{split}', persons {PERSONS[split][0]} to {PERSONS[split][-1]}: no files "
                f"person.._.._d._uncomp.avi, nor zip files of them; name the folder that has them."
            )
        ranges = _ranges((root if root.is_dir() else root.parent) / "00sequences.txt")
        parts = [part for clip in clips for part in _parts(clip, ranges)]
        long = long_enough(parts, in_frames + out_frames, "clips")
        scaler = Scaler()
        series = [Coded(part, scaler) for part in long]
        super().__init__(series, in_frames, out_frames, stride=stride, size=size, scaler=scaler, seconds=1 / 25)


@dataclass(frozen=True)
class Clip:
    """An AVI file, or one in a zip file."""

    name: str  #: such as person01_walking_d1
    file: Path
    member: str = ""  #: of the zip file

    def read(self) -> bytes:
        """All of it."""
        if self.member:
            with open_member(self.file, self.member) as (file, _):
                content = file.read(MOST_BYTES + 1)
        else:
            with open(self.file, "rb") as file:
                content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB, where clips of KTH have about 1")
        return content


@dataclass(frozen=True)
class Part:
    """The series of frames `first` to `last - 1` of a clip, uint8 `(T, H, W)`."""

    clip: Clip
    first: int
    last: int
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, H, W)`."""
        return (self.last - self.first, *self.size)

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        with _reading(self.clip):
            held = version(self.clip.file)
        clip = _decode(self.clip, held)
        if len(clip) < self.last:
            raise ValueError(
                f"{self.clip.name} ends after {len(clip)} frames, fewer than the {self.last} it announces; "
                f"fetch it again, or remove it."
            )
        return clip[self.first : self.last][frames]


def _find(root: Path) -> dict[str, Clip]:
    """All clips by name; those unpacked come before those in zip files."""
    if not root.exists():
        raise ValueError(f"There is no {root}; name the folder of the zip files or clips.")
    clips: dict[str, Clip] = {}
    for file in sorted(root.glob("*.zip")) if root.is_dir() else [root]:
        with reading(file, "a zip file"), ZipFile(file) as archive:
            members = archive.namelist()
        clips |= {found[1]: Clip(found[1], file, each) for each in members if (found := CLIP.search(each))}
    clips |= {found[1]: Clip(found[1], file) for file in root.rglob("*.avi") if (found := CLIP.search(file.name))}
    return clips


def _ranges(file: Path) -> dict[str, list[tuple[int, int]]] | None:
    """First frame, from 0, and the one after the last of each range, by clip; `None` without a file."""
    if not os.path.lexists(file):
        return None
    with reading(file, "the table of ranges"):
        text = file.read_text(encoding="utf-8")
    lines = re.findall(r"(person\d\d_[a-z]+_d\d)\s+frames\s+([-\d, \t]+)", text)
    return {
        name: [_range(first, last, file) for first, last in re.findall(r"(\d+)-(\d+)", ranges)]
        for name, ranges in lines
    }


def _range(first: str, last: str, file: Path) -> tuple[int, int]:
    if max(len(first), len(last)) > 6 or not 1 <= int(first) <= int(last):
        raise ValueError(f"{file} must have ranges of frames from 1 on, such as 1-95, got {first[:9]}-{last[:9]}.")
    return int(first) - 1, int(last)


def _parts(clip: Clip, ranges: dict[str, list[tuple[int, int]]] | None) -> list[Part]:
    frames, *size = _shape(clip)
    if ranges is None:
        return [Part(clip, 0, frames, (size[0], size[1]))]
    if clip.name not in ranges:
        raise ValueError(f"00sequences.txt says nothing of {clip.name}; fetch it again, or remove one of them.")
    return [Part(clip, first, min(last, frames), (size[0], size[1])) for first, last in ranges[clip.name]]


def _shape(clip: Clip) -> tuple[int, int, int]:
    """`(T, H, W)`, as the file announces it."""
    av = import_av()
    with _reading(clip), av.open(BytesIO(clip.read()), format="avi") as container:
        stream = container.streams.video[0]
        shape = stream.frames, stream.height, stream.width
    if not 0 < prod(shape) <= MOST_BYTES or min(shape) < 1:
        raise ValueError(
            f"{clip.name} of {clip.file} announces (T, H, W) = {shape}, more than {MOST_BYTES >> 20} MiB or nothing, "
            f"where the clips of KTH are some 500 frames of 120 x 160; fetch it again."
        )
    return shape


@lru_cache(maxsize=8)  # some 10 MB each
def _decode(clip: Clip, version: tuple[int, int]) -> np.ndarray:
    """All frames, `(T, H, W)` in uint8."""
    count, *size = _shape(clip)
    frames = np.empty((count, *size), np.uint8)
    decoded = 0
    with _reading(clip), import_av().open(BytesIO(clip.read()), format="avi") as container:
        for frame in islice(container.decode(video=0), count):
            if [frame.height, frame.width] != size:
                raise ValueError(f"a frame is {frame.height} x {frame.width}, not {size[0]} x {size[1]}")
            frames[decoded] = frame.to_ndarray(format="gray")
            decoded += 1
    frames.flags.writeable = False
    return frames[:decoded]


def _reading(clip: Clip) -> AbstractContextManager[None]:
    return reading(clip.file, f"clip {clip.name}")
