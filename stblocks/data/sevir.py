"""SEVIR: storms over the United States, as radar and satellites saw them, 13 frames to 12."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from ..borders.reading import reading
from .catalogue import read_catalogue
from .fill import Fill
from .hdf5_files import KIND as HDF5
from .hdf5_files import StoredData, open_hdf5, opened_hdf5
from .scaler import Scaler
from .series import Part, place_of
from .split import Split, check_split
from .times import parse_date
from .windows import SequenceWindows

ImageType = Literal["vil", "ir069", "ir107", "vis"]

FRAMES = 49  # of an event, every 5 min: four hours
COLUMNS = ("id", "file_name", "file_index", "img_type", "time_utc")
#: Of each type of images: the number that stands for a missing pixel, what 1 stands for, and the scaler.
TYPES: dict[str, tuple[int, float, Scaler]] = {
    "vil": (255, 1.0, Scaler(0.0, 255.0, "VIL code")),
    "ir069": (-32768, 0.01, Scaler(-100.0, 150.0, "degC")),
    "ir107": (-32768, 0.01, Scaler(-100.0, 150.0, "degC")),
    "vis": (-32768, 1e-4, Scaler()),
}


class SEVIR(SequenceWindows):
    """Windows of storm events: four hours of frames, one every 5 min, around places and times of storms.

    Veillette et al., NeurIPS 2020; the files are at https://registry.opendata.aws/sevir (a bucket with
    `CATALOG.csv` and `data/vil/2018/SEVIR_VIL_STORMEVENTS_2018_0101_0630.h5` and its like). A file holds `id` and the
    images, `(N, H, W, 49)`; the catalogue says which row of which file an event is. Events whose file is not there are
    left out, so that a part of the data set is a data set, too. Reading needs `pip install 'stblocks[data]'`.

    The catalogue's times split events as the nowcasting papers that followed do (Gao et al., NeurIPS 2022, Sec. 4.2):
    before 2019 for training, the months up to May 2019 for validation, June 2019 and later for testing.

    VIL, vertically integrated liquid, is stored and forecast as codes from 0 to 254, and thresholds of scores are
    codes: 16, 74, 133, 160, 181, 219; `vil_kg_m2` makes kg/m2 of them. Infrared channels (`ir069`, `ir107`) are
    temperatures in degrees Celsius, `vis` is reflectance.

    Args:
        root: Folder with `CATALOG.csv` and `data`.
        split: The part to read.
        image_type: `"vil"` (384 x 384), `"ir069"` or `"ir107"` (192 x 192), or `"vis"` (768 x 768). Lightning is no
            image, and not read.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast; both together at most 49.
        stride: Frames from the start of a window to that of the next; 12 gives three windows an event.
        ends: The first days of validation and of testing.
        crop: As in `SequenceWindows`.
        crop_where: As in `SequenceWindows`.
        size: `(H, W)` to resize frames, or crops of them, to, bilinear; `None` leaves them.
        missing: As in `SequenceWindows`: `"error"` refuses windows with missing pixels, `"mask"` lets them through.
        fill: As in `SequenceWindows`.

    Raises:
        ValueError: If the catalogue or all files of a split are missing, one is damaged, or they do not fit together.
        ImportError: If h5py is not installed.
    """

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        *,
        image_type: ImageType = "vil",
        in_frames: int = 13,
        out_frames: int = 12,
        stride: int = 12,
        ends: tuple[str, str] = ("2019-01-01", "2019-06-01"),
        crop: tuple[int, int] | None = None,
        crop_where: float | None = None,
        size: tuple[int, int] | None = None,
        missing: Literal["error", "mask"] = "error",
        fill: Fill | None = "zero",
    ) -> None:
        check_split(split)
        if image_type not in TYPES:
            raise ValueError(f"image_type must be one of {', '.join(TYPES)}, got {image_type!r}.")
        root = Path(root)
        events = _events(root, image_type, _within(split, ends))
        if not events:
            raise ValueError(
                f"{root} has no events of type {image_type} for '{split}' whose files are there; fetch files of "
                f"data/{image_type}, choose another split, or say where splits end: ends={ends}."
            )
        scaler = TYPES[image_type][2]
        super().__init__(
            events,
            in_frames,
            out_frames,
            stride=stride,
            crop=crop,
            crop_where=crop_where,
            size=size,
            scaler=scaler,
            missing=missing,
            fill=fill,
            variables=(image_type,),
            seconds=300.0,
        )


def vil_kg_m2(codes: np.ndarray) -> np.ndarray:
    """Vertically integrated liquid in kg/m2 of codes from 0 to 254; Veillette et al., NeurIPS 2020, supplement.

    Args:
        codes: Of any shape; NaN stays NaN.

    Returns:
        As many values: 0 up to code 5, linear up to 18, exponential above.
    """
    codes = np.asarray(codes, dtype=np.float64)
    linear, exponential = (codes - 2) / 90.66, np.exp((codes - 38.9) / 83.9)
    return np.where(codes <= 5, 0.0, np.where(codes <= 18, linear, exponential))


@dataclass(frozen=True)
class Event:
    """The series of one event: a row of a file whose last axis is time."""

    file: Path
    image_type: str
    row: int
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, H, W)`."""
        return (FRAMES, *self.size)

    def __getitem__(self, part: Part, /) -> np.ndarray:
        frames, place = place_of(part)
        rows, columns = place or (slice(None), slice(None))
        with reading(self.file, HDF5):
            codes = np.moveaxis(opened_hdf5(self.file)[self.image_type][self.row, rows, columns, frames], -1, 0)
        missing, unit, _ = TYPES[self.image_type]
        return np.where(codes == missing, np.nan, codes * np.float32(unit)).astype(np.float32)


