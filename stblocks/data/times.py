"""Stamps of time: on a regular step, up to small errors and an offset, and where they leave a hole."""

import re
from collections.abc import Iterable

import numpy as np

NEAR = 0.1  # of the time between maps: stamps that are off by less are rounded
STAMP = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"  # a date
    r"(?:[-_. T]?([01]\d|2[0-3])(?:[-_.:h]?([0-5]\d)(?:[-_.:m]?([0-5]\d))?)?)?(?!\d)"  # and a time, or a part of one
)


def parse_date(text: object) -> np.datetime64:
    """A text such as 2019-06-01T08:00, 2019-06-01 08:00 or 2019-06, to the precision that it has.

    Raises:
        ValueError: If it is none. NumPy would take 20190601 for a year, and knows "now".
    """
    written = str(text).strip().replace(" ", "T")
    if not re.match(r"\d{4}(-|$)", written):
        raise ValueError(f"a date must be such as 2019-06-01T08:00, got {written!r:.40}")
    return np.datetime64(written)


def to_seconds(time: np.ndarray) -> np.ndarray:
    """Dates of any precision, rounded to seconds."""
    return (time.astype("M8[us]") + np.timedelta64(500_000, "us")).astype("M8[s]")


def on_step(time: np.ndarray, hours: int) -> tuple[np.ndarray, np.ndarray]:
    """Stamps rounded to where they should be, and which of them are on the step.

    Maps are as far apart as a whole part of the step says, and all at one offset: hourly means may be stamped at half
    past. The step counts from midnight, plus the offset.

    Args:
        time: `(T,)` in seconds, ascending.
        hours: The step.
    """
    seconds, step = time.astype(np.int64), 3600 * hours
    apart = np.median(np.diff(seconds)) if len(seconds) > 1 else step
    spacing = step // max(1, round(step / apart))
    off = (seconds - seconds[0] + spacing // 2) % spacing - spacing // 2  # of each from the first, about 0
    offset = round((int(seconds[0]) % spacing + float(np.median(off))) / 60) * 60 % spacing  # to the minute
    offset -= spacing if offset > spacing / 2 else 0  # five to six is six
    rounded = offset + np.rint((seconds - offset) / spacing).astype(np.int64) * spacing
    near = np.abs(seconds - rounded) <= NEAR * spacing
    return np.where(near, rounded, seconds).astype("M8[s]"), near & ((rounded - offset) % step == 0)


def check_ascending(time: np.ndarray, source: str) -> None:
    """Raise a `ValueError` that names the first date, of NumPy or cftime, that does not come after the one before."""
    if (wrong := np.flatnonzero(seconds_between(time) <= 0)).size:
        first = int(wrong[0])
        problem = "is there twice" if time[first] == time[first + 1] else f"is followed by {time[first + 1]}"
        raise ValueError(
            f"The time of {source} must ascend, each once, but {time[first]} {problem} (maps {first} and {first + 1}); "
            f"sort its maps and indices by time, and keep one of two."
        )


def stamps(names: list[str]) -> np.ndarray | None:
    """The times in the names of files, in seconds; `None` unless all have one, to the same precision, each another."""
    found = [STAMP.search(name) for name in names]
    if not all(found):
        return None
    parts = [[part for part in (each[1], each[3], each[4], *each.groups()[4:]) if part] for each in found if each]
    try:
        times = np.array(["-".join(p[:3]) + "T"[: len(p) > 3] + ":".join(p[3:]) for p in parts], dtype="M8[s]")
    except ValueError:  # such as 30 February: these are no dates
        return None
    same = len({len(part) for part in parts}) == 1 and len(np.unique(times)) == len(times)
    return times if same else None


def usual_step(series: Iterable[list[str]]) -> float | None:
    """Seconds from one to the next of the times in names, in most places of each series; `None` unless all agree."""
    found = set()
    for names in series:
        time = stamps(names)
        found.add(None if time is None or len(time) < 2 else float(np.median(np.diff(np.sort(time)).astype(np.int64))))
    return found.pop() if len(found) == 1 else None


def seconds_between(time: np.ndarray) -> np.ndarray:
    """`(T - 1,)` seconds from each of `(T,)` dates, of NumPy or cftime, to the next."""
    if time.dtype.kind == "M":
        return np.asarray(np.diff(time.astype("M8[us]")) / np.timedelta64(1, "s"))
    return np.array([each.total_seconds() for each in np.diff(time)])


def holes(time: np.ndarray) -> np.ndarray:
    """The indices after a hole: dates that come later than half as late again as they usually do."""
    apart = seconds_between(time)
    return np.flatnonzero(apart > 1.5 * np.median(apart)) + 1 if apart.size else np.empty(0, int)
