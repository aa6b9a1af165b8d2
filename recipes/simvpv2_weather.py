"""Train a small SimVPv2 on hourly 2 m temperature, 12 hours to 12, and forecast the test part.

With no argument the weather is made up. The run's directory ends up with the scores beside those of persistence, in
kelvin, pictures, the checkpoint that `--resume` goes on from, and the model for `from_pretrained`.

    python recipes/simvpv2_weather.py
    python recipes/simvpv2_weather.py --data t2m-era5-uk.npz
    python recipes/simvpv2_weather.py --data 2m_temperature/ --step 1 --paper

The model forecasts the temperature alone; beside it, it sees `--extras`, such as what is usual at the hour and the
place. It adds what it finds to a weighted sum of the past hours nearby, which starts as persistence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from recipe import train_and_report

from stblocks import create_model
from stblocks.data import WeatherBench, write_synthetic_weather
from stblocks.train import TrainConfig, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(TrainConfig):
    """The small setting.

    Args:
        data: A file or folder that `stblocks.data.WeatherBench` reads; without it, made weather.
        variable: Its name in the files.
        extras: Channels to see beside it, see `WeatherBench`.
        step: Hours from one frame to the next.
        stride: Frames from the start of a training sequence to that of the next.
        validation_fraction: Share of the hours for training of an `.npz` file that is held out to choose the weights,
            those of the lowest MSE. With 0 the file's validation part chooses them; if it has none, sequences that
            are trained on do.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        translator: Block of the translator.
        channels: Features of a frame.
        encoder_layers: Convolutions of the encoder.
        translator_channels: Width of the translator.
        num_layers: Blocks of the translator.
        mlp_ratio: Hidden channels in a block for each channel.
        drop: Dropout in the blocks.
        drop_path: Chance that the last block is left out; it grows from 0.
        shortcut: Side of the neighbourhood whose weighted sum the forecasts are added to.
    """

    data: str | None = None
    variable: str = "t2m"
    extras: tuple[str, ...] = ("climatology", "climatology_ahead")
    step: int = 1
    stride: int = 2
    validation_fraction: float = 0.0
    in_frames: int = 12
    out_frames: int = 12
    translator: str = "gsta"
    channels: int = 4
    encoder_layers: int = 2
    translator_channels: int = 16
    num_layers: int = 1
    mlp_ratio: float = 2.0
    drop: float = 0.0
    drop_path: float = 0.0
    shortcut: int | None = 9

    epochs: int = 8
    batch_size: int = 16
    lr: float = 5e-3
    weight_decay: float = 0.05
    ema_decay: float | None = 0.95
    validate_every: int = 2
    metrics: tuple[str, ...] = ("mse@pixel", "rmse@physical", "mae@physical")

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of `create_model`, beside the shape of the frames."""
        names = ("in_frames", "out_frames", "translator", "channels", "encoder_layers", "translator_channels")
        names += ("num_layers", "mlp_ratio", "drop", "drop_path", "shortcut")
        return {name: getattr(self, name) for name in names}


#: SimVPv2 on WeatherBench (paper, Sec. V-A3), which sees the variable alone; widths, learning rate and batch are those
#: of the released configurations for that data set.
PAPER = Settings(
    extras=(),
    stride=1,
    channels=32,
    encoder_layers=2,
    translator_channels=256,
    num_layers=8,
    mlp_ratio=8.0,
    drop=0.0,
    drop_path=0.1,
    shortcut=None,
    epochs=50,
    lr=5e-3,
    schedule="cosine",
    weight_decay=0.0,
    l1=0.0,
    ema_decay=None,
    grad_clip=None,
)


def data_sets(settings: Settings) -> list[WeatherBench]:
    """To train, to validate, to test."""
    with TemporaryDirectory() as folder:
        if settings.data is not None:
            return read(settings.data, settings)
        made = Path(folder, "weather.npz")
        write_synthetic_weather(made)
        return read(str(made), settings)  # into memory


def read(path: str, settings: Settings) -> list[WeatherBench]:
    """The three parts of a file or folder."""
    options: dict[str, Any] = {
        "variables": settings.variable,
        "validation_fraction": settings.validation_fraction,
        "extras": settings.extras,
        "in_frames": settings.in_frames,
        "out_frames": settings.out_frames,
        "step": settings.step,
    }
    train = WeatherBench(path, "train", stride=settings.stride, **options)
    options["scaler"] = train.scaler
    part: Literal["train", "validation"] = "validation"
    if path.endswith(".npz") and not settings.validation_fraction:
        with np.load(path) as arrays:
            if "train_index" in arrays and "validation_index" not in arrays:
                part = "train"
    validation = WeatherBench(path, part, stride=settings.in_frames + settings.out_frames, **options)
    return [train, validation, WeatherBench(path, "test", **options)]


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("simvpv2_s", **frames, out_channels=1, **settings.model_options)

    train_and_report("simvpv2_weather", build, Settings(), PAPER, __doc__, argv, data_sets=data_sets)


if __name__ == "__main__":
    run_recipe(main)
