"""Train TAU on Moving MNIST, 10 frames to 10.

python recipes/tau_mmnist.py
python recipes/tau_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmnist import run_recipe, train_and_report
from simvpv2_mmnist import PAPER, Settings

from stblocks import create_model
from stblocks.train import Objective

#: Tan et al., CVPR 2023: MSE and a tenth of the differential divergence. All other settings are those of SimVPv2, in
#: configs/mmnist/TAU.py of OpenSTL as well.
OBJECTIVE = partial(Objective, divergence=0.1)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("tau", **frames, **settings.model_options)

    train_and_report("tau_mmnist", build, Settings(), PAPER, __doc__, argv, objective=OBJECTIVE)


if __name__ == "__main__":
    run_recipe(main)
