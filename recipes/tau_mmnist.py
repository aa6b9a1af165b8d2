"""Train TAU on Moving MNIST, 10 frames to 10.

python recipes/tau_mmnist.py
python recipes/tau_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, SimVPSettings, moving_mnist
from stblocks.train import Objective, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(SimVPSettings, moving_mnist.MovingMNISTSettings):
    """A small setting."""

    l1 = 0.0


#: The settings of SimVPv2, which are those of configs/mmnist/TAU.py of OpenSTL as well.
PAPER = Settings(
    channels=64, translator_channels=512, num_layers=8, sequences=10_000,
    epochs=200, batch_size=16, lr=1e-3, schedule="onecycle", warmup=0.3, grad_clip=None, precision="no",
)  # fmt: skip
#: Tan et al., CVPR 2023: MSE and a tenth of the differential divergence.
OBJECTIVE = partial(Objective, divergence=0.1)


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("tau", **options)


main = Recipe("tau_mmnist", build, Settings(), PAPER, moving_mnist.data_sets, __doc__, objective=OBJECTIVE)

if __name__ == "__main__":
    run_recipe(main)
