"""Moving MNIST, 10 frames to 10."""

from dataclasses import dataclass
from typing import Annotated, Any

from ..data import MovingMNIST, SequenceWindows, moving_mnist_test
from ..train import Help, TrainConfig


@dataclass(frozen=True, kw_only=True)
class MovingMNISTSettings(TrainConfig):
    """A small setting, of any model."""

    glyphs: Annotated[
        str | None,
        Help("Digits to move: an `.npz` of images or a folder with torchvision's MNIST; without it, those of a font."),
    ] = None
    test_file: Annotated[
        str | None,
        Help("Folder with the fixed 10,000 test sequences, to score on these; without it, on `test_sequences`."),
    ] = None
    sequences: Annotated[int, Help("Training sequences in an epoch.")] = 1600
    test_sequences: Annotated[int, Help("Sequences that are made for testing; half as many for validation.")] = 64
    digits: Annotated[int, Help("Moving digits in a frame.")] = 2
    size: Annotated[int, Help("Side of the frames.")] = 64

    epochs = 1
    batch_size = 8
    lr = 2e-3
    precision = "bf16"


def data_sets(settings: MovingMNISTSettings) -> list[SequenceWindows]:
    """To train, to validate, to test."""
    options: dict[str, Any] = {
        "glyphs": settings.glyphs,
        "digits": settings.digits,
        "size": (settings.size, settings.size),
    }
    train = MovingMNIST(settings.sequences, split="train", seed=settings.seed, **options)
    validation = MovingMNIST(max(1, settings.test_sequences // 2), split="validation", **options)
    if settings.test_file is None:
        return [train, validation, MovingMNIST(settings.test_sequences, split="test", **options)]
    test = moving_mnist_test(settings.test_file)
    if test.frame_shape != train.frame_shape:
        raise ValueError(f"size must be that of the frames of test_file, {test.frame_shape[1]}, got {settings.size}.")
    return [train, validation, test]
