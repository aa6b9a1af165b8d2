"""Train a small SimVPv2 on hourly 2 m temperature, 12 hours to 12, and forecast the test part.

With no argument the weather is made up. The run's directory ends up with the scores beside those of persistence, in
kelvin, pictures, the checkpoint that `--resume` goes on from, and the model for `from_pretrained`.

    python recipes/simvpv2_weather.py
    python recipes/simvpv2_weather.py --data t2m-era5-uk.npz
    python recipes/simvpv2_weather.py --data 2m_temperature/ --step 1 --paper

The model forecasts the temperature alone; beside it, it sees `--extras`, such as what is usual at the hour and the
place. It adds what it finds to a weighted sum of the past hours nearby, which starts as persistence.
"""

from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe
from stblocks.tasks.weather import SimVPWeatherSettings, data_sets
from stblocks.train import run_recipe

#: SimVPv2 on WeatherBench (paper, Sec. V-A3), which sees the variable alone; widths, learning rate and batch are those
#: of the released configurations for that data set.
PAPER = SimVPWeatherSettings(
    extras=(), stride=1, shortcut=None,
    channels=32, encoder_layers=2, translator_channels=256, num_layers=8, mlp_ratio=8.0, drop=0.0, drop_path=0.1,
    epochs=50, lr=5e-3, schedule="cosine", weight_decay=0.0, l1=0.0, ema_decay=None, grad_clip=None,
)  # fmt: skip


def build(settings: SimVPWeatherSettings, options: dict[str, Any]) -> Forecaster:
    frames = settings.in_frames, settings.out_frames
    return create_model("simvpv2_s", out_channels=1, in_frames=frames[0], out_frames=frames[1], **options)


main = Recipe("simvpv2_weather", build, SimVPWeatherSettings(), PAPER, data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
