"""KTH, people in motion, 10 frames to 20."""

from dataclasses import dataclass
from typing import Annotated

from torch.utils.data import Dataset

from ..data import KTH, Sequence
from ..train import Help, TrainConfig
from .parts import hold_out, required

#: Share of the train part held out for validation, which the papers do on the test part.
HELD_OUT = 0.1


@dataclass(frozen=True, kw_only=True)
class KTHSettings(TrainConfig):
    """A small setting, of any model."""

    data: Annotated[str | None, Help("The folder of KTH's zip files or clips; none are made.")] = None
    size: Annotated[int, Help("Frames are resized to this side.")] = 64
    in_frames: Annotated[int, Help("Frames a forecast starts from.")] = 10
    out_frames: Annotated[int, Help("Frames to forecast in training.")] = 20
    test_frames: Annotated[int, Help("Frames to forecast in the test.")] = 20
    stride: Annotated[int, Help("Frames from the start of a sequence to that of the next.")] = 20

    epochs = 1
    batch_size = 8
    lr = 1e-3
    l1 = 0.0


def data_sets(settings: KTHSettings) -> list[Dataset[Sequence]]:
    """To train, to validate, to test."""
    path, size = required(settings.data, "the folder of KTH's zip files or clips"), (settings.size, settings.size)
    frames = {"in_frames": settings.in_frames, "stride": settings.stride}
    train = KTH(path, "train", out_frames=settings.out_frames, size=size, **frames)
    overlapping = (settings.in_frames + settings.out_frames - 1) // settings.stride
    return [
        *hold_out(train, HELD_OUT, overlapping),
        KTH(path, "test", out_frames=settings.test_frames, size=size, **frames),
    ]
