"""What the Moving MNIST recipes share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from stblocks.data import MovingMNIST, SequenceWindows, moving_mnist_test
from stblocks.train import TrainConfig, fit, read_flags, report, run_recipe, seed_everything


@dataclass(frozen=True, kw_only=True)
class Settings(TrainConfig):
    """A small setting.

    Args:
        glyphs: Digits to move: an `.npz` of images or a folder with torchvision's MNIST; without it, those of a font.
        test_file: Folder with the fixed 10,000 test sequences, to score on these; without it, on `test_sequences`.
        sequences: Training sequences in an epoch.
        test_sequences: Sequences that are made for testing; half as many for validation.
        digits: Moving digits in a frame.
        size: Side of the frames.
        channels: Channels of the states.
        num_layers: Layers.
        patch_size: Side of the patches that frames are cut into.
        kernel_size: Side of the kernels.
    """

    glyphs: str | None = None
    test_file: str | None = None
    sequences: int = 1600
    test_sequences: int = 64
    digits: int = 2
    size: int = 64
    channels: int = 32
    num_layers: int = 2
    patch_size: int = 4
    kernel_size: int = 3

    epochs: int = 1
    batch_size: int = 8
    lr: float = 2e-3
    precision: Literal["no", "bf16", "fp16"] = "bf16"

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of `create_model`."""
        names = ("channels", "num_layers", "patch_size", "kernel_size")
        return {"image_size": (self.size, self.size), **{name: getattr(self, name) for name in names}}


def paper(**changes: Any) -> Settings:
    """What the papers share on Moving MNIST: 10,000 sequences an epoch, full width, float32."""
    return Settings(
        **{"sequences": 10_000, "channels": 128, "num_layers": 4, "kernel_size": 5, "precision": "no", **changes}
    )


def data_sets(settings: Settings) -> list[SequenceWindows]:
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


def train_and_report(
    name: str,
    build: Callable[[Settings], nn.Module],
    default: Settings,
    full: Settings,
    description: str | None,
    argv: Sequence[str] | None = None,
) -> None:
    """The whole of a recipe but its model."""
    settings, out, resume = read_flags(name, default, {"paper": full}, argv, description)
    train, validation, test = data_sets(settings)
    seed_everything(settings.seed)
    result = fit(build(settings), train, validation, settings, out, resume=resume)
    report(result.model, test, out, thresholds=settings.thresholds, batch_size=settings.batch_size)
    print(f"\nScores, pictures, checkpoint and model are in {out}; go on with --out {out} --resume.")


__all__ = ["Settings", "data_sets", "paper", "run_recipe", "train_and_report"]
