"""Typhoons in satellite images, 8 frames to 4."""

from dataclasses import dataclass
from typing import Annotated

from torch.utils.data import Dataset

from ..data import Sequence, Typhoon
from ..train import Help, TrainConfig
from .parts import hold_out, required

#: Share of the train part held out for validation, of which the paper says nothing.
HELD_OUT = 0.1


@dataclass(frozen=True, kw_only=True)
class TyphoonSettings(TrainConfig):
    """A small setting, of any model."""

    data: Annotated[str | None, Help("Sequences of images, see `stblocks.data.Typhoon`; none are made.")] = None
    size: Annotated[int, Help("Frames are resized to this side.")] = 64

    epochs = 2
    batch_size = 8
    lr = 1e-3
    precision = "bf16"


def data_sets(settings: TyphoonSettings) -> list[Dataset[Sequence]]:
    """To train, to validate, to test; 8 frames to 4."""
    path, size = required(settings.data, "a file or folder of sequences of typhoons"), (settings.size, settings.size)
    return [*hold_out(Typhoon(path, "train", size=size), HELD_OUT), Typhoon(path, "test", size=size)]
