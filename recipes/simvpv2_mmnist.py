"""Train SimVPv2 on Moving MNIST, 10 frames to 10.

python recipes/simvpv2_mmnist.py
python recipes/simvpv2_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, SimVPSettings, moving_mnist
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(SimVPSettings, moving_mnist.MovingMNISTSettings):
    """A small setting."""

    l1 = 0.0


#: SimVPv2-S, Sec. V-A and Table II: MSE, Adam, OneCycle, 200 epochs, batches of 16; the learning rate is that of
#: configs/mmnist/simvp/SimVP_gSTA.py of OpenSTL.
PAPER = Settings(
    channels=64, translator_channels=512, num_layers=8, sequences=10_000,
    epochs=200, batch_size=16, lr=1e-3, schedule="onecycle", warmup=0.3, grad_clip=None, precision="no",
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("simvpv2_s", **options)


main = Recipe("simvpv2_mmnist", build, Settings(), PAPER, moving_mnist.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
