"""Train VMRNN on flows of crowds in a city, 4 frames to 4.

python recipes/vmrnn_taxibj.py
python recipes/vmrnn_taxibj.py --data TaxiBJ/ --paper
"""

from dataclasses import dataclass
from typing import Annotated, Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, taxibj
from stblocks.train import Option, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(taxibj.TaxiBJSettings):
    """A small setting."""

    channels: Annotated[int, Option("Channels of the patches.")] = 32
    depth: Annotated[int, Option("Blocks of the cell.")] = 2
    patch_size: Annotated[int, Option("Side of the patches that frames are cut into.")] = 4
    epochs = 4


#: VMRNN, Sec. 4.1 and Table 1: MSE, batches of 16, 200 epochs; the course of the learning rate, which it does not say,
#: is that of configs/taxibj/VMRNN-B.py of the released code, 5 epochs to warm up.
PAPER = Settings(
    channels=128, depth=12, epochs=200, batch_size=16, lr=4e-4, schedule="cosine", warmup=0.025, grad_clip=None
)


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("vmrnn_b", **options)


main = Recipe("vmrnn_taxibj", build, Settings(), PAPER, taxibj.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
