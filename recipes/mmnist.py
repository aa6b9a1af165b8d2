"""What the Moving MNIST recipes share."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import recipe

from stblocks.data import MovingMNIST, SequenceWindows, moving_mnist_test
from stblocks.train import TrainConfig, run_recipe


@dataclass(frozen=True, kw_only=True)
class DigitSettings(TrainConfig):
    """A small setting, of any model.

    Args:
        glyphs: Digits to move: an `.npz` of images or a folder with torchvision's MNIST; without it, those of a font.
        test_file: Folder with the fixed 10,000 test sequences, to score on these; without it, on `test_sequences`.
        sequences: Training sequences in an epoch.
        test_sequences: Sequences that are made for testing; half as many for validation.
        digits: Moving digits in a frame.
        size: Side of the frames.
    """

    glyphs: str | None = None
    test_file: str | None = None
    sequences: int = 1600
    test_sequences: int = 64
    digits: int = 2
    size: int = 64

    epochs: int = 1
    batch_size: int = 8
    lr: float = 2e-3
    precision: Literal["no", "bf16", "fp16"] = "bf16"


@dataclass(frozen=True, kw_only=True)
class Settings(DigitSettings):
    """A small setting, of a stack of recurrent cells on patches.

    Args:
        channels: Channels of the states.
        num_layers: Layers.
        patch_size: Side of the patches that frames are cut into.
        kernel_size: Side of the kernels.
    """

    channels: int = 32
    num_layers: int = 2
    patch_size: int = 4
    kernel_size: int = 3

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of `create_model`, beside the shape of the frames."""
        names = ("channels", "num_layers", "patch_size", "kernel_size")
        return {name: getattr(self, name) for name in names}


def paper(**changes: Any) -> Settings:
    """What the papers share on Moving MNIST: 10,000 sequences an epoch, full width, float32."""
    return Settings(
        **{"sequences": 10_000, "channels": 128, "num_layers": 4, "kernel_size": 5, "precision": "no", **changes}
    )


def data_sets(settings: DigitSettings) -> list[SequenceWindows]:
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


train_and_report = partial(recipe.train_and_report, data_sets=data_sets)

__all__ = ["DigitSettings", "Settings", "data_sets", "paper", "run_recipe", "train_and_report"]