def _within(split: Split, ends: tuple[str, str]) -> Callable[[np.datetime64], bool]:
    """Is a time in a split?"""
    try:
        first, second = (parse_date(end).astype("M8[s]") for end in ends)
    except ValueError as error:
        raise ValueError(f"ends must be two dates such as ('2019-01-01', '2019-06-01'), got {ends!r}.") from error
    if not first < second:
        raise ValueError(f"ends must be two dates, the earlier one first, got {ends!r}.")
    low, high = {"train": (None, first), "validation": (first, second), "test": (second, None)}[split]
    return partial(_between, low, high)


def _between(low: np.datetime64 | None, high: np.datetime64 | None, time: np.datetime64) -> bool:
    return bool((low is None or low <= time) and (high is None or time < high))


def _events(root: Path, image_type: str, wanted: Callable[[np.datetime64], bool]) -> list[Event]:
    """Events in the order of the catalogue."""
    catalogue = root / "CATALOG.csv"
    rows = read_catalogue(catalogue, COLUMNS, "the catalogue", "name the folder that holds CATALOG.csv")
    files: dict[Path, StoredData | None] = {}
    events = []
    for line, row in rows:
        if row["img_type"] != image_type:
            continue
        path, number, time = _entry(row, catalogue, line)
        if not wanted(time):
            continue
        file = root / "data" / path
        if file not in files:
            files[file] = _images(file, image_type) if file.is_file() else None
        if (images := files[file]) is None:
            continue
        if number >= images.shape[0]:
            raise ValueError(f"{catalogue}, line {line}: {path} has {images.shape[0]} events, no row {number}.")
        events.append(Event(file, image_type, number, (images.shape[1], images.shape[2])))
    return events


def _entry(row: dict[str, str], catalogue: Path, line: int) -> tuple[PurePosixPath, int, np.datetime64]:
    """The file of an event, its row there, and its time."""
    path = PurePosixPath(str(row["file_name"]).replace("\\", "/"))
    index = str(row["file_index"])
    if path.is_absolute() or ".." in path.parts or not path.name or not (index.isdecimal() and len(index) < 9):
        raise ValueError(
            f"{catalogue}, line {line}: file_name must be a file in data and file_index a row of it, got "
            f"{row['file_name']!r:.80} and {row['file_index']!r:.20}; fetch it again."
        )
    try:
        return path, int(index), parse_date(row["time_utc"]).astype("M8[s]")
    except ValueError as error:
        raise ValueError(
            f"{catalogue}, line {line}: time_utc must be a time, got {row['time_utc']!r:.40}; fetch it again."
        ) from error


def _images(file: Path, image_type: str) -> StoredData:
    held = open_hdf5(file)
    images = held.get(image_type)
    if images is None or len(images.shape) != 4 or images.shape[3] != FRAMES or images.dtype.kind not in "iu":
        what = f"{images.dtype} {images.shape}" if images else f"only {', '.join(held) or 'nothing'}"
        raise ValueError(f"{file} must hold '{image_type}', integers (N, H, W, {FRAMES}), got {what}; fetch it again.")
    images.check_size()
    return images
