"""Train a small network that corrects optical flow on rain radar, 5 frames to 10, for heavy rain too.

python recipes/lagrangian_cikm.py --data CIKM2017/
"""

from dataclasses import dataclass
from typing import Annotated, Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, radar
from stblocks.train import Option, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(radar.RadarSettings):
    """A small network, and a loss that looks at 20 and 30 dBZ."""

    channels: Annotated[int, Option("Of the network.")] = 32

    epochs = 8
    lr = 2e-3
    l1 = 0.0
    loss_thresholds = (20.0, 30.0)
    heavier = (1.0, 5.0)
    csi = 0.01
    augment = True
    ema_decay = 0.98


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("lagrangian", **options)


#: Wider and longer, for CIKM2017 as a whole.
LARGE = Settings(channels=64, epochs=20)
main = Recipe("lagrangian_cikm", build, Settings(), LARGE, radar.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
