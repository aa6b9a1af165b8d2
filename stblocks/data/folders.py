"""Folders of frames, one file a frame."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from ..borders.reading import check_declared, reading
from .fill import Fill
from .numpy_files import open_npy
from .scaler import Scaler
from .series import Part, decode, place_of
from .times import holes, stamps, usual_step
from .windows import SequenceWindows

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
MODES = ("L", "RGB", "I;16", "I", "F")
WAY_OUT = "fetch or write it again"


class FrameFolders(SequenceWindows):
    """A folder for each sequence with a file for each frame, in natural order (`img_2` before `img_10`).

    If all names of a folder have a date, and a time if they like (`rain_201906010835.png`, `2019-06-01 08.png`), frames
    are in the order of time, and no window reaches over a hole: where the next frame comes later than half as late
    again as is usual there.

    Files are images, grey or RGB, or `.npy` arrays `(H, W)` or `(C, H, W)`. The whole range of 8- and 16-bit codes
    stands for the model's [0, 1] (and so for the physical values that the scaler makes of it); floats are physical
    values. Reading images needs `pip install 'stblocks[data]'`.

    Args:
        root: Folder that holds, at any depth, the folders of frames, or links to them; or such a folder itself. Names
            that begin with a dot are left out.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        stride: Frames from the start of a window to that of the next in the same folder.
        crop: As in `SequenceWindows`, but files are read whole, and all of one shape.
        crop_where: As in `SequenceWindows`.
        size: `(H, W)` to resize frames, or crops of them, to, bilinear; `None` leaves them.
        scaler: From physical to model units.
        missing: As in `SequenceWindows`.
        fill: As in `SequenceWindows`.
        variables: As in `SequenceWindows`.
        seconds: From one frame to the next; `None` is what the times in the names say, if they say one and the same.

    Raises:
        ValueError: If there are no frames, a folder has too few, or a file cannot be read or differs in shape.
    """

    def __init__(
        self,
        root: str | Path,
        in_frames: int,
        out_frames: int,
        *,
        stride: int = 1,
        crop: tuple[int, int] | None = None,
        crop_where: float | None = None,
        size: tuple[int, int] | None = None,
        scaler: Scaler = Scaler(),  # noqa: B008  (frozen)
        missing: Literal["error", "mask"] = "error",
        fill: Fill | None = "zero",
        variables: Iterable[str] | None = None,
        seconds: float | None = None,
    ) -> None:
        series = frame_series(Path(root), scaler, at_least=in_frames + out_frames, by_time=True)
        super().__init__(
            series,
            in_frames,
            out_frames,
            stride=stride,
            crop=crop,
            crop_where=crop_where,
            size=size,
            scaler=scaler,
            missing=missing,
            fill=fill,
            variables=variables,
            seconds=usual_step([file.name for file in one.files] for one in series) if seconds is None else seconds,
        )


@dataclass(frozen=True)
class FrameFiles:
    """A series with a file for each frame, read when it is asked for."""

    files: tuple[Path, ...]
    frame_shape: tuple[int, ...]
    scaler: Scaler

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, C, H, W)`."""
        return (len(self.files), *self.frame_shape)

    def __getitem__(self, part: Part, /) -> np.ndarray:
        frames, place = place_of(part)
        return np.stack([self._read(file)[(..., *place)] for file in self.files[frames]])

    def _read(self, file: Path) -> np.ndarray:
        frame = read_frame(file)
        if frame.shape != self.frame_shape:
            raise ValueError(
                f"{file} has shape (C, H, W) = {frame.shape}, the first frame of the data set {self.frame_shape}; "
                f"bring the files to one shape."
            )
        return decode(frame, self.scaler)


