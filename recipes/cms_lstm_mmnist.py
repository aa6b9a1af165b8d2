"""Train CMS-LSTM on Moving MNIST, 10 frames to 10.

python recipes/cms_lstm_mmnist.py
python recipes/cms_lstm_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from collections.abc import Sequence
from typing import Any

from mmnist import Settings, paper, run_recipe, train_and_report

from stblocks import create_model

#: Paper, Sec. 3.1 and 3.3: 80,000 steps of 8 sequences; it names no decay of the learning rate.
PAPER = paper(
    channels=64,
    kernel_size=3,
    epochs=64,
    lr=1e-3,
    sampling="scheduled",
    schedule="constant",
    warmup=0.0,
    grad_clip=None,
)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("cms_lstm", **frames, **settings.model_options)

    train_and_report("cms_lstm_mmnist", build, Settings(), PAPER, __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
