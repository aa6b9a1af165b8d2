"""Train CMS-LSTM on Moving MNIST, 10 frames to 10.

python recipes/cms_lstm_mmnist.py
python recipes/cms_lstm_mmnist.py --glyphs data/ --test_file data/ --paper
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


#: Paper, Sec. 3.1 and 3.3: 80,000 steps of 8 sequences; it names no decay of the learning rate.
PAPER = Settings(
    sequences=10_000,
    num_layers=4,
    precision="no",
    channels=64,
    kernel_size=3,
    epochs=64,
    lr=1e-3,
    sampling="scheduled",
    schedule="constant",
    warmup=0.0,
    grad_clip=None,
)


def build(settings: Settings, options: dict[str, Any]) -> nn.Module:
    return create_model("cms_lstm", **options)


def main(argv: Sequence[str] | None = None) -> None:
    train_and_report("cms_lstm_mmnist", build, Settings(), PAPER, __doc__, argv, data_sets=moving_mnist.data_sets)


if __name__ == "__main__":
    run_recipe(main)
