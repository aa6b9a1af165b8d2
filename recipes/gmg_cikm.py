"""Train GMG on rain radar, 5 frames to 10, and forecast the test set.

With no argument this takes a small GMG and made rain, and a few minutes. The run's directory ends up with the scores
beside those of persistence, pictures, the checkpoint that `--resume` goes on from, and the model for `from_pretrained`.

    python recipes/gmg_cikm.py
    python recipes/gmg_cikm.py --data CIKM2017/
    python recipes/gmg_cikm.py --data CIKM2017/ --paper
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from recipe import train_and_report

from stblocks import create_model
from stblocks.data import CIKM2017, SequenceWindows, SyntheticRadar
from stblocks.train import TrainConfig, run_recipe

#: Sequences of made rain.
TRAIN, VALIDATION, TEST = 128, 32, 64
#: Share of the train part held out for validation (paper, Sec. IV-A).
HELD_OUT = 0.1


@dataclass(frozen=True, kw_only=True)
class Settings(TrainConfig):
    """The small setting.

    Args:
        data: CIKM2017, or a file of that layout (see `stblocks.data.CIKM2017`); without it, made rain.
        altitude: In km, where the data have four; 0.5 unless given.
        size: Frames are resized to this side.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        model: Which GMG.
        channels: Channels of the states.
        num_layers: Layers.
        patch_size: Side of the patches that frames are cut into.
        kernel_size: Side of the kernels.
    """

    data: str | None = None
    altitude: float | None = None
    size: int = 64
    in_frames: int = 5
    out_frames: int = 10
    model: Literal["gmg_l", "gmg_m", "gmg_s"] = "gmg_l"
    channels: int = 64
    num_layers: int = 2
    patch_size: int = 4
    kernel_size: int = 3

    epochs: int = 10
    batch_size: int = 4
    lr: float = 1e-3
    schedule: Literal["onecycle", "cosine", "constant"] = "cosine"
    warmup: float = 0.15
    l1: float = 0.2
    precision: Literal["no", "bf16", "fp16"] = "bf16"
    thresholds: tuple[float, ...] = (20.0, 30.0, 40.0)

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of `create_model`, beside the shape of the frames."""
        names = ("channels", "num_layers", "patch_size", "kernel_size")
        return {name: getattr(self, name) for name in names}


#: Table I of the paper, GMG-L on CIKM2017; the course of the learning rate, which it does not say, is ours.
PAPER = Settings(
    channels=128,
    num_layers=4,
    kernel_size=5,
    epochs=100,
    batch_size=16,
    lr=3e-4,
    schedule="onecycle",
    warmup=0.3,
    l1=1.0,
    precision="no",
    thresholds=(30.0, 40.0, 50.0),
)


def data_sets(settings: Settings) -> list[SequenceWindows]:
    """To train, to validate, to test."""
    frames = {"in_frames": settings.in_frames, "out_frames": settings.out_frames, "size": (settings.size,) * 2}
    if settings.data is None:
        if settings.altitude is not None:
            raise ValueError(f"altitude needs data; made rain has none, got {settings.altitude}.")
        return [SyntheticRadar(length, seed=seed, **frames) for seed, length in enumerate((TRAIN, VALIDATION, TEST))]
    read = partial(CIKM2017, settings.data, altitude=settings.altitude, **frames)
    return [read("train", validation_fraction=HELD_OUT), read("validation", validation_fraction=HELD_OUT), read("test")]


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model(settings.model, **frames, **settings.model_options)

    train_and_report("gmg_cikm", build, Settings(), PAPER, __doc__, argv, data_sets=data_sets)


if __name__ == "__main__":
    run_recipe(main)
