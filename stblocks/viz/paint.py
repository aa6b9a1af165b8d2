"""What all pictures share: figures, colours, physical units."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from torch import Tensor

from ..borders.checks import did_you_mean
from ..borders.files import write_atomically
from ..data import Scaler

MISSING = "0.6"  #: grey of missing cells


def check_ending(path: str | Path, ending: str) -> None:
    """Raise a `ValueError` if a picture would get the name of something else."""
    if Path(path).suffix.lower() != ending:
        raise ValueError(f"path must end in {ending}, got {path}.")


def physical(
    past: Tensor, future: Tensor, prediction: Tensor, scaler: Scaler | None, channel: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Scaler]:
    """The frames of one channel, `(T, H, W)` each, in physical units."""
    if past.ndim != 4 or future.shape != prediction.shape or past.shape[2:] != future.shape[2:]:
        raise ValueError(
            f"past, future and prediction must be (T, C, H, W), (horizon, C, H, W) and the same, of one sample; "
            f"got {tuple(past.shape)}, {tuple(future.shape)} and {tuple(prediction.shape)}."
        )
    shared = min(past.shape[1], future.shape[1])
    if not 0 <= channel < shared:
        raise ValueError(f"channel must be from 0 to {shared - 1}, got {channel}.")
    scaler = (scaler or Scaler()).channel(channel)
    seen, truth, forecast = (
        scaler.to_physical(frames[:, channel].detach().float().cpu()).numpy() for frames in (past, future, prediction)
    )
    return seen, truth, forecast, scaler


def colour_scale(*frames: np.ndarray) -> Normalize:
    """One scale of colours for all, from 0 to 1 where every cell is missing."""
    values = np.concatenate([each[~np.isnan(each)] for each in frames])
    return Normalize(float(values.min()), float(values.max())) if values.size else Normalize(0, 1)


def colour_map(name: str) -> Colormap:
    """A colour map of matplotlib, missing cells grey.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in colormaps:
        raise ValueError(f"cmap must be a colour map of matplotlib, got {name!r}; {did_you_mean(name, colormaps)}")
    return colormaps[name].with_extremes(bad=MISSING)


def new_figure(rows: int, columns: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure and its axes, row by row; sizes are those of one, in inches."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG.

    Raises:
        ValueError: If the path ends otherwise, or the file cannot be written.
    """
    check_ending(path, ".png")
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=110))
