"""Made weather: a file to try weather models on without a download."""

from pathlib import Path
from typing import Any

import numpy as np

from ..borders.files import write_atomically

#: First hour of the made weather.
START = np.datetime64("2001-03-01T00", "h")
#: Share of the hours that are for testing, the last.
TESTED = 0.25


def write_synthetic_weather(
    path: str | Path, *, days: int = 16, size: tuple[int, int] = (24, 32), seed: int = 0
) -> None:
    """Write hourly 2 m temperature of no real place, as an `.npz` file that `WeatherBench` reads.

    Land, in the west, is warmer by day and colder by night than the sea; warm and cold air drifts east over both, ten
    hours from border to border. Kelvin; the last quarter of the hours is the test part.

    Args:
        path: The file.
        days: How many.
        size: `(H, W)` of the grid.
        seed: Of the drifting air.

    Raises:
        ValueError: If there are less than 4 days, of which the test part is one, or the grid is smaller than 2 x 2.
    """
    if days < 4 or min(size) < 2:
        raise ValueError(f"days must be at least 4 and size at least (2, 2), got {days} and {size}.")
    generator = np.random.default_rng(seed)
    hours, (height, width) = np.arange(24 * days), size
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)
    land = 1 / (1 + np.exp(12 * (columns - 0.5 + 0.2 * np.sin(6 * rows))))
    day = np.sin(2 * np.pi * (hours - 9) / 24)[:, None, None] * (0.5 + 3 * land)
    air = np.zeros((len(hours), height, width))
    for wave in range(1, 5):
        phase, tilt = generator.uniform(0, 2 * np.pi, 2)
        course = 2 * np.pi * wave * (columns - hours[:, None, None] / 10 / wave) + 3 * rows * np.cos(tilt) + phase
        drift = np.cumsum(generator.normal(0, 0.3, len(hours)))[:, None, None]
        air += 2 / wave * np.sin(course / 2 + drift)
    kelvin = 278 + 6 * rows + day + air
    first = int(len(hours) * (1 - TESTED))
    arrays: dict[str, Any] = {
        "t2m": kelvin.astype(np.float32),
        "time": START + hours,
        "lat": np.linspace(58, 50, height),
        "lon": np.linspace(-10, 2, width),
        "train_index": hours[:first],
        "test_index": hours[first:],
    }
    write_atomically(Path(path), lambda file: np.savez_compressed(file, **arrays))
