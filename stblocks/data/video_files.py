"""Video files: only the frames that are asked for are decoded, from the key frame before them."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..borders.reading import reading

KIND = "a video"
MOST_PIXELS = 2**25  # of a frame, and 2**20 frames
MOST_FRAMES = 2**20
#: Frames to seek further back in turn: files order key frames by when they are decoded, with B-frames before they show.
BACK = (0, 8, 64, 512)


@dataclass(frozen=True)
class VideoFile:
    """A series of RGB frames, uint8 `(T, 3, H, W)`."""

    path: Path
    shape: tuple[int, ...]

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        first, last, step = frames.indices(self.shape[0])
        wanted = range(first, last, step)
        with reading(self.path, KIND), import_av().open(str(self.path)) as container:
            for back in (*(back for back in BACK if back < first), first):
                if decoded := _decoded(container, first - back, wanted):
                    break
            if len(decoded) != len(wanted):
                raise ValueError(f"frames {first} to {last - 1} are not all there")
        return np.stack(decoded)


def _decoded(container: Any, key: int, wanted: range) -> list[np.ndarray]:
    """The frames wanted, from the key frame before the frame `key` on; none where that comes too late for the first."""
    stream, decoded = container.streams.video[0], list[np.ndarray]()
    start = stream.start_time or 0
    container.seek(start + round(key / stream.average_rate / stream.time_base), stream=stream)
    for frame in container.decode(stream):
        number = round((frame.pts - start) * stream.time_base * stream.average_rate)
        if number >= wanted.stop or (number > wanted.start and not decoded):
            break
        if number in wanted:
            decoded.append(np.moveaxis(frame.to_ndarray(format="rgb24"), -1, 0))
    return decoded


def open_video(path: Path) -> VideoFile:
    """Length and size of a video, as the file announces them.

    Raises:
        ValueError: If it is damaged, or announces nothing or far too much.
        ImportError: If av is not installed.
    """
    with reading(path, KIND), import_av().open(str(path)) as container:
        stream = container.streams.video[0]
        shape = stream.frames, 3, stream.height, stream.width
        known = stream.average_rate is not None and stream.time_base is not None
    if min(shape) < 1 or prod(shape[1:]) > MOST_PIXELS or shape[0] > MOST_FRAMES or not known:
        raise ValueError(f"{path} announces (T, C, H, W) = {shape}, more than a video has or nothing; fetch it again.")
    return VideoFile(path, shape)


def import_av() -> ModuleType:
    """The package, or an `ImportError` that says how to install it."""
    try:
        import av
    except ImportError as error:
        raise ImportError("Reading clips needs av: pip install 'stblocks[data]'.") from error
    return av
