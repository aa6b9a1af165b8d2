"""Train PredRNN on Moving MNIST, 10 frames to 10.

python recipes/predrnn_mmnist.py
python recipes/predrnn_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import PatchSettings, Recipe, moving_mnist
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, moving_mnist.MovingMNISTSettings):
    """A small setting."""


#: Wang et al., NeurIPS 2017, Sec. 4.1: 80,000 steps of 8 sequences, a learning rate of 0.001.
PAPER = Settings(
    channels=128, num_layers=4, kernel_size=5,
    sequences=10_000, epochs=64, lr=1e-3, sampling="scheduled",
    schedule="constant", warmup=0.0, grad_clip=None, precision="no",
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("predrnn", **options)


main = Recipe("predrnn_mmnist", build, Settings(), PAPER, moving_mnist.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
