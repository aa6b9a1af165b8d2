"""A board: train models for the same budget, with several seeds, and rank them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import methodcaller
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn
from torch.utils.data import DataLoader

from ..borders.files import write_atomically
from ..data import CIKM2017, SequenceWindows, SyntheticRadar
from ..data import Sequence as Sample
from ..runtime.processes import process_state
from ..score import BoardEntry, Leaderboard, evaluate, frames_per_second, training_cost
from ..train import Help, fit, read_flags, read_records, seed_everything
from ..train.checkpoint import newest
from ..viz import convergence, efficiency, leaderboard_bars
from . import moving_mnist

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Candidate:
    """A model on the board.

    Args:
        name: Of the model.
        base: Name of the one it is compared with; its own for a base.
        build: Makes it, to fit a sequence of the data.
    """

    name: str
    base: str
    build: Callable[[Sample], nn.Module]


@dataclass(frozen=True, kw_only=True)
class BoardSettings(moving_mnist.MovingMNISTSettings, ABC):
    """A small setting, of any models.

    When a board is gone on with, models and seeds may grow, and `metrics` be others: only `monitor` judges weights.
    """

    may_differ: ClassVar[tuple[str, ...]] = (*moving_mnist.MovingMNISTSettings.may_differ, "seeds", "metrics")
    seeds: Annotated[int, Help("Train each model so many times, from `seed` on.")] = 1
    data: Annotated[Literal["moving_mnist", "radar"], Help("Moving MNIST, or rain radar.")] = "moving_mnist"
    path: Annotated[str | None, Help("CIKM2017, or a file of that layout, for radar; without it, synthetic rain.")] = (
        None
    )

    metrics: tuple[str, ...] = ("mse@frame_sum", "mae@frame_sum", "psnr@frame_mean", "ssim@uniform7")

    @abstractmethod
    def candidates(self) -> Iterator[Candidate]:
        """The models, a base before what is compared with it."""

    def problems(self) -> list[str]:
        """What is wrong with the settings, a phrase each."""
        found = super().problems()
        if self.seeds < 1:
            found.append(f"seeds must be at least 1, got {self.seeds}")
        if not board_metrics(self):
            found.append("metrics or thresholds must name a score that the board shows, got neither")
        if self.path is not None and self.data != "radar":
            found.append(f"path goes with data='radar', got data={self.data!r}; digits are glyphs=")
        if self.data == "radar" and (self.glyphs, self.test_file, self.digits) != (None, None, 2):
            found.append("glyphs, test_file and digits go with data='moving_mnist', got data='radar'")
        if self.path is not None and (self.sequences, self.test_sequences) != (1600, 64):
            found.append("sequences and test_sequences are for data that is made, got path")
        return found


def board_metrics(settings: BoardSettings) -> list[str]:
    """What the board shows."""
    events = [f"csi@{threshold:g}" for threshold in settings.thresholds]
    return list(dict.fromkeys([*settings.metrics, *events]))


def data_sets(settings: BoardSettings) -> list[SequenceWindows]:
    """To train, to validate, to test."""
    if settings.data == "moving_mnist":
        return moving_mnist.data_sets(settings)
    size = (settings.size, settings.size)
    if settings.path is None:
        lengths = (settings.sequences, max(1, settings.test_sequences // 2), settings.test_sequences)
        return [SyntheticRadar(length, size=size, seed=seed) for seed, length in enumerate(lengths)]
    parts: tuple[tuple[Part, float], ...] = (("train", 0.1), ("validation", 0.1), ("test", 0.0))
    return [CIKM2017(settings.path, part, size=size, validation_fraction=held_out) for part, held_out in parts]


def train(
    candidate: Candidate, settings: BoardSettings, data: list[SequenceWindows], out: Path, resume: bool
) -> BoardEntry:
    """Train one model with each seed; the scores of a run whose loss is not finite are NaN."""
    train_data, validation, test = data
    scores: dict[str, list[float]] = {metric: [] for metric in board_metrics(settings)}
    past, future = next(iter(DataLoader(train_data, settings.batch_size)))
    past, horizon = past.to(process_state().device), future.shape[1]
    model = candidate.build(train_data[0]).to(past.device)
    costs, speed = training_cost(model, past, horizon), frames_per_second(model, past[:1], horizon)
    for seed in range(settings.seed, settings.seed + settings.seeds):
        seed_everything(seed)
        model, place = candidate.build(train_data[0]), out / candidate.name / f"seed-{seed}"
        begun = resume and newest(place / "checkpoint.pt") is not None
        try:
            result = fit(model, train_data, validation, replace(settings, seed=seed), place, resume=begun)
        except FloatingPointError as error:
            print(f"{candidate.name}, seed {seed}: {error}", flush=True)
            found = dict.fromkeys(scores, math.nan)
        else:
            thresholds, named, size = settings.thresholds, settings.metrics, settings.batch_size
            tables = evaluate(result.model, test, thresholds=thresholds, metrics=named, batch_size=size)
            found = tables["model"].pooled
        for metric, values in scores.items():
            values.append(found[metric])
    return BoardEntry(candidate.name, candidate.base, *costs, scores, speed)


def show(board: Leaderboard, settings: BoardSettings, out: Path) -> None:
    """Leave the board in files, and draw it."""
    text = f"{board.to_markdown()}\n".encode()
    write_atomically(out / "leaderboard.md", methodcaller("write", text))
    board.to_csv(out / "leaderboard.csv")
    leaderboard_bars(board, out / "leaderboard.png")
    efficiency(board, out / "efficiency.png")
    seeds = range(settings.seed, settings.seed + settings.seeds)
    runs = {entry.name: [read_records(out / entry.name / f"seed-{seed}") for seed in seeds] for entry in board.entries}
    # Runs that diverge before their first validation leave nothing to draw; then there may be no model with a line.
    if any(all(any("model" in record for record in run) for run in each) for each in runs.values()):
        convergence(runs, out / "convergence.png", settings.monitor)


def run_board(name: str, default: BoardSettings, description: str | None, argv: Sequence[str] | None = None) -> None:
    """The whole of the recipe: read the flags, check that all models fit, train each, and draw the board.

    Args:
        name: Of the recipe; without `--out`, boards go to `runs/<name>-1`, `-2` and so on.
        default: The settings that flags change.
        description: For `--help`.
        argv: The arguments; by default the process's.

    Raises:
        ValueError: If settings, data and models do not fit, or a run's directory cannot be used.
        SystemExit: If a flag is unknown or its value cannot be read.
    """
    settings, out, resume = read_flags(name, default, {}, argv, description)
    if problems := settings.problems():
        raise ValueError("; ".join(problems) + ".")
    models, data, board = list(settings.candidates()), data_sets(settings), Leaderboard(board_metrics(settings))
    for candidate in models:  # all must fit before the first is trained
        with torch.no_grad():
            candidate.build(data[0][0])(data[0][0].past[None], 1)
    for number, candidate in enumerate(models, start=1):
        print(f"{candidate.name} ({number} of {len(models)})", flush=True)
        board.add(train(candidate, settings, data, out, resume))
        show(board, settings, out)
    print(f"\n{board.to_markdown()}\n\nThe board and all runs are in {out}; go on with --out {out} --resume.")
