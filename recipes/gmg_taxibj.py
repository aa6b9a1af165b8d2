"""Train GMG on flows of crowds in a city, 4 frames to 4.

python recipes/gmg_taxibj.py
python recipes/gmg_taxibj.py --data TaxiBJ/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import PatchSettings, Recipe, taxibj
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, taxibj.TaxiBJSettings):
    """A small setting."""

    patch_size = 2


#: Table I, GMG-m on TaxiBJ; what it does not say is in configs/taxibj/GMG.py of the released code: 5 epochs to warm up.
PAPER = Settings(
    channels=128, num_layers=4, kernel_size=5, epochs=200, batch_size=16, lr=3e-4, schedule="cosine", warmup=0.025,
    sampling="scheduled", sampling_steps=50_000, grad_clip=None, l1=1.0,
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("gmg_m", **options)


main = Recipe("gmg_taxibj", build, Settings(), PAPER, taxibj.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
