"""Train SimVPv2 on flows of crowds in a city, 4 frames to 4.

python recipes/simvpv2_taxibj.py
python recipes/simvpv2_taxibj.py --data TaxiBJ/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, SimVPSettings, taxibj
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(SimVPSettings, taxibj.TaxiBJSettings):
    """A small setting."""

    encoder_layers = 2
    translator_channels = 64


#: configs/taxibj/simvp/SimVP_gSTA.py of OpenSTL and its benchmark: 50 epochs, the first 5 of them to warm up; of this,
#: the paper says nothing.
PAPER = Settings(
    channels=32, translator_channels=256, num_layers=8, drop_path=0.1,
    epochs=50, batch_size=16, lr=5e-4, schedule="cosine", warmup=0.1, grad_clip=None,
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("simvpv2_s", **options, in_frames=4, out_frames=4)


main = Recipe("simvpv2_taxibj", build, Settings(), PAPER, taxibj.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
