"""TaxiBJ, flows of crowds, 4 frames to 4."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from ..data import SequenceWindows, SyntheticTraffic, TaxiBJ
from ..train import Help, TrainConfig

#: Sequences of made traffic.
TRAIN, VALIDATION, TEST = 1024, 64, 128
#: Share of the train part held out for validation, which the papers do on the test part.
HELD_OUT = 0.1


@dataclass(frozen=True, kw_only=True)
class TaxiBJSettings(TrainConfig):
    """A small setting, of any model."""

    data: Annotated[
        str | None,
        Help(
            "TaxiBJ, a folder of HDF5 files or an `.npz` file (see `stblocks.data.TaxiBJ`); without it, made traffic."
        ),
    ] = None

    epochs = 2
    batch_size = 8
    lr = 2e-3
    l1 = 0.0


def data_sets(settings: TaxiBJSettings) -> list[SequenceWindows]:
    """To train, to validate, to test; 4 frames to 4."""
    if settings.data is None:
        return [SyntheticTraffic(length, seed=seed) for seed, length in enumerate((TRAIN, VALIDATION, TEST))]
    read = partial(TaxiBJ, settings.data, validation_fraction=HELD_OUT)
    return [read("train"), read("validation"), read("test")]
