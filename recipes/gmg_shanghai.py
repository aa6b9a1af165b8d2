"""Train GMG on the rain radar of Shanghai, 10 frames to 10.

python recipes/gmg_shanghai.py
python recipes/gmg_shanghai.py --data Shanghai2020/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import PatchSettings, Recipe, shanghai
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, shanghai.ShanghaiSettings):
    """A small setting."""


#: Table I, GMG-L on Shanghai2020; the rest is not published for it: that of configs/mmnist/GMG.py of the released code.
PAPER = Settings(
    channels=128, num_layers=4, kernel_size=5, thresholds=(30, 40, 50), epochs=200, batch_size=16, lr=3e-4, l1=1.0,
    schedule="onecycle", warmup=0.3, sampling="scheduled", sampling_steps=50_000, grad_clip=None, precision="no",
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("gmg_l", **options)


main = Recipe("gmg_shanghai", build, Settings(), PAPER, shanghai.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
