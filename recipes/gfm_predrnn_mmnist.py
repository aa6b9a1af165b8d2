"""Train a hybrid on Moving MNIST, 10 frames to 10: GMG's global focus inside PredRNN.

python recipes/gfm_predrnn_mmnist.py
python recipes/gfm_predrnn_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from collections.abc import Sequence
from typing import Any

from mmnist import Settings, paper, run_recipe, train_and_report

from stblocks import create_model

#: GMG paper, Table I, Moving MNIST; the course of the learning rate, which it does not say, is ours.
PAPER = paper(epochs=600, batch_size=16, lr=3e-4, schedule="onecycle", warmup=0.3)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("hybrid", base="predrnn", plugs=["gfm"], **frames, **settings.model_options)

    train_and_report("gfm_predrnn_mmnist", build, Settings(), PAPER, __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
