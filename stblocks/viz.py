"""Pictures of runs and forecasts. Needs the extra `train`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from .data import Scaler
from .files import write_atomically

if TYPE_CHECKING:  # training draws pictures
    from .train import Leaderboard, Table

MISSING = "0.6"  #: grey of missing cells
SMOOTHING = 50  #: steps that the training loss is averaged over, at most


def loss_curve(records: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Draw the training loss by step, and the validation MSE of model and persistence beside it.

    Args:
        records: Lines of `metrics.jsonl`.
        path: A PNG file.

    Raises:
        ValueError: If no record has a loss, or the file cannot be written.
    """
    trained = [(record["step"], record["loss"]) for record in records if "loss" in record]
    if not trained:
        raise ValueError("records must hold at least one with a loss, got none; draw a run after its first step.")
    figure, (left, right) = _figure(1, 2, width=4.5, height=3.2)
    steps, losses = np.array(trained, dtype=float).T
    window = max(1, min(SMOOTHING, len(losses) // 10))
    left.plot(steps, losses, color="0.8", linewidth=0.8)
    left.plot(steps[window - 1 :], np.convolve(losses, np.ones(window) / window, mode="valid"))
    left.set(xlabel="step", title="training loss", yscale="log")
    for name in ("model", "persistence"):
        points = [(record["step"], record[name]["mse@pixel"]) for record in records if name in record]
        if points:
            right.plot(*zip(*points, strict=True), marker=".", label=name)
            right.legend()
    right.set(xlabel="step", title="validation mse@pixel", yscale="log")
    _save(figure, path)


def skill_by_lead_time(
    tables: "Sequence[Table]", path: str | Path, metrics: Sequence[str] | None = None, minutes: float | None = None
) -> None:
    """Draw each metric by lead time, a line for each forecast.

    Args:
        tables: Scores, such as those of `evaluate(...).values()`.
        path: A PNG file.
        metrics: Which; by default all.
        minutes: Between frames, to label lead times in minutes; by default they are labelled in frames.

    Raises:
        ValueError: If a metric is not in a table, or the file cannot be written.
    """
    if not tables or (metrics is not None and not metrics):
        raise ValueError("tables and metrics must not be empty: there is nothing to draw.")
    names = list(tables[0].pooled if metrics is None else metrics)
    if unknown := [name for name in names for table in tables if name not in table.pooled]:
        raise ValueError(
            f"metrics must be in every table, got {unknown[0]!r}; there are {', '.join(tables[0].pooled)}."
        )
    columns = min(4, len(names))
    figure, axes = _figure(-(-len(names) // columns), columns, width=3.2, height=2.6)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for name, axis in zip(names, axes, strict=False):
        for table in tables:
            lead = np.arange(1, len(table.lead) + 1) * (minutes or 1)
            axis.plot(lead, [scores[name] for scores in table.lead], marker=".", label=table.name)
        axis.set(title=name, xlabel="lead time (frames)" if minutes is None else "lead time (min)")
    axes[0].legend()
    _save(figure, path)


def leaderboard_bars(board: "Leaderboard", path: str | Path) -> None:
    """Draw the scores of all models, a panel for each metric, a bar for each model, with the spread over seeds.

    Args:
        board: With at least one model.
        path: A PNG file.

    Raises:
        ValueError: If the board is empty, or the file cannot be written.
    """
    if not board.entries:
        raise ValueError("board must hold at least one model, got none; draw it after the first.")
    names = [entry.name for entry in board.entries]
    bases = list(dict.fromkeys(entry.base for entry in board.entries))
    colours = [f"C{bases.index(entry.base)}" for entry in board.entries]
    figure, axes = _figure(1, len(board.metrics), width=3.2, height=1 + 0.25 * len(names))
    for axis, metric in zip(axes, board.metrics, strict=True):
        means = [entry.mean(metric) for entry in board.entries]
        spreads = [float(np.std(entry.scores[metric])) for entry in board.entries]
        axis.barh(names, means, xerr=spreads, color=colours)
        axis.set(title=metric, xlim=_limits(means, spreads))
        axis.invert_yaxis()
        axis.label_outer()
    _save(figure, path)


def _limits(means: Sequence[float], spreads: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis on which the bars differ: from a little below the lowest."""
    low = min(mean - spread for mean, spread in zip(means, spreads, strict=True))
    high = max(mean + spread for mean, spread in zip(means, spreads, strict=True))
    room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return low - 2 * room, high + room


def forecast_strip(
    past: Tensor,
    future: Tensor,
    prediction: Tensor,
    path: str | Path,
    scaler: Scaler | None = None,
    *,
    channel: int = 0,
    cmap: str = "turbo",
) -> None:
    """Draw one forecast frame by frame: what was observed, what came, what was forecast, and the error.

    Args:
        past: `(T, C, H, W)` in model units.
        future: `(horizon, C, H, W)`, NaN where missing.
        prediction: As `future`.
        path: A PNG file.
        scaler: To the physical units of the colour bars; `None` shows model units.
        channel: Which one to show.
        cmap: A colour map of matplotlib.

    Raises:
        ValueError: If shapes do not fit each other, or the file cannot be written.
    """
    seen, truth, forecast, scaler = _physical(past, future, prediction, scaler, channel)
    columns = max(len(seen), len(truth))
    figure, axes = _figure(4, columns, width=1.15, height=1.15)
    rows = np.array(axes).reshape(4, columns)
    span = _span(seen, truth)
    error = forecast - truth
    reach = float(np.nanmax(np.abs(error), initial=0)) or 1.0
    shown = (
        ("observed", seen, cmap, span),
        ("true", truth, cmap, span),
        ("forecast", forecast, cmap, span),
        ("error", error, "RdBu_r", Normalize(-reach, reach)),
    )
    for row, (name, frames, colours, scale) in zip(rows, shown, strict=True):
        start = 1 - len(seen) if name == "observed" else 1
        for axis in row[len(frames) :]:
            axis.set_axis_off()
        for number, (axis, frame) in enumerate(zip(row, frames, strict=False), start):
            image = axis.imshow(frame, norm=scale, cmap=_map(colours))
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{number:+d}" if number else "now", fontsize=7)
        row[0].set_ylabel(name)
        if name in ("true", "error"):
            target = rows[:3].ravel().tolist() if name == "true" else row.tolist()
            figure.colorbar(image, ax=target, fraction=0.02, pad=0.01).set_label(scaler.unit)
    _save(figure, path)


def forecast_gif(
    past: Tensor,
    future: Tensor,
    prediction: Tensor,
    path: str | Path,
    scaler: Scaler | None = None,
    *,
    channel: int = 0,
    cmap: str = "turbo",
    milliseconds: int = 250,
    side: int = 256,
) -> None:
    """Animate one forecast: the truth on the left, on the right the observed frames and then the forecast.

    Args:
        past: `(T, C, H, W)` in model units.
        future: `(horizon, C, H, W)`, NaN where missing.
        prediction: As `future`.
        path: A GIF file.
        scaler: To physical units, between which colours are spread; `None` takes model units.
        channel: Which one to show.
        cmap: A colour map of matplotlib.
        milliseconds: Per frame.
        side: Pixels of the longer side of each half; frames are enlarged by a whole number.

    Raises:
        ValueError: If shapes do not fit each other, or the file cannot be written.
    """
    seen, truth, forecast, _ = _physical(past, future, prediction, scaler, channel)
    span, colours = _span(seen, truth), _map(cmap)
    zoom = max(1, side // max(truth.shape[1:]))

    def paint(frame: np.ndarray) -> np.ndarray:
        pixels = colours(span(np.ma.masked_invalid(frame)), bytes=True)[..., :3]
        return pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)

    pictures = []
    pairs = zip([*seen, *truth], [*seen, *forecast], strict=True)
    for number, (left, right) in enumerate(pairs, start=1 - len(seen)):
        halves = [paint(left), np.full((len(left) * zoom, 4, 3), 255, dtype=np.uint8), paint(right)]
        picture = Image.fromarray(np.concatenate(halves, axis=1))
        label = "observed" if number <= 0 else f"true | forecast {number:+d}"
        ImageDraw.Draw(picture).text((4, 2), label, fill="white", stroke_width=1, stroke_fill="black")
        pictures.append(picture)
    first, *rest = pictures
    options = {"save_all": True, "append_images": rest, "duration": milliseconds, "loop": 0}
    write_atomically(path, lambda file: first.save(file, format="GIF", **options))


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
        ValueError: If there is no map, a shape is not as said here, or the file cannot be written.
    """
    if not maps:
        raise ValueError("maps must hold at least one, got none: there is nothing to draw.")
    fed, _, _, scaler = _physical(frames, frames, frames, scaler, channel)
    for name, steps in maps.items():
        if steps.ndim != 3 or len(steps) != len(fed):
            raise ValueError(
                f"maps must be (T, H, W) with as many steps as frames, {len(fed)}; {name!r} is {tuple(steps.shape)}."
            )
    shown = {"fed": fed} | {name: steps.detach().float().cpu().numpy() for name, steps in maps.items()}
    figure, axes = _figure(len(shown), len(fed), width=1.15, height=1.15)
    for (name, pictures), row in zip(shown.items(), np.array(axes).reshape(len(shown), -1), strict=True):
        scale = _span(pictures)
        for axis, picture in zip(row, pictures, strict=True):
            image = axis.imshow(picture, norm=scale, cmap=_map(cmap))
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(fill(name, 24), fontsize=7)
        figure.colorbar(image, ax=row.tolist(), fraction=0.02, pad=0.01).ax.tick_params(labelsize=6)
    for number, axis in enumerate(axes[: len(fed)], start=1):
        axis.set_title(f"step {number}", fontsize=7)
    _save(figure, path)


def _physical(
    past: Tensor, future: Tensor, prediction: Tensor, scaler: Scaler | None, channel: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Scaler]:
    """The frames of one channel, `(T, H, W)` each, in physical units."""
    if past.ndim != 4 or future.shape != prediction.shape or past.shape[1:] != future.shape[1:]:
        raise ValueError(
            f"past, future and prediction must be (T, C, H, W), (horizon, C, H, W) and the same, of one sample; "
            f"got {tuple(past.shape)}, {tuple(future.shape)} and {tuple(prediction.shape)}."
        )
    if not 0 <= channel < past.shape[1]:
        raise ValueError(f"channel must be from 0 to {past.shape[1] - 1}, got {channel}.")
    scaler = scaler or Scaler()
    seen, truth, forecast = (
        scaler.to_physical(frames[:, channel].detach().float().cpu()).numpy() for frames in (past, future, prediction)
    )
    return seen, truth, forecast, scaler


def _span(*frames: np.ndarray) -> Normalize:
    """One scale of colours for all."""
    values = np.concatenate([each.ravel() for each in frames])
    return Normalize(float(np.nanmin(values)), float(np.nanmax(values)))


def _map(name: str) -> Colormap:
    return colormaps[name].with_extremes(bad=MISSING)


def _figure(rows: int, columns: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def _save(figure: Figure, path: str | Path) -> None:
    draw: Callable[[Any], None] = lambda file: figure.savefig(file, format="png", dpi=110)  # noqa: E731
    write_atomically(path, draw)
