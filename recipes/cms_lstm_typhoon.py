"""Train CMS-LSTM on images of typhoons, 8 hours to 4; no data are made for it.

python recipes/cms_lstm_typhoon.py --data typhoons.npy
python recipes/cms_lstm_typhoon.py --data typhoons.npy --paper
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import PatchSettings, Recipe, typhoon
from stblocks.train import Objective, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, typhoon.TyphoonSettings):
    """A small setting."""


#: Paper, Sec. 3.1 and 3.3: 100,000 steps of 8 sequences, of which 1,628 are trained on (a tenth is held out); AdamW and
#: what the paper does not say are those of the released trainer.
PAPER = Settings(
    channels=64, num_layers=4, kernel_size=3, epochs=493, lr=1e-3, weight_decay=0.01, schedule="cosine", warmup=0.0,
    sampling="scheduled", sampling_steps=50_000, grad_clip=None, precision="no",
)  # fmt: skip
#: The forecast that is made of one frame does not count.
OBJECTIVE = partial(Objective, skip=1)


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("cms_lstm", **options)


main = Recipe("cms_lstm_typhoon", build, Settings(), PAPER, typhoon.data_sets, __doc__, objective=OBJECTIVE)

if __name__ == "__main__":
    run_recipe(main)
