"""The times of frames that are forecast."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from ..data.times import seconds_between

#: How far from 1970 nanoseconds reach, which every xarray takes: from 1677 to 2262.
EPOCH, REACH = np.datetime64(0, "us"), np.timedelta64(2**63 // 1000, "us")
TOLERANCE = 0.5  # of the usual distance: frames that are further apart leave a hole


def seconds_apart(time: np.ndarray) -> float | None:
    """Seconds from one frame to the next, the median; `None` for a single frame.

    Raises:
        ValueError: If there is a hole between the frames, or two are at one time.
    """
    if len(time) < 2:
        return None
    apart = seconds_between(time)
    usual = float(np.median(apart))
    wrong = np.flatnonzero(~(np.abs(apart - usual) <= TOLERANCE * usual) | (apart <= 0))
    if wrong.size:
        first = int(wrong[0])
        raise ValueError(
            f"Frames must follow each other evenly, but {as_text(time[first + 1])} comes {apart[first]:g} s after "
            f"{as_text(time[first])}, where {usual:g} s are usual; take the frames after it alone: "
            f"--last {len(time) - 1 - int(wrong[-1])}."
        )
    return usual


def continued(time: np.ndarray, step: float, horizon: int) -> np.ndarray:
    """The times of the frames after others: dates of the same kind.

    Args:
        time: `(T,)` of the frames before.
        step: Seconds from one frame to the next, for frames that are not a number of calendar months apart.
        horizon: How many.
    """
    leads = np.arange(1, horizon + 1)
    if time.dtype.kind != "M":
        later = _in_months(time, leads) or [time[-1] + timedelta(seconds=step * lead) for lead in leads.tolist()]
        return np.array(later, dtype=object)
    exact = time.astype("M8[us]")
    later = _in_months(exact.astype(object), leads) or exact[-1] + np.round(leads * step * 1e6).astype("m8[us]")
    times = np.array(later, dtype="M8[us]")
    return times.astype("M8[ns]") if (abs(times - EPOCH) < REACH).all() else times


def _in_months(dates: np.ndarray, leads: np.ndarray) -> list[Any] | None:
    """Dates that go on by as many calendar months as lie between those before.

    Each of those is on the same day of its month, one that every month has, or on the last, and at the same time of
    day. `None` if that is not so, or these are no dates that Python knows, such as those of the year 20000.
    """
    if not all(hasattr(date, "year") for date in dates):
        return None
    months = [12 * date.year + date.month - 1 for date in dates]
    apart = {later - earlier for earlier, later in pairwise(months)}
    if len(apart) != 1 or apart == {0}:
        return None
    for later in (0, 1):  # from the start of the month, and from that of the next
        moments = {date - _start_of_month(date, month + later) for date, month in zip(dates, months, strict=True)}
        if len(moments) == 1 and timedelta(-1) <= (moment := moments.pop()) < timedelta(28):
            return [_start_of_month(dates[-1], month + later) + moment for month in months[-1] + leads * apart.pop()]
    return None


def _start_of_month(like: Any, month: int) -> Any:
    """Midnight of the first of a month, counted from that of year 0, in the calendar of a date."""
    first = like.replace(year=int(month // 12), month=int(month % 12 + 1), day=1)
    return first.replace(hour=0, minute=0, second=0, microsecond=0)


def as_text(time: Any) -> str:
    """A date, of NumPy or cftime, to the second."""
    return str(time.astype("M8[s]")) if isinstance(time, np.datetime64) else str(time)
