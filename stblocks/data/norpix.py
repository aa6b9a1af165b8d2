"""Norpix `.seq` files of JPEG images, as the Caltech pedestrian data set has them."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from struct import Struct

import numpy as np

from ..borders.reading import check_declared, reading

MAGIC = b"\xed\xfe\x00\x00"
HEADER = 1024  # bytes before the first frame
SIZE = Struct("<II")  # width and height, at byte 548
FORMAT = Struct("<I")  # at byte 568
JPEG_FORMATS = (102, 201)
LENGTH = Struct("<I")  # before each frame, itself included
STAMPS = (8, 16)  # bytes of the time after a frame
START_OF_IMAGE = b"\xff\xd8"


@dataclass(frozen=True)
class NorpixFile:
    """A series of RGB frames, uint8 `(T, 3, H, W)`, decoded when they are asked for."""

    path: Path
    frame_shape: tuple[int, int, int]
    places: tuple[tuple[int, int], ...]  #: first byte and length of each frame

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, 3, H, W)`."""
        return (len(self.places), *self.frame_shape)

    def __getitem__(self, frames: slice, /) -> np.ndarray:
        from PIL import Image  # as files are opened by their bytes

        decoded = []
        with reading(self.path, KIND), open(self.path, "rb") as file:
            for first, length in self.places[frames]:
                file.seek(first)
                with Image.open(BytesIO(file.read(length)), formats=["JPEG"]) as image:
                    if (3, image.height, image.width) != self.frame_shape:
                        raise ValueError(f"a frame is {image.height} x {image.width}, not as its header says")
                    decoded.append(np.moveaxis(np.asarray(image.convert("RGB")), -1, 0))
        return np.stack(decoded)


KIND = "a .seq file of JPEG images"


def open_norpix(path: Path) -> NorpixFile:
    """Look through a file: where its frames are.

    Raises:
        ValueError: If it is damaged, holds no frame, or frames of another kind.
    """
    with reading(path, KIND):
        content = np.memmap(path, np.uint8, "r")
        header = content[:HEADER].tobytes()
        if len(header) < HEADER or not header.startswith(MAGIC):
            raise ValueError("it does not begin as such files do")
        width, height = SIZE.unpack_from(header, 548)
        kind = FORMAT.unpack_from(header, 568)[0]
        if kind not in JPEG_FORMATS:
            raise ValueError(f"its images are of format {kind}, not JPEG ({JPEG_FORMATS[0]} or {JPEG_FORMATS[1]})")
        places = _places(content)
        if not places:
            raise ValueError("it holds no frame")
    check_declared(path, "a frame", 3 * width * height, places[0][1])
    return NorpixFile(path, (3, height, width), tuple(places))


def _places(content: np.ndarray) -> list[tuple[int, int]]:
    """Where the frames lie, up to the end or to a frame that is cut short."""
    places, start = [], HEADER
    while start + 6 <= len(content):
        length = LENGTH.unpack(content[start : start + 4].tobytes())[0]
        first, end = start + 4, start + length
        if length < 8 or end > len(content) or content[first : first + 2].tobytes() != START_OF_IMAGE:
            break
        places.append((first, length - 4))
        following = [end + stamp for stamp in STAMPS]
        starts = [at for at in following if content[at + 4 : at + 6].tobytes() == START_OF_IMAGE]
        if not starts:
            break
        start = starts[0]
    return places
