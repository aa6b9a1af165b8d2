"""Rain radar of Shanghai, 10 frames to 10."""

from dataclasses import dataclass
from typing import Annotated

from torch.utils.data import Dataset

from ..data import Sequence, Shanghai2020, SyntheticRadar
from ..train import Help, TrainConfig
from . import radar
from .parts import hold_out


@dataclass(frozen=True, kw_only=True)
class ShanghaiSettings(TrainConfig):
    """A small setting, of any model."""

    data: Annotated[str | None, Help("The folder of Shanghai2020; without it, made rain.")] = None
    size: Annotated[int, Help("Frames are resized to this side.")] = 64

    epochs = 6
    batch_size = 4
    lr = 1e-3
    schedule = "cosine"
    warmup = 0.15
    l1 = 0.2
    precision = "bf16"
    thresholds = (20.0, 30.0, 40.0)


def data_sets(settings: ShanghaiSettings) -> list[Dataset[Sequence]]:
    """To train, to validate, to test."""
    size = (settings.size, settings.size)
    if settings.data is None:
        lengths = (radar.TRAIN, radar.VALIDATION, radar.TEST)
        return [SyntheticRadar(length, 10, 10, size=size, seed=seed) for seed, length in enumerate(lengths)]
    train, test = (Shanghai2020(settings.data, part, size=size) for part in ("train", "test"))
    return [*hold_out(train, radar.HELD_OUT), test]