def frame_series(root: Path, scaler: Scaler, at_least: int, *, by_time: bool = False) -> list[FrameFiles]:
    """One series for each folder with frames in it, `root` included, in natural order.

    Args:
        root: Where to look, at any depth.
        scaler: What codes stand for.
        at_least: Frames that each folder must have.
        by_time: Are series to end where the times in names have a hole? Parts shorter than `at_least` are left out.

    Raises:
        ValueError: If there are none, or a folder has fewer than `at_least` frames, or none without a hole.
    """
    if not root.is_dir():
        raise ValueError(f"There is no folder {root}; name the one that holds the folders of frames.")
    folders = {folder: _frames(names) for folder, names in _walk(root)}
    folders = {folder: names for folder, names in folders.items() if names}
    if not folders:
        raise ValueError(f"{root} holds no frames ({', '.join(IMAGES)} or .npy files); name a folder that does.")
    for folder, names in folders.items():
        if len(names) < at_least:
            raise ValueError(
                f"{folder} has {len(names)} frames, fewer than the {at_least} of a window; "
                f"complete it, remove it, or take fewer frames."
            )
    ordered = sorted(folders, key=lambda folder: [_natural(part) for part in folder.parts])
    frame_shape = read_frame(ordered[0] / folders[ordered[0]][0]).shape
    series = []
    for folder in ordered:
        parts = _without_holes(folder, folders[folder], at_least) if by_time else [folders[folder]]
        series += [FrameFiles(tuple(folder / name for name in names), frame_shape, scaler) for names in parts]
    return series


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder once, with the names of its files; links are followed, hidden folders are not entered."""
    seen = set()
    for folder, below, names in os.walk(root, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(folder), names


def _without_holes(folder: Path, names: list[str], at_least: int) -> list[list[str]]:
    """The names in the order of the times in them, if they have some; in parts that have no hole."""
    if (time := stamps(names)) is None:
        return [names]
    order = np.argsort(time)
    ordered = [names[index] for index in order]
    starts = [0, *holes(time[order]).tolist()]
    parts = [ordered[first:last] for first, last in pairwise([*starts, len(names)])]
    if not (long := [part for part in parts if len(part) >= at_least]):
        raise ValueError(
            f"{folder} has no {at_least} frames without a hole, at most {max(map(len, parts))}: the times in their "
            f"names leave one before {ordered[starts[1]]}; complete it, remove it, or take fewer frames."
        )
    return long


def read_frame(file: Path) -> np.ndarray:
    """A frame as it is stored, `(C, H, W)`.

    Raises:
        ValueError: If the file is not a whole image or array, or of another kind than grey and RGB.
        ImportError: If it is an image and pillow is not installed.
    """
    if file.suffix.lower() != ".npy":
        frame = _read_image(file)
    else:
        stored = open_npy(file, WAY_OUT)
        _check_frame(file, stored.shape)
        frame = stored.read()
    return frame[None] if frame.ndim == 2 else frame


def _check_frame(file: Path, shape: tuple[int, ...]) -> None:
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"{file} must hold a frame, (H, W) or (C, H, W), got {shape}; write a file for each frame.")


def _read_image(file: Path) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Reading image files needs pillow: pip install 'stblocks[data]'.") from error
    with reading(file, "a frame", WAY_OUT), Image.open(file) as image:
        if image.mode not in MODES:
            raise ValueError(f"its mode is {image.mode}, not grey or RGB")
        check_declared(file, "its pixels", 4 * image.width * image.height, file.stat().st_size)
        pixels = np.asarray(image)
        if image.mode == "I":  # how older pillows read 16-bit PNG files
            if pixels.min() < 0 or pixels.max() > 65535:
                raise ValueError(f"its pixels are {pixels.min()} to {pixels.max()}, not 16-bit codes")
            pixels = pixels.astype(np.uint16)
    return np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels


def _frames(names: Iterable[str]) -> list[str]:
    suffixes = (*IMAGES, ".npy")
    return sorted((n for n in names if n.lower().endswith(suffixes) and not n.startswith(".")), key=_natural)


def _natural(name: str) -> list[str | int]:
    """A sort key by which numbers in names count as numbers."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
