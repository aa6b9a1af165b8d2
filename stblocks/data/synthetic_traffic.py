"""Synthetic traffic: a city that drives to work and home again, and gathers for an event now and then."""

from functools import partial

import numpy as np

from ..borders.checks import check_positive
from .scaler import Scaler
from .taxibj import SECONDS, SLOTS, VARIABLES
from .windows import SequenceWindows, check_size

AFTER = 4  # slots from the peak of arrivals at an event to that of departures
FLOW = Scaler(scale=1000.0, unit="vehicles / 30 min")


class SyntheticTraffic(SequenceWindows):
    r"""Inflow and outflow of the districts of a made city, every 30 min, in [0, 1] to models, as those of `TaxiBJ` are.

    Nothing is stored or downloaded. A city has maps of homes $h$ and of work $w$, sums of Gaussian hot spots drawn from
    `city` alone. Every sample is drawn from `(seed, index)` alone: a day, whose rush hours are early or late, strong or
    weak (two days in seven are a weekend), the slot that it begins at, and an event. With $m$, $e$ and $d$ the courses
    of the morning's rush, the evening's, and of what is between,

    $$\text{in} = (e + d) \, h + (m + d) \, w + a(t) \, v \qquad
    \text{out} = (m + d) \, h + (e + d) \, w + a(t - 4) \, v$$

    where $v$ is the place of the event and $a$ the course of arrivals, who leave 2 h later. Noise is that of counts: it
    grows with the root of the flow.

    Args:
        length: Number of samples; index 0 to `length - 1`.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        size: `(H, W)` of the frames, in districts.
        seed: Another seed, other days: use one for training and one for testing.
        city: Another city.
        spots: Hot spots of the city, homes and work alike.
        noise: Standard deviation of the noise where the flow is 1 to models.

    Raises:
        ValueError: If a count is below 1, or a seed or the noise negative.
    """

    def __init__(
        self,
        length: int,
        in_frames: int = 4,
        out_frames: int = 4,
        *,
        size: tuple[int, int] = (32, 32),
        seed: int = 0,
        city: int = 0,
        spots: int = 12,
        noise: float = 0.03,
    ) -> None:
        check_size(size)
        check_positive(spots=spots)
        if min(seed, city, noise) < 0:
            raise ValueError(f"seed, city and noise must not be negative, got {seed}, {city} and {noise}.")
        homes, work = make_city(city, size, spots)
        make = partial(make_flows, seed=seed, frames=in_frames + out_frames, homes=homes, work=work, noise=noise)
        super().__init__(make, in_frames, out_frames, length=length, scaler=FLOW, variables=VARIABLES, seconds=SECONDS)


def make_city(city: int, size: tuple[int, int], spots: int) -> tuple[np.ndarray, np.ndarray]:
    """Homes and work, `(H, W)` each, at most 1: homes all about, work in the middle of the map."""
    rng = np.random.default_rng(city)
    return _districts(rng, size, spots, 0.35), _districts(rng, size, spots, 0.15)


def make_flows(index: int, *, seed: int, frames: int, homes: np.ndarray, work: np.ndarray, noise: float) -> np.ndarray:
    """One sample, `(frames, 2, H, W)` in vehicles per 30 min: inflow, outflow."""
    rng = np.random.default_rng((seed, index))
    slot = rng.integers(SLOTS) + np.arange(frames)
    weekend, late, strength = rng.uniform() < 2 / 7, rng.normal(0, 0.5), rng.uniform(0.7, 1.0)
    if weekend:
        late, strength = late + 2, strength / 2
    morning = strength * _rush(slot, 8.0 + late, 1.0)
    evening = strength * _rush(slot, 18.0 + late, 1.5)
    between = 0.3 * _rush(slot, 14.5, 4.5)
    begin = rng.uniform(slot[0] - AFTER, slot[-1])
    arrive, leave = (np.exp(-(((slot - peak) / 1.5) ** 2) / 2) for peak in (begin, begin + AFTER))

    places = np.stack([homes, work, 0.8 * _spot(homes.shape, rng.uniform(size=2), 0.06)])
    inflow, outflow = (evening + between, morning + between, arrive), (morning + between, evening + between, leave)
    flows = np.einsum("fpt,phw->tfhw", np.array([inflow, outflow]), places)
    flows += noise * np.sqrt(flows) * rng.standard_normal(flows.shape)
    return FLOW.to_physical(flows.clip(0, 1).astype(np.float32))


def _districts(rng: np.random.Generator, size: tuple[int, int], spots: int, spread: float) -> np.ndarray:
    """A sum of hot spots about the middle of the map."""
    places = rng.normal(0.5, spread, (spots, 2)).clip(0, 1)
    total = sum(rng.uniform(0.3, 1.0) * _spot(size, place, rng.uniform(0.04, 0.12)) for place in places)
    return np.asarray(total / np.max(total))


def _rush(slot: np.ndarray, peak: float, width: float) -> np.ndarray:
    """A bump in the course of the day, which goes round the clock; peak and width in hours."""
    apart = (24 / SLOTS * slot - peak + 12) % 24 - 12
    return np.exp(-((apart / width) ** 2) / 2)


def _spot(size: tuple[int, ...], place: np.ndarray, width: float) -> np.ndarray:
    """A Gaussian hot spot `(H, W)`; its place in parts of the map, its width in parts of the shorter side."""
    y, x = (np.arange(side) - at * (side - 1) for side, at in zip(size, place, strict=True))
    return np.exp(-(y[:, None] ** 2 + x**2) / (2 * (width * min(size)) ** 2))
