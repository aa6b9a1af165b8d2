"""Synthetic rain: cells that drift with a common wind, turn, grow and decay, under a little noise."""

from functools import partial

import numpy as np

from ..borders.checks import check_positive
from .cikm import CIKM_DBZ
from .windows import SequenceWindows, check_size

SIDE = 64  # lengths below are in pixels of a map with this shorter side, times in frames
FLOOR = CIKM_DBZ.offset  # dBZ, no echo


class SyntheticRadar(SequenceWindows):
    r"""Sequences of made rain, in dBZ and, to models, in the units of `CIKM2017`. Nothing is stored or downloaded.

    Every sample is drawn from `(seed, index)` alone: a wind, and elliptic cells that it carries. Cell i has a drift of
    its own, turns, and goes through one life of growth and decay. With $Q_i$ the quadratic form of its turned ellipse
    and $a_i$ its age over its life time, the reflectivity at x is

    $$Z(x, t) = \sum_i 10^{P_i(t) / 10} \, e^{-Q_i(x - x_i(t), t) / 2} \qquad P_i(t) \propto \sqrt{\sin(\pi a_i(t))}$$
    $$\text{dBZ}(x, t) = 10 \log_{10} Z + \text{texture}(x - v t) + \text{noise} \cdot \varepsilon(x, t)$$

    with a texture of a few waves that the wind carries too; noise in dB is a factor (speckle) on Z.

    Args:
        length: Number of samples; index 0 to `length - 1`.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        size: `(H, W)` of the frames; sizes and speeds of cells grow with the shorter side.
        seed: Another seed, other rain: use one for training and one for testing.
        cells: Cells in a sample, alive at some time in or near the map.
        noise: Standard deviation of the speckle, in dB.

    Raises:
        ValueError: If a count is below 1, or the noise negative.
    """

    def __init__(
        self,
        length: int,
        in_frames: int = 5,
        out_frames: int = 10,
        *,
        size: tuple[int, int] = (64, 64),
        seed: int = 0,
        cells: int = 20,
        noise: float = 1.0,
    ) -> None:
        check_size(size)
        check_positive(cells=cells)
        if seed < 0 or noise < 0:
            raise ValueError(f"seed and noise must not be negative, got seed={seed}, noise={noise}.")
        rain = partial(make_rain, seed=seed, frames=in_frames + out_frames, size=size, cells=cells, noise=noise)
        super().__init__(rain, in_frames, out_frames, length=length, scaler=CIKM_DBZ, variables=("reflectivity",))


def make_rain(index: int, *, seed: int, frames: int, size: tuple[int, int], cells: int, noise: float) -> np.ndarray:
    """One sample, `(frames, 1, H, W)` in dBZ."""
    rng = np.random.default_rng((seed, index))
    unit = min(size) / SIDE
    wind = unit * rng.uniform(0.5, 2.0) * _direction(rng.uniform(0, 2 * np.pi))
    dbz = _cells(rng, frames, size, cells, wind) + _texture(rng, frames, size, wind)
    dbz += noise * rng.standard_normal(dbz.shape, dtype=np.float32)
    return dbz[:, None].clip(FLOOR)


def _cells(rng: np.random.Generator, frames: int, size: tuple[int, int], cells: int, wind: np.ndarray) -> np.ndarray:
    """The reflectivity of all cells, `(T, H, W)` in dBZ."""
    unit = min(size) / SIDE
    t = np.arange(frames)[:, None]  # what follows is (T, cells), or (cells,)
    position = rng.uniform(-0.15, 1.15, (cells, 2)) * size  # half way through
    speed = wind + unit * rng.normal(0, 0.2, (cells, 2))
    y, x = np.moveaxis(position + speed * (t - frames / 2)[..., None], -1, 0)
    cos, sin = _direction(rng.uniform(0, np.pi, cells) + rng.normal(0, 0.05, cells) * t)
    long = unit * rng.uniform(2.5, 8, cells)
    short = long * rng.uniform(0.3, 0.8, cells)
    life = frames * rng.uniform(1.0, 2.5, cells)
    birth = rng.uniform(-0.8 * life, 0.3 * frames)  # few are born after the frames that a forecast has seen
    growth = np.sin(np.pi * ((t - birth) / life).clip(0, 1)) ** 0.5
    peak = FLOOR + (rng.uniform(15, 45, cells) - FLOOR) * growth

    # Q = yy dy^2 + 2 xy dy dx + xx dx^2, and log Z = log(10) P / 10 - Q / 2 as the product of (H, 3) and (3, W).
    yy = (cos / long) ** 2 + (sin / short) ** 2
    xx = (sin / long) ** 2 + (cos / short) ** 2
    xy = cos * sin * (long**-2 - short**-2)
    dy, dx = np.arange(size[0]) - y[..., None], np.arange(size[1]) - x[..., None]
    rows = np.stack([-(dy**2) / 2, -dy, np.ones_like(dy)], axis=-1)
    columns = np.stack(
        [
            np.broadcast_to(yy[..., None], dx.shape),
            xy[..., None] * dx,
            np.log(10) / 10 * peak[..., None] - xx[..., None] * dx**2 / 2,
        ],
        axis=-2,
    )
    log_z = rows.astype(np.float32) @ columns.astype(np.float32)  # (T, cells, H, W)
    return 10 * np.log10(np.exp(log_z, out=log_z).sum(axis=1) + 1e-3)


def _texture(rng: np.random.Generator, frames: int, size: tuple[int, int], wind: np.ndarray) -> np.ndarray:
    """A sum of waves that the wind carries, `(T, H, W)` in dB, with a standard deviation of 4.5 dB."""
    waves, unit = 24, min(size) / SIDE
    number = 2 * np.pi / (unit * np.exp(rng.uniform(np.log(5), np.log(40), waves)))
    amplitude = number**-0.6
    amplitude *= 4.5 / np.sqrt(np.sum(amplitude**2) / 2)
    ky, kx = number * _direction(rng.uniform(0, 2 * np.pi, waves))
    shift = wind * np.arange(frames)[:, None]  # (T, 2)
    y = (np.arange(size[0]) - shift[:, :1])[..., None] * ky + rng.uniform(0, 2 * np.pi, waves)  # (T, H, waves)
    x = (np.arange(size[1]) - shift[:, 1:])[..., None] * kx  # (T, W, waves)
    # cos(y + x) = cos y cos x - sin y sin x, summed over the waves by a matrix product.
    y, x = y.astype(np.float32), x.astype(np.float32)
    rows = np.concatenate([np.cos(y), np.sin(y)], axis=-1) * np.tile(amplitude, 2).astype(np.float32)
    columns = np.concatenate([np.cos(x), -np.sin(x)], axis=-1)
    return rows @ columns.swapaxes(1, 2)


def _direction(angle: float | np.ndarray) -> np.ndarray:
    """Cosine and sine: the unit vector(s) `(y, x)`."""
    return np.stack([np.cos(angle), np.sin(angle)])
