"""The plug-in board: train a base and hybrids of it for the same budget, and rank them.

    python recipes/hybrids.py --base predrnn --plug gfm
    python recipes/hybrids.py --base convlstm predrnn sa_convlstm --plug ce se --grid
    python recipes/hybrids.py --base predrnn --plug gfm sam mgm --grid --data radar --path CIKM2017/ --seeds 3

Without `--grid` each base is compared with one hybrid that has all plugs, with it with every combination of them. The
run's directory ends up with `leaderboard.md`, `.csv` and `.png`, and a run for every model and seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import torch
from mmnist import Settings as MovingMNISTSettings
from mmnist import data_sets as moving_mnist
from torch import nn
from torch.utils.data import DataLoader

from stblocks import create_model
from stblocks.borders.files import write_atomically
from stblocks.data import CIKM2017, SequenceWindows, SyntheticRadar
from stblocks.train import Entry, Leaderboard, cost, evaluate, fit, read_flags, run_recipe, seed_everything
from stblocks.train.checkpoint import newest
from stblocks.viz import leaderboard_bars


@dataclass(frozen=True, kw_only=True)
class Settings(MovingMNISTSettings):
    """A small setting.

    Args:
        base: Networks to plug into, see `stblocks.models.hybrid.BASES`.
        plug: Blocks to plug in, see `stblocks.models.hybrid.PLUGS`.
        grid: Train every combination of the plugs, not only all of them together.
        scales: Scales of SE.
        seeds: Train each model so many times, from `seed` on.
        data: Moving MNIST, or rain radar.
        path: CIKM2017, or a file of that layout, for radar; without it, rain made on the fly.
    """

    base: tuple[str, ...] = ("predrnn",)
    plug: tuple[str, ...] = ("gfm",)
    grid: bool = False
    scales: tuple[int, ...] = (1, 2, 4)
    seeds: int = 1
    data: Literal["moving_mnist", "radar"] = "moving_mnist"
    path: str | None = None

    def problems(self) -> list[str]:
        found = super().problems()
        if self.seeds < 1:
            found.append(f"seeds must be at least 1, got {self.seeds}")
        if self.path is not None and self.data != "radar":
            found.append(f"path goes with data='radar', got data={self.data!r}; digits are glyphs=")
        if self.data == "radar" and (self.glyphs, self.test_file, self.digits) != (None, None, 2):
            found.append("glyphs, test_file and digits go with data='moving_mnist', got data='radar'")
        if self.path is not None and (self.sequences, self.test_sequences) != (1600, 64):
            found.append("sequences and test_sequences are for data that is made, got path")
        for name in ("base", "plug"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                found.append(f"{name} must name each once, got {' '.join(values)}")
        return found


def metrics(settings: Settings) -> list[str]:
    """What the board shows."""
    events = [f"csi@{threshold:g}" for threshold in settings.thresholds]
    return ["mse@frame_sum", "mae@frame_sum", "psnr@frame_mean", "ssim@uniform7", *events]


def data_sets(settings: Settings) -> list[SequenceWindows]:
    """To train, to validate, to test."""
    if settings.data == "moving_mnist":
        return moving_mnist(settings)
    size = (settings.size, settings.size)
    if settings.path is None:
        lengths = (settings.sequences, max(1, settings.test_sequences // 2), settings.test_sequences)
        return [SyntheticRadar(length, size=size, seed=seed) for seed, length in enumerate(lengths)]
    parts = (("train", 0.1), ("validation", 0.1), ("test", 0.0))
    return [CIKM2017(settings.path, part, size=size, validation_fraction=held_out) for part, held_out in parts]


def choices(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every base with the plugs to try on it; none first."""
    counts = range(len(settings.plug) + 1) if settings.grid else {0, len(settings.plug)}
    for base in settings.base:
        for count in counts:
            for plugs in combinations(settings.plug, count):
                yield base, plugs


def build(base: str, plugs: tuple[str, ...], settings: Settings) -> nn.Module:
    size = (settings.size, settings.size)
    return create_model(
        "hybrid", image_size=size, base=base, plugs=plugs, scales=settings.scales, **settings.model_options
    )


def train(
    base: str, plugs: tuple[str, ...], settings: Settings, data: list[SequenceWindows], out: Path, resume: bool
) -> Entry:
    """Train one model with each seed."""
    name = "+".join((base, *plugs))
    train_data, validation, test = data
    scores: dict[str, list[float]] = {metric: [] for metric in metrics(settings)}
    past, future = next(iter(DataLoader(train_data, settings.batch_size)))
    for seed in range(settings.seed, settings.seed + settings.seeds):
        seed_everything(seed)
        model, place = build(base, plugs, settings), out / name / f"seed-{seed}"
        costs = cost(model, past, future.shape[1])
        begun = resume and newest(place / "checkpoint.pt") is not None
        result = fit(model, train_data, validation, replace(settings, seed=seed), place, resume=begun)
        tables = evaluate(result.model, test, thresholds=settings.thresholds, batch_size=settings.batch_size)
        for metric, values in scores.items():
            values.append(tables["model"].pooled[metric])
    return Entry(name, base, *costs, scores)


def main(argv: Sequence[str] | None = None) -> None:
    settings, out, resume = read_flags("hybrids", Settings(), {}, argv, __doc__)
    if problems := settings.problems():
        raise ValueError("; ".join(problems) + ".")
    models, data, board = list(choices(settings)), data_sets(settings), Leaderboard(metrics(settings))
    for base, plugs in models:  # all must fit before the first is trained
        model = build(base, plugs, settings)
        with torch.no_grad():
            model(data[0][0].past[None], 1)
    for number, (base, plugs) in enumerate(models, start=1):
        print(f"{'+'.join((base, *plugs))} ({number} of {len(models)})", flush=True)
        board.add(train(base, plugs, settings, data, out, resume))
        text = f"{board.to_markdown()}\n".encode()
        write_atomically(out / "leaderboard.md", lambda file, text=text: file.write(text))
        board.to_csv(out / "leaderboard.csv")
        leaderboard_bars(board, out / "leaderboard.png")
    print(f"\n{board.to_markdown()}\n\nThe board and all runs are in {out}; go on with --out {out} --resume.")


if __name__ == "__main__":
    run_recipe(main)
