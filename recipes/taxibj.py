"""What the TaxiBJ recipes share."""

from dataclasses import dataclass
from functools import partial

import recipe

from stblocks.data import SequenceWindows, SyntheticTraffic, TaxiBJ
from stblocks.train import TrainConfig, run_recipe

#: Sequences of made traffic.
TRAIN, VALIDATION, TEST = 1024, 64, 128
#: Share of the train part held out for validation, which the papers do on the test part.
HELD_OUT = 0.1


@dataclass(frozen=True, kw_only=True)
class TrafficSettings(TrainConfig):
    """A small setting, of any model.

    Args:
        data: TaxiBJ, a folder of HDF5 files or an `.npz` file (see `stblocks.data.TaxiBJ`); without it, made traffic.
    """

    data: str | None = None

    epochs: int = 2
    batch_size: int = 8
    lr: float = 2e-3
    l1: float = 0.0


def data_sets(settings: TrafficSettings) -> list[SequenceWindows]:
    """To train, to validate, to test; 4 frames to 4."""
    if settings.data is None:
        return [SyntheticTraffic(length, seed=seed) for seed, length in enumerate((TRAIN, VALIDATION, TEST))]
    read = partial(TaxiBJ, settings.data, validation_fraction=HELD_OUT)
    return [read("train"), read("validation"), read("test")]


train_and_report = partial(recipe.train_and_report, data_sets=data_sets)

__all__ = ["TrafficSettings", "data_sets", "run_recipe", "train_and_report"]
