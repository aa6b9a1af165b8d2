"""Pictures of scores: of a run, by lead time, of models side by side."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..score import Leaderboard, Table
from .paint import new_figure, save

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
    figure, (left, right) = new_figure(1, 2, width=4.5, height=3.2)
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
    save(figure, path)


def skill_by_lead_time(
    tables: Iterable[Table], path: str | Path, metrics: Sequence[str] | None = None, minutes: float | None = None
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
    tables = list(tables)
    if not tables or (metrics is not None and not metrics):
        raise ValueError("tables and metrics must not be empty: there is nothing to draw.")
    names = list(tables[0].pooled if metrics is None else metrics)
    if unknown := [name for name in names for table in tables if name not in table.pooled]:
        raise ValueError(
            f"metrics must be in every table, got {unknown[0]!r}; there are {', '.join(tables[0].pooled)}."
        )
    columns = min(4, len(names))
    figure, axes = new_figure(-(-len(names) // columns), columns, width=3.2, height=2.6)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for name, axis in zip(names, axes, strict=False):
        for table in tables:
            lead = np.arange(1, len(table.lead) + 1) * (minutes or 1)
            axis.plot(lead, [scores[name] for scores in table.lead], marker=".", label=table.name)
        axis.set(title=name, xlabel="lead time (frames)" if minutes is None else "lead time (min)")
    axes[0].legend()
    save(figure, path)


def leaderboard_bars(board: Leaderboard, path: str | Path) -> None:
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
    figure, axes = new_figure(1, len(board.metrics), width=3.2, height=1 + 0.25 * len(names))
    for axis, metric in zip(axes, board.metrics, strict=True):
        means = [entry.mean(metric) for entry in board.entries]
        spreads = [entry.spread(metric) for entry in board.entries]
        axis.barh(names, means, xerr=spreads, color=colours)
        axis.set(title=metric, xlim=_limits(means, spreads))
        axis.invert_yaxis()
        axis.label_outer()
    save(figure, path)


def efficiency(board: Leaderboard, path: str | Path) -> None:
    """Draw the main score of all models against multiply-adds, the time of a training step, and frames a second.

    A model whose forecasts were not timed is not in the last panel, which is left out where none was.

    Args:
        board: With at least one model.
        path: A PNG file.

    Raises:
        ValueError: If the board is empty, or the file cannot be written.
    """
    if not board.entries:
        raise ValueError("board must hold at least one model, got none; draw it after the first.")
    bases = list(dict.fromkeys(entry.base for entry in board.entries))
    costs: dict[str, list[float]] = {
        "multiply-adds of a forecast (G)": [entry.multiply_adds / 1e9 for entry in board.entries],
        "forward and backward of a batch (ms)": [entry.milliseconds for entry in board.entries],
        "forecast frames a second": [entry.frames_per_second for entry in board.entries],
    }
    costs = {label: each for label, each in costs.items() if np.isfinite(each).any()}
    figure, axes = new_figure(1, len(costs), width=4.0, height=3.2)
    metric = board.metrics[0]
    for axis, (label, each) in zip(axes, costs.items(), strict=True):
        for entry, cost in zip(board.entries, each, strict=True):
            if not np.isfinite(cost):
                continue
            colour, score = f"C{bases.index(entry.base)}", entry.mean(metric)
            axis.errorbar(cost, score, yerr=entry.spread(metric), fmt="o", color=colour)
            axis.annotate(entry.name, (cost, score), xytext=(4, 4), textcoords="offset points", fontsize=7)
        axis.set(xlabel=label, ylabel=metric)
        axis.margins(x=0.3)
    save(figure, path)


def _limits(means: Sequence[float], spreads: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis on which the bars differ: from a little below the lowest; bars of runs that diverged are none."""
    bars = [bar for bar in zip(means, spreads, strict=True) if np.isfinite(bar).all()] or [(0.0, 0.0)]
    low = min(mean - spread for mean, spread in bars)
    high = max(mean + spread for mean, spread in bars)
    room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return low - 2 * room, high + room
