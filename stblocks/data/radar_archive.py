"""An archive of radar maps in zarr or NetCDF, and a catalogue of the events in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..borders.checks import check_positive
from .catalogue import read_catalogue
from .fill import Fill
from .scaler import Scaler
from .split import Split, check_split
from .times import holes, parse_date
from .weather_extras import Frames
from .weather_files import Grid, open_grid
from .windows import SequenceWindows

COLUMNS = ("start", "end", "split")
#: Units of NumPy, and what of each an end that is in it lasts.
WHOLE: dict[str, np.timedelta64] = {
    "Y": np.timedelta64(1, "Y"),
    "M": np.timedelta64(1, "M"),
    "D": np.timedelta64(1, "D"),
}


class RadarArchive(SequenceWindows):
    """Windows of the events that a catalogue names, out of years of maps `(time, y, x)`; only those asked for are read.

    The archive is a zarr store, a NetCDF file, a folder of NetCDF files, or an `.npz` file, as `WeatherBench` reads
    them. The catalogue is a CSV file with the columns `start`, `end` (both belong to the event) and `split` (`train`,
    `validation` or `test`), others are left alone. An end that is a date alone is all of that day:

        start,end,split,remark
        2019-06-01T08:00,2019-06-01T14:55,train,squall line
        2019-07-10,2019-07-11,test,two days

    Events of different splits must not overlap. No window reaches from one event into another, nor over a hole: where
    the next map comes later than half as late again as is usual in the archive.

    Args:
        path: The archive.
        events: The catalogue.
        split: The part to read.
        variable: The name of the maps in the archive.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        stride: Frames from the start of a window to that of the next.
        axes: Names of the axes, where they are not known by themselves, such as `{"lat": "north", "lon": "east"}`.
        crop: As in `SequenceWindows`.
        crop_where: As in `SequenceWindows`.
        size: `(H, W)` to resize frames, or crops of them, to, bilinear; `None` leaves them.
        scaler: From physical to model units, such as `Scaler(-10, 70, "dBZ")`.
        missing: As in `SequenceWindows`.
        fill: As in `SequenceWindows`.

    Raises:
        ValueError: If a file or variable is not there, the catalogue is of another form, the archive has several levels
            or a calendar without the dates of the catalogue (`noleap`, `360_day`), or no event has a window.
        ImportError: If xarray is not installed, for archives other than `.npz`.
    """

    def __init__(
        self,
        path: str | Path,
        events: str | Path,
        split: Split = "train",
        *,
        variable: str,
        in_frames: int,
        out_frames: int,
        stride: int = 1,
        axes: dict[str, str] | None = None,
        crop: tuple[int, int] | None = None,
        crop_where: float | None = None,
        size: tuple[int, int] | None = None,
        scaler: Scaler = Scaler(),  # noqa: B008  (frozen)
        missing: Literal["error", "mask"] = "error",
        fill: Fill | None = "zero",
    ) -> None:
        check_split(split)
        check_positive(in_frames=in_frames, out_frames=out_frames)
        chosen = [event for event in read_events(Path(events)) if event.split == split]
        if not chosen:
            raise ValueError(f"{events} has no event for '{split}'; name another split, or add events.")
        grid = open_grid(Path(path), variable, axes)
        if grid.days_a_year is not None:
            raise ValueError(
                f"{path} must have the calendar of the catalogue, got one whose years all have {grid.days_a_year} "
                f"days; convert its times, or read it with WeatherBench."
            )
        frames = in_frames + out_frames
        runs = [run for event in chosen for run in _runs(grid, event)]
        series = [Frames(grid, run) for run in runs if len(run) >= frames]
        if not series:
            raise ValueError(
                f"No event for '{split}' in {events} has {frames} maps without a hole in {path}, at most "
                f"{max(map(len, runs), default=0)}; the archive is from {grid.time[0]} to {grid.time[-1]}: name events "
                f"in this time, or take fewer frames."
            )
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
            variables=(variable,),
            seconds=float(np.median(np.diff(grid.time).astype(np.int64))),
        )


@dataclass(frozen=True)
class Period:
    """An event: its first and last moment, and what it is for."""

    start: np.datetime64
    end: np.datetime64
    split: str


def read_events(path: Path) -> list[Period]:
    """The events of a catalogue.

    Raises:
        ValueError: If it is no CSV file with these columns, an entry is no time or no split, or a moment belongs to
            events of two splits.
    """
    way_out = "name a CSV file with the columns start, end and split"
    rows = read_catalogue(path, COLUMNS, "a catalogue of events", way_out)
    events = [_period(row, path, line) for line, row in rows]
    _check_apart(events, path)
    return events


def _period(row: dict[str, str], path: Path, line: int) -> Period:
    try:
        start, end = (parse_date(row[name]) for name in ("start", "end"))
        if (whole := WHOLE.get(np.datetime_data(end.dtype)[0])) is not None:
            end = (end + whole).astype("M8[s]") - np.timedelta64(1, "s")
        start, end = start.astype("M8[s]"), end.astype("M8[s]")
    except ValueError as error:
        raise ValueError(
            f"{path}, line {line}: start and end must be times such as 2019-06-01T08:00 or 2019-06-01, got "
            f"{row['start']!r:.40} and {row['end']!r:.40}."
        ) from error
    split = str(row["split"]).strip()
    if not start <= end or split not in ("train", "validation", "test"):
        raise ValueError(
            f"{path}, line {line}: an event must start before it ends, and be for train, validation or test, got "
            f"{start} to {end} for {split!r:.40}."
        )
    return Period(start, end, split)


def _check_apart(events: list[Period], path: Path) -> None:
    """No map is in two splits: what is trained on is not tested on."""
    latest: dict[str, Period] = {}
    for event in sorted(events, key=lambda event: event.start):
        for other in latest.values():
            if other.split != event.split and event.start <= other.end:
                raise ValueError(
                    f"{path} has an event for {event.split!r} from {event.start} on, which an event for "
                    f"{other.split!r} from {other.start} reaches up to {other.end}; let one end before the other."
                )
        if event.split not in latest or latest[event.split].end < event.end:
            latest[event.split] = event


def _runs(grid: Grid, event: Period) -> list[np.ndarray]:
    """The indices of an event's maps, in parts without a hole."""
    first, last = np.searchsorted(grid.time, [event.start, event.end + np.timedelta64(1, "s")])
    breaks = holes(grid.time)
    inside = breaks[(breaks > first) & (breaks < last)]
    return [run for run in np.split(np.arange(first, last), inside - first) if run.size]
