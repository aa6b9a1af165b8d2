"""What the recipes of a data set and a model share."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from stblocks.data import SequenceWindows
from stblocks.train import Objective, TrainConfig, fit, read_flags, report, seed_everything


def train_and_report(
    name: str,
    build: Callable[[Any], nn.Module],
    default: TrainConfig,
    full: TrainConfig,
    description: str | None,
    argv: Sequence[str] | None = None,
    *,
    data_sets: Callable[[Any], list[SequenceWindows]],
    objective: Callable[..., nn.Module] = Objective,
) -> None:
    """The whole of a recipe but its settings, its data (to train, to validate, to test) and its model."""
    settings, out, resume = read_flags(name, default, {"paper": full}, argv, description)
    train, validation, test = data_sets(settings)
    seed_everything(settings.seed)
    result = fit(build(settings), train, validation, settings, out, objective=objective, resume=resume)
    report(result.model, test, out, thresholds=settings.thresholds, batch_size=settings.batch_size)
    print(f"\nScores, pictures, checkpoint and model are in {out}; go on with --out {out} --resume.")
