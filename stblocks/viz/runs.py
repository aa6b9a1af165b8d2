"""How models get better as they train, several runs of each in one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .paint import new_figure, save

#: A run: the lines of its `metrics.jsonl`.
Records = Sequence[Mapping[str, Any]]
#: Of the first ten models, which differ by colour, of the next ten, and so on.
STYLES = ("-", "--", ":", "-.")


def convergence(runs: Mapping[str, Sequence[Records]], path: str | Path, metric: str = "mse@pixel") -> None:
    """Draw a validation score of several models by step, and by the time that these steps took.

    The line of a model is the mean over its runs, which differ by their seed, in a band from the least to the largest
    score, at the steps after which all of them were validated. Time is the mean over the runs; where a record has none,
    as those of earlier versions, there is no such panel.

    Args:
        runs: Name of a model to its runs, each as `read_records` gives it.
        path: A PNG file.
        metric: The score.

    Raises:
        ValueError: If no run was validated, one that was lacks the score, or the file cannot be written.
    """
    curves = {name: _curve(name, models, metric) for name, models in runs.items()}
    if not any(len(curve) for curve in curves.values()):
        raise ValueError("runs must hold validations that all runs of a model have, got none; draw them after one.")
    timed = all(np.isfinite(curve[:, 1]).all() for curve in curves.values())
    figure, axes = new_figure(1, 1 + timed, width=4.5, height=3.2)
    for number, (name, curve) in enumerate(curves.items()):
        step, seconds, mean, least, most = curve.T
        colour, style = f"C{number % 10}", STYLES[number // 10 % len(STYLES)]
        for axis, x in zip(axes, (step, seconds / 60), strict=False):
            axis.plot(x, mean, color=colour, linestyle=style, marker=".", label=name)
            axis.fill_between(x, least, most, color=colour, alpha=0.2, linewidth=0)
    for axis, label in zip(axes, ("step", "training time (min)"), strict=False):
        axis.set(xlabel=label, ylabel=f"validation {metric}")
    axes[0].legend(fontsize=7)
    save(figure, path)


def _curve(name: str, runs: Sequence[Records], metric: str) -> np.ndarray:
    """A row for each step after which all runs were validated: step, seconds, mean, least and largest score."""
    validations = [{record["step"]: record for record in run if "model" in record} for run in runs]
    steps = sorted(set.intersection(*map(set, validations))) if validations else []
    rows = []
    for step in steps:
        records = [each[step] for each in validations]
        if missing := [record for record in records if metric not in record["model"]]:
            raise ValueError(
                f"metric must be a validation score of all runs, got {metric!r}; {name!r} has "
                f"{', '.join(missing[0]['model'])}."
            )
        scores = np.array([record["model"][metric] for record in records], dtype=float)  # null, not defined, is NaN
        seconds = np.mean([record.get("seconds", np.nan) for record in records])
        rows.append((step, seconds, scores.mean(), scores.min(), scores.max()))
    return np.array(rows, dtype=float).reshape(-1, 5)
