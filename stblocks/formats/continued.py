"""The times of frames that are forecast."""

from datetime import timedelta
from typing import Any

import numpy as np

from ..data.times import seconds_between

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


def continued(last: Any, step: float, horizon: int) -> np.ndarray:
    """The times of the frames after one, every `step` seconds: dates of the same kind."""
    if isinstance(last, np.datetime64):
        steps = np.round(np.arange(1, horizon + 1) * step * 1e6).astype("m8[us]")
        return np.asarray((last.astype("M8[us]") + steps).astype("M8[ns]"))  # what every xarray takes as it is
    return np.array([last + timedelta(seconds=step * lead) for lead in range(1, horizon + 1)], dtype=object)


def as_text(time: Any) -> str:
    """A date, of NumPy or cftime, to the second."""
    return str(time.astype("M8[s]")) if isinstance(time, np.datetime64) else str(time)
