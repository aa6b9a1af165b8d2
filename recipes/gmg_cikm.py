"""Train GMG on rain radar, 5 frames to 10, and forecast the test set.

With no argument it takes made rain and minutes, and leaves scores beside those of persistence, pictures and the model.

    python recipes/gmg_cikm.py
    python recipes/gmg_cikm.py --data CIKM2017/ --paper
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from stblocks import Forecaster, create_model
from stblocks.tasks import PatchSettings, Recipe, radar
from stblocks.train import Help, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, radar.RadarSettings):
    """The small setting."""

    model: Annotated[Literal["gmg_l", "gmg_m", "gmg_s"], Help("Which GMG.")] = "gmg_l"
    channels = 64


#: Table I, GMG-L on CIKM2017; the rest is not published for it: that of configs/mmnist/GMG.py of the released code.
PAPER = Settings(
    channels=128, num_layers=4, kernel_size=5, thresholds=(30, 40, 50), epochs=100, batch_size=16, lr=3e-4, l1=1.0,
    schedule="onecycle", warmup=0.3, sampling="scheduled", sampling_steps=50_000, grad_clip=None, precision="no",
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model(settings.model, **options)


main = Recipe("gmg_cikm", build, Settings(), PAPER, radar.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
