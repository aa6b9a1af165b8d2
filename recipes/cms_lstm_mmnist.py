"""Train CMS-LSTM on Moving MNIST, 10 frames to 10.

python recipes/cms_lstm_mmnist.py
python recipes/cms_lstm_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import PatchSettings, Recipe, moving_mnist
from stblocks.train import Objective, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, moving_mnist.MovingMNISTSettings):
    """A small setting."""


#: Paper, Sec. 3.1 and 3.3: 80,000 steps of 8 sequences, AdamW; what it does not say is that of the released trainer.
PAPER = Settings(
    channels=64, num_layers=4, kernel_size=3, sequences=10_000, epochs=64, lr=1e-3, weight_decay=0.01,
    schedule="cosine", warmup=0.0, sampling="scheduled", sampling_steps=40_000, grad_clip=None, precision="no",
)  # fmt: skip
#: The forecast that is made of one frame does not count.
OBJECTIVE = partial(Objective, skip=1)


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("cms_lstm", **options)


main = Recipe("cms_lstm_mmnist", build, Settings(), PAPER, moving_mnist.data_sets, __doc__, objective=OBJECTIVE)

if __name__ == "__main__":
    run_recipe(main)
