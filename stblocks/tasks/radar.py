"""Rain radar, 5 frames to 10."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ..data import CIKM2017, SequenceWindows, SyntheticRadar
from ..train import Help, TrainConfig

Part = Literal["train", "validation", "test"]

#: Sequences of made rain.
TRAIN, VALIDATION, TEST = 128, 32, 64
#: Share of the train part held out for validation (GMG paper, Sec. IV-A).
HELD_OUT = 0.1


@dataclass(frozen=True, kw_only=True)
class RadarSettings(TrainConfig):
    """A small setting, of any model."""

    data: Annotated[
        str | None,
        Help("CIKM2017, or a file of that layout (see `stblocks.data.CIKM2017`); without it, made rain."),
    ] = None
    altitude: Annotated[float | None, Help("In km, where the data have four; 0.5 unless given.")] = None
    size: Annotated[int, Help("Frames are resized to this side.")] = 64
    in_frames: Annotated[int, Help("Frames a forecast starts from.")] = 5
    out_frames: Annotated[int, Help("Frames to forecast.")] = 10

    epochs = 10
    batch_size = 4
    lr = 1e-3
    schedule = "cosine"
    warmup = 0.15
    l1 = 0.2
    precision = "bf16"
    thresholds = (20.0, 30.0, 40.0)


def data_sets(settings: RadarSettings) -> list[SequenceWindows]:
    """To train, to validate, to test."""
    frames: dict[str, Any] = {
        "in_frames": settings.in_frames,
        "out_frames": settings.out_frames,
        "size": (settings.size,) * 2,
    }
    if settings.data is None:
        if settings.altitude is not None:
            raise ValueError(f"altitude needs data; made rain has none, got {settings.altitude}.")
        return [SyntheticRadar(length, seed=seed, **frames) for seed, length in enumerate((TRAIN, VALIDATION, TEST))]
    parts: tuple[tuple[Part, float], ...] = (("train", HELD_OUT), ("validation", HELD_OUT), ("test", 0.0))
    altitude = settings.altitude
    return [
        CIKM2017(settings.data, part, altitude=altitude, validation_fraction=held_out, **frames)
        for part, held_out in parts
    ]
