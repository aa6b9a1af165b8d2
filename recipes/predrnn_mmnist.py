"""Train PredRNN on Moving MNIST, 10 frames to 10.

python recipes/predrnn_mmnist.py
python recipes/predrnn_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from stblocks import create_model
from stblocks.tasks import PatchSettings, moving_mnist, train_and_report
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, moving_mnist.MovingMNISTSettings):
    """A small setting."""


#: Wang et al., NeurIPS 2017, Sec. 4.1: 80,000 steps of 8 sequences, a learning rate of 0.001.
PAPER = Settings(
    sequences=10_000,
    channels=128,
    num_layers=4,
    kernel_size=5,
    precision="no",
    epochs=64,
    lr=1e-3,
    sampling="scheduled",
    schedule="constant",
    warmup=0.0,
    grad_clip=None,
)


def build(settings: Settings, options: dict[str, Any]) -> nn.Module:
    return create_model("predrnn", **options)


def main(argv: Sequence[str] | None = None) -> None:
    train_and_report("predrnn_mmnist", build, Settings(), PAPER, __doc__, argv, data_sets=moving_mnist.data_sets)


if __name__ == "__main__":
    run_recipe(main)
