"""Channels that weather models may see beside the weather: the time, the place, and what is usual there and then."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .scaler import BLOCK
from .series import Part, place_of
from .weather_files import Grid

EXTRAS = ("hour", "day", "position", "climatology", "climatology_ahead")


@dataclass(frozen=True)
class Extra:
    """Maps that follow from the time alone.

    Args:
        make: Times `(T,)` to maps `(T, channels, H, W)`.
        channels: How many.
        like_variables: Are they in the units of the variables, one for each? Else they are in model units.
    """

    make: Callable[[np.ndarray], np.ndarray]
    channels: int
    like_variables: bool = False


@dataclass(frozen=True)
class Frames:
    """A series of frames of a grid: its variables, then the extra channels.

    Args:
        grid: What is read.
        frames: Indices of its times, ascending.
        extras: What is put below.
    """

    grid: Grid
    frames: np.ndarray
    extras: tuple[Extra, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, C, H, W)`."""
        channels = len(self.grid.channels) + sum(extra.channels for extra in self.extras)
        return (len(self.frames), channels, len(self.grid.lat), len(self.grid.lon))

    def __getitem__(self, part: Part, /) -> np.ndarray:
        frames, place = place_of(part)
        chosen = self.frames[frames]
        maps = [extra.make(self.grid.time[chosen])[(..., *place)] for extra in self.extras]
        return np.concatenate([self.grid.read(chosen, *place), *maps], axis=1)


def make_extra(name: str, train: Frames, ahead: np.timedelta64) -> Extra:
    """One of `EXTRAS`.

    Args:
        name: Its name.
        train: The frames of the train split, which all that is learnt from data is learnt from.
        ahead: From a frame to the time that `climatology_ahead` is for.

    Raises:
        ValueError: If there is none of this name.
    """
    grid = train.grid
    if name in ("hour", "day"):
        shape = (len(grid.lat), len(grid.lon))
        days = 1 if name == "hour" else grid.days_a_year
        return Extra(partial(cycle, days=days, shape=shape), 2)
    if name == "position":
        if not grid.degrees:
            raise ValueError("extras can have 'position' where maps are on lat and lon; leave it out.")
        return Extra(partial(repeat, maps=position(grid)), 3)
    if name in ("climatology", "climatology_ahead"):
        shift = ahead if name == "climatology_ahead" else np.timedelta64(0, "h")
        return Extra(partial(usual, means=climatology(train), shift=shift), len(grid.channels), like_variables=True)
    raise ValueError(f"extras must be among {', '.join(EXTRAS)}, got '{name}'.")


def cycle(time: np.ndarray, days: int | None, shape: tuple[int, int]) -> np.ndarray:
    """Sine and cosine of the part that has passed of a period of so many days, or of the year: `(T, 2, H, W)`."""
    if days is None:
        start = time.astype("M8[Y]")
        passed = (time - start) / ((start + np.timedelta64(1, "Y")).astype("M8[s]") - start.astype("M8[s]"))
    else:
        passed = time.astype("M8[s]").astype(np.int64) / (86400 * days) % 1
    angle = 2 * np.pi * passed
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
    return np.broadcast_to(waves[..., None, None], (*waves.shape, *shape))


def position(grid: Grid) -> np.ndarray:
    """Sine of latitude, sine and cosine of longitude, each of mean 0 and deviation 1 over the grid: `(3, H, W)`."""
    lat, lon = np.meshgrid(np.deg2rad(grid.lat), np.deg2rad(grid.lon), indexing="ij")
    maps = np.stack([np.sin(lat), np.sin(lon), np.cos(lon)])
    maps -= maps.mean(axis=(1, 2), keepdims=True)
    deviation = maps.std(axis=(1, 2), keepdims=True)
    return (maps / np.where(deviation > 1e-9, deviation, 1)).astype(np.float32)  # one row of a grid has no spread


def repeat(time: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The same maps at all times, `(T, n, H, W)`."""
    return np.broadcast_to(maps, (len(time), *maps.shape))


def usual(time: np.ndarray, means: np.ndarray, shift: np.timedelta64) -> np.ndarray:
    """What is usual at the hour of the day, some time later: `(T, C, H, W)`."""
    return means[hour_of_day(time + shift)]


def climatology(train: Frames) -> np.ndarray:
    """The mean of each variable, hour of day and grid point, `(24, C, H, W)`; NaN where there was nothing."""
    total, count = np.zeros((2, 24, *train.shape[1:]))
    for start in range(0, len(train.frames), BLOCK):
        frames, hours = train[start : start + BLOCK], hour_of_day(train.grid.time[train.frames[start : start + BLOCK]])
        for hour in np.unique(hours):
            total[hour] += np.nansum(frames[hours == hour], axis=0, dtype=np.float64)
            count[hour] += (~np.isnan(frames[hours == hour])).sum(axis=0)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def hour_of_day(time: np.ndarray) -> np.ndarray:
    """0 to 23, in UTC."""
    return (time.astype("M8[h]") - time.astype("M8[D]")).astype(int)
