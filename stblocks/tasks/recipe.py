"""A recipe from end to end."""

from collections import abc
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from ..data import Sequence
from ..train import Objective, TrainConfig, fit, read_flags, report, seed_everything
from .parts import frame_options


@dataclass(frozen=True)
class Recipe:
    """A program that reads its flags, trains, scores, draws and saves: `main = Recipe(...)`, then `main()`.

    Args:
        name: Of the recipe; without `--out`, runs go to `runs/<name>-1`, `-2` and so on.
        build: Makes the model of the settings and the options of `create_model`: `in_channels` and `image_size` of the
            data, and the settings declared with `Option`.
        default: The settings that flags change.
        paper: Those that `--paper` starts from.
        data_sets: Gives the data of the settings: to train, to validate, to test.
        description: For `--help`.
        objective: See `fit`.
    """

    name: str
    build: Callable[[Any, dict[str, Any]], nn.Module]
    default: TrainConfig
    paper: TrainConfig
    data_sets: Callable[[Any], abc.Sequence[Dataset[Sequence]]]
    description: str | None = None
    _: KW_ONLY
    objective: Callable[..., nn.Module] = Objective

    def __call__(self, argv: abc.Sequence[str] | None = None) -> None:
        """Run it.

        Args:
            argv: The arguments; by default the process's.

        Raises:
            ValueError: If settings, data and model do not fit, or the run's directory cannot be used.
            SystemExit: If a flag is unknown or its value cannot be read.
        """
        settings, out, resume = read_flags(self.name, self.default, {"paper": self.paper}, argv, self.description)
        train, validation, test = self.data_sets(settings)
        seed_everything(settings.seed)
        model = self.build(settings, frame_options(train[0]) | settings.model_options())
        result = fit(model, train, validation, settings, out, objective=self.objective, resume=resume)
        options = {"thresholds": settings.thresholds, "metrics": settings.metrics, "batch_size": settings.batch_size}
        report(result.model, test, out, **options)
        print(f"\nScores, pictures, checkpoint and model are in {out}; go on with --out {out} --resume.")
