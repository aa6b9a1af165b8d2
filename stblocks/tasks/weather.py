"""Weather, 12 hours to 12."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import numpy as np

from ..data import WeatherBench, write_synthetic_weather
from ..data.weatherbench import YEARS
from ..train import Help, Option, TrainConfig


@dataclass(frozen=True, kw_only=True)
class WeatherSettings(TrainConfig):
    """A small setting, of any model."""

    data: Annotated[
        str | None, Help("A file or folder that `stblocks.data.WeatherBench` reads; without it, made weather.")
    ] = None
    variable: Annotated[str, Help("Its name in the files.")] = "t2m"
    step: Annotated[int, Help("Hours from one frame to the next.")] = 1
    stride: Annotated[int, Help("Frames from the start of a training sequence to that of the next.")] = 2
    validation_fraction: Annotated[
        float,
        Help(
            "Share of the hours for training of an `.npz` file that is held out to choose the weights, "
            "those of the lowest MSE. With 0 the file's validation part chooses them; if it has none, "
            "sequences that are trained on do."
        ),
    ] = 0.0
    first_year: Annotated[
        int | None,
        Help(
            "Train on the years from this one to 2015; `None` on the hours that an `.npz` file says, or 1979 to 2015."
        ),
    ] = None
    in_frames: Annotated[int, Help("Frames a forecast starts from.")] = 12
    out_frames: Annotated[int, Help("Frames to forecast.")] = 12

    epochs = 8
    batch_size = 16
    lr = 5e-3
    metrics = ("mse@pixel", "rmse@physical", "mae@physical")


@dataclass(frozen=True, kw_only=True)
class SimVPWeatherSettings(WeatherSettings):
    """A small setting, of SimVP, which may see more than it forecasts."""

    extras: Annotated[tuple[str, ...], Help("Channels to see beside it, see `WeatherBench`.")] = (
        "climatology",
        "climatology_ahead",
    )
    translator: Annotated[str, Option("Block of the translator.")] = "gsta"
    channels: Annotated[int, Option("Features of a frame.")] = 4
    encoder_layers: Annotated[int, Option("Convolutions of the encoder.")] = 2
    translator_channels: Annotated[int, Option("Width of the translator.")] = 16
    num_layers: Annotated[int, Option("Blocks of the translator.")] = 1
    mlp_ratio: Annotated[
        float | None,
        Option(
            "Hidden channels in a block for each channel; none leaves them to the translator, as one without needs."
        ),
    ] = 2.0
    drop: Annotated[float, Option("Dropout in the blocks.")] = 0.0
    drop_path: Annotated[float, Option("Chance that the last block is left out; it grows from 0.")] = 0.0
    shortcut: Annotated[
        int | None, Option("Side of the neighbourhood whose weighted sum the forecasts are added to.")
    ] = 9

    weight_decay = 0.05
    ema_decay = 0.95
    validate_every = 2


def data_sets(settings: WeatherSettings) -> list[WeatherBench]:
    """To train, to validate, to test."""
    with TemporaryDirectory() as folder:
        if settings.data is not None:
            return read(settings.data, settings)
        made = Path(folder, "weather.npz")
        write_synthetic_weather(made)
        return read(str(made), settings)  # into memory


def read(path: str, settings: WeatherSettings) -> list[WeatherBench]:
    """The three parts of a file or folder."""
    options: dict[str, Any] = {
        "variables": settings.variable,
        "validation_fraction": settings.validation_fraction,
        "extras": settings.extras if isinstance(settings, SimVPWeatherSettings) else (),
        "in_frames": settings.in_frames,
        "out_frames": settings.out_frames,
        "step": settings.step,
        "years": None if settings.first_year is None else YEARS | {"train": (settings.first_year, YEARS["train"][1])},
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
