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
from typing import Any, Literal

from stblocks import create_model
from stblocks.data import WeatherBench, write_synthetic_weather
from stblocks.train import TrainConfig, fit, read_flags, report, run_recipe, seed_everything


@dataclass(frozen=True, kw_only=True)
class Settings(TrainConfig):
    """The small setting.

    Args:
        data: A file or folder that `stblocks.data.WeatherBench` reads; without it, made weather.
        variable: Its name in the files.
        extras: Channels to see beside it, see `WeatherBench`.
        step: Hours from one frame to the next.
        stride: Frames from the start of a training sequence to that of the next.
        validation_fraction: Share of the hours for training that is held out to choose the weights, where an `.npz`
            file has no validation part; with 0, sequences that are trained on choose, and the last weights win.
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


def data_sets(settings: Settings, out: Path) -> list[WeatherBench]:
    """To train, to validate, to test."""
    path = settings.data
    if path is None:
        out.mkdir(parents=True, exist_ok=True)
        path = str(out / "weather.npz")
        write_synthetic_weather(path)
    options: dict[str, Any] = {
        "variables": settings.variable,
        "extras": settings.extras,
        "in_frames": settings.in_frames,
        "out_frames": settings.out_frames,
        "step": settings.step,
    }
    held_out = path.endswith(".npz") and not settings.validation_fraction
    if path.endswith(".npz"):
        options["validation_fraction"] = settings.validation_fraction
    train = WeatherBench(path, "train", stride=settings.stride, **options)
    options["scaler"] = train.scaler
    last: Literal["train", "validation"] = "train" if held_out else "validation"
    validation = WeatherBench(path, last, stride=settings.in_frames + settings.out_frames, **options)
    return [train, validation, WeatherBench(path, "test", **options)]


def main(argv: Sequence[str] | None = None) -> None:
    settings, out, resume = read_flags("simvpv2_weather", Settings(), {"paper": PAPER}, argv, __doc__)
    train, validation, test = data_sets(settings, out)
    seed_everything(settings.seed)
    channels, *size = train.frame_shape
    model = create_model("simvpv2_s", channels, tuple(size), out_channels=train.out_channels, **settings.model_options)
    result = fit(model, train, validation, settings, out, resume=resume)
    options = {"thresholds": settings.thresholds, "metrics": settings.metrics, "batch_size": settings.batch_size}
    report(result.model, test, out, **options)
    print(f"\nScores, pictures, checkpoint and model are in {out}; go on with --out {out} --resume.")


if __name__ == "__main__":
    run_recipe(main)
