"""A recipe from end to end."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from ..data import SequenceWindows
from ..train import Objective, TrainConfig, fit, read_flags, report, seed_everything


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
    """The whole of a recipe but its settings, its data and its model: read the flags, train, score, draw and save.

    Args:
        name: Of the recipe; without `--out`, runs go to `runs/<name>-1`, `-2` and so on.
        build: Makes the model of the settings and the options of `create_model`: `in_channels` and `image_size` of the
            data, and the settings declared with `Option`.
        default: The settings that flags change.
        full: Those that `--paper` starts from.
        description: For `--help`.
        argv: The arguments; by default the process's.
        data_sets: Gives the data of the settings: to train, to validate, to test.
        objective: See `fit`.

    Raises:
        ValueError: If settings, data and model do not fit, or the run's directory cannot be used.
        SystemExit: If a flag is unknown or its value cannot be read.
    """
    settings, out, resume = read_flags(name, default, {"paper": full}, argv, description)
    train, validation, test = data_sets(settings)
    seed_everything(settings.seed)
    channels, height, width = train.frame_shape
    frames = {"in_channels": channels, "image_size": (height, width)}
    model = build(settings, frames | settings.model_options())
    result = fit(model, train, validation, settings, out, objective=objective, resume=resume)
    options = {"thresholds": settings.thresholds, "metrics": settings.metrics, "batch_size": settings.batch_size}
    report(result.model, test, out, **options)
    print(f"\nScores, pictures, checkpoint and model are in {out}; go on with --out {out} --resume.")
