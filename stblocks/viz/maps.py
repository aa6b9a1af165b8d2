"""Pictures of what a model weighs."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import numpy as np
from torch import Tensor

from ..data import Scaler
from .paint import colour_map, colour_scale, new_figure, physical, save


def weight_maps(
    maps: Mapping[str, Tensor],
    frames: Tensor,
    path: str | Path,
    scaler: Scaler | None = None,
    *,
    channel: int = 0,
    cmap: str = "turbo",
) -> None:
    """Draw weight maps step by step below the frames that the model was fed, each with colours of its own.

    Args:
        maps: Name to maps `(T, H', W')`, such as those of `stblocks.weight_maps.record_maps`.
        frames: `(T, C, H, W)` in model units: observed, and from where those end forecast.
        path: A PNG file.
        scaler: To the physical units of the frames; `None` shows model units.
        channel: Which one of the frames to show.
        cmap: A colour map of matplotlib.

    Raises:
        ValueError: If there is no map, one is not `(T, H', W')` or not of as many steps as `frames`, or the file cannot
            be written.
    """
    if not maps:
        raise ValueError("maps must hold at least one, got none: there is nothing to draw.")
    fed, _, _, scaler = physical(frames, frames, frames, scaler, channel)
    for name, steps in maps.items():
        if steps.ndim != 3 or len(steps) != len(fed):
            raise ValueError(
                f"maps must be (T, H, W) with as many steps as frames, {len(fed)}; {name!r} is {tuple(steps.shape)}."
            )
    shown = {"fed": fed} | {name: steps.detach().float().cpu().numpy() for name, steps in maps.items()}
    figure, axes = new_figure(len(shown), len(fed), width=1.15, height=1.15)
    for (name, pictures), row in zip(shown.items(), np.array(axes).reshape(len(shown), -1), strict=True):
        scale = colour_scale(pictures)
        for axis, picture in zip(row, pictures, strict=True):
            image = axis.imshow(picture, norm=scale, cmap=colour_map(cmap))
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(fill(name, 24), fontsize=7)
        figure.colorbar(image, ax=row.tolist(), fraction=0.02, pad=0.01).ax.tick_params(labelsize=6)
    for number, axis in enumerate(axes[: len(fed)], start=1):
        axis.set_title(f"step {number}", fontsize=7)
    save(figure, path)
