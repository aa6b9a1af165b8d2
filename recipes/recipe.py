"""What the recipes of a data set and a model share."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from stblocks.data import SequenceWindows
from stblocks.train import Objective, TrainConfig, fit, read_flags, report, seed_everything


def train_and_report(
    name: str,
    build: Callable[[Any, dict[str, Any]], nn.Module],
    default: TrainConfig,
    full: TrainConfig,
    description: str | None,
    argv: Sequence[str] | None = None,
    *,
    data_sets: Callable[[Any], Sequence[SequenceWindows]],
    objective: Callable[..., nn.Module] = Objective,
) -> None:
    """The whole of a recipe but its settings, its data (to train, to validate, to test) and its model.

    `build` takes the settings, and the channels and size of the frames as `create_model` does.
    """
    settings, out, resume = read_flags(name, default, {"paper": full}, argv, description)
    train, validation, test = data_sets(settings)
    seed_everything(settings.seed)
    channels, height, width = train.frame_shape
    model = build(settings, {"in_channels": channels, "image_size": (height, width)})
    result = fit(model, train, validation, settings, out, objective=objective, resume=resume)
    options = {"thresholds": settings.thresholds, "metrics": settings.metrics, "batch_size": settings.batch_size}
    report(result.model, test, out, **options)
    print(f"\nScores, pictures, checkpoint and model are in {out}; go on with --out {out} --resume.")
