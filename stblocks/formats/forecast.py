"""Forecast: frames to write, with their scale, their times and the file that they go on from."""

from dataclasses import dataclass

import numpy as np

from ..data import Scaler
from .continued import continued
from .source import Source


@dataclass(frozen=True)
class Forecast:
    """A forecast in physical units.

    Args:
        values: `(N, C, H, W)`.
        past: The frames that it was made from, `(T, C', H, W)` in physical units.
        scaler: From physical to model units.
        source: The file of the past.
        step: Seconds between frames, if that is known.
        names: Of the channels, if they have some.
    """

    values: np.ndarray
    past: np.ndarray
    scaler: Scaler
    source: Source
    step: float | None = None
    names: tuple[str, ...] = ()

    @property
    def time(self) -> np.ndarray | None:
        """`(N,)`, where those of the past are known."""
        if self.source.time is None or self.step is None:
            return None
        return continued(self.source.time, self.step, len(self.values))

    def unit(self, channel: int) -> str:
        """The unit of a channel."""
        return str(self.scaler.channel(channel).unit)
