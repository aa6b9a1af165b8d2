"""Train GMG on hourly 2 m temperature, 12 hours to 12.

python recipes/gmg_weather.py
python recipes/gmg_weather.py --data 2m_temperature/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import PatchSettings, Recipe, weather
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, weather.WeatherSettings):
    """A small setting, which sees the temperature alone."""

    epochs = 4
    batch_size = 8
    lr = 1e-3


#: Table I, GMG-s on WeatherBench; what it does not say is in configs/weather/GMG.py of the released code. Its 52,559
#: sequences are those of the hours of 2010 to 2015.
PAPER = Settings(
    channels=128, num_layers=4, kernel_size=5, patch_size=2, first_year=2010, stride=1, epochs=100, batch_size=16,
    lr=3e-4, schedule="cosine", warmup=0.0, sampling="scheduled", sampling_steps=50_000, grad_clip=None,
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("gmg_s", attention_channels=64, out_channels=1, **options)


main = Recipe("gmg_weather", build, Settings(), PAPER, weather.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
