"""Train PredRNN on Moving MNIST, 10 frames to 10.

python recipes/predrnn_mmnist.py
python recipes/predrnn_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from collections.abc import Sequence
from typing import Any

from mmnist import Settings, paper, run_recipe, train_and_report

from stblocks import create_model

#: Wang et al., NeurIPS 2017, Sec. 4.1: 80,000 steps of 8 sequences, a learning rate of 0.001.
PAPER = paper(epochs=64, lr=1e-3, sampling="scheduled", schedule="constant", warmup=0.0, grad_clip=None)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("predrnn", **frames, **settings.model_options)

    train_and_report("predrnn_mmnist", build, Settings(), PAPER, __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
