"""Train TAU on Moving MNIST, 10 frames to 10.

python recipes/tau_mmnist.py
python recipes/tau_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from stblocks import create_model
from stblocks.tasks import SimVPSettings, moving_mnist, train_and_report
from stblocks.train import Objective, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(SimVPSettings, moving_mnist.MovingMNISTSettings):
    """A small setting."""

    l1 = 0.0


#: The settings of SimVPv2, which are those of configs/mmnist/TAU.py of OpenSTL as well.
PAPER = Settings(
    channels=64,
    translator_channels=512,
    num_layers=8,
    sequences=10_000,
    epochs=200,
    batch_size=16,
    lr=1e-3,
    schedule="onecycle",
    warmup=0.3,
    grad_clip=None,
    precision="no",
)
#: Tan et al., CVPR 2023: MSE and a tenth of the differential divergence.
OBJECTIVE = partial(Objective, divergence=0.1)


def build(settings: Settings, options: dict[str, Any]) -> nn.Module:
    return create_model("tau", **options)


def main(argv: Sequence[str] | None = None) -> None:
    options: dict[str, Any] = {"data_sets": moving_mnist.data_sets, "objective": OBJECTIVE}
    train_and_report("tau_mmnist", build, Settings(), PAPER, __doc__, argv, **options)


if __name__ == "__main__":
    run_recipe(main)
