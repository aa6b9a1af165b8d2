"""Several models side by side: what they cost, how they score, and what a plug adds to its base."""

import csv
import io
import math
import statistics
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from ..borders.files import write_atomically
from ..flops import count_multiply_adds
from ..speed import REPEATS, median_seconds


@dataclass(frozen=True)
class BoardEntry:
    """A trained model on the board.

    Args:
        name: Of the model.
        base: Name of the model it is compared with; its own for a base.
        parameters: How many.
        multiply_adds: Of the forecast of one sequence.
        milliseconds: Of forward and backward of a batch, in float32, where the model was when it was timed.
        scores: By metric, the score of each run; runs differ by their seed.
        frames_per_second: That it forecasts for one sequence, see `frames_per_second`; NaN where it was not timed.
    """

    name: str
    base: str
    parameters: int
    multiply_adds: int
    milliseconds: float
    scores: dict[str, list[float]]
    frames_per_second: float = math.nan

    def mean(self, metric: str) -> float:
        """Over seeds."""
        return statistics.fmean(self.scores[metric])

    def spread(self, metric: str) -> float:
        """Standard deviation over seeds (of a sample, N - 1); 0 for one seed, NaN if a run has no score."""
        scores = self.scores[metric]
        if any(map(math.isnan, scores)):
            return math.nan  # which `stdev` does not take
        return statistics.stdev(scores) if len(scores) > 1 else 0.0


def training_cost(
    model: nn.Module,
    past: Tensor,
    horizon: int,
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[int, int, float]:
    """Parameters, multiply-adds of the forecast of one sequence, median milliseconds of forward and backward.

    Args:
        model: A forecaster; a copy of it is measured, so that it stays as it is.
        past: `(B, T, C, H, W)`, a batch as in training.
        horizon: Frames to forecast.
        repeats: Steps to time, after one to warm up.
        clock: Gives the time in seconds.
    """
    model = deepcopy(model)

    def step() -> None:
        model.rollout(past, horizon).frames.square().mean().backward()  # type: ignore[operator]

    milliseconds = 1000 * median_seconds(step, past.device, repeats, clock)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters, count_multiply_adds(model, past[:1], horizon).total, milliseconds


class Leaderboard:
    """Trained models side by side.

    Args:
        metrics: To show, the main one first.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        self.metrics, self.entries = tuple(metrics), list[BoardEntry]()

    def add(self, entry: BoardEntry) -> None:
        """Add a model; its base comes first.

        Raises:
            ValueError: If the entry lacks a metric, or its base is not on the board.
        """
        if missing := [metric for metric in self.metrics if metric not in entry.scores]:
            raise ValueError(f"scores of {entry.name!r} must hold {', '.join(missing)}, got {', '.join(entry.scores)}.")
        if entry.base not in (entry.name, *(other.name for other in self.entries)):
            raise ValueError(f"{entry.base!r}, the base of {entry.name!r}, must be on the board first; train it too.")
        self.entries.append(entry)

    def delta(self, entry: BoardEntry, metric: str) -> float:
        """Mean score less that of the base."""
        base = next(other for other in self.entries if other.name == entry.base)
        return entry.mean(metric) - base.mean(metric)

    def to_markdown(self) -> str:
        """A table: mean scores, their standard deviation over seeds if there are several, and deltas to the base."""
        rows = [["model", "parameters (M)", "multiply-adds (G)", "step (ms)", "frames/s"]]
        rows[0] += [text for metric in self.metrics for text in (metric, "delta")]
        rows.append(["---"] + ["--:"] * (len(rows[0]) - 1))
        for entry in self.entries:
            costs = (entry.parameters / 1e6, entry.multiply_adds / 1e9)
            cells = [entry.name, *(f"{number:.3f}" for number in costs), f"{entry.milliseconds:.0f}"]
            cells.append("-" if math.isnan(entry.frames_per_second) else f"{entry.frames_per_second:.1f}")
            for metric in self.metrics:
                delta = "" if entry.base == entry.name else f"{self.delta(entry, metric):+.3g}"
                spread = f" ± {entry.spread(metric):.2g}" if len(entry.scores[metric]) > 1 else ""
                cells += [f"{entry.mean(metric):.4g}{spread}", delta]
            rows.append(cells)
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def to_csv(self, path: str | Path) -> None:
        """Write the scores of every model and run in full precision.

        Raises:
            ValueError: If the file cannot be written.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        costs_of = ("parameters", "multiply_adds", "milliseconds", "frames_per_second")
        table.writerow(["model", "base", "run", *costs_of, *self.metrics])
        for entry in self.entries:
            costs = [getattr(entry, name) for name in costs_of]
            runs = zip(*(entry.scores[metric] for metric in self.metrics), strict=True)
            table.writerows([entry.name, entry.base, run, *costs, *scores] for run, scores in enumerate(runs))
        write_atomically(path, lambda file: file.write(text.getvalue().encode()))
