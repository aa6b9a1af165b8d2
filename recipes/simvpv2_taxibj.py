"""Train SimVPv2 on flows of crowds in a city, 4 frames to 4.

python recipes/simvpv2_taxibj.py
python recipes/simvpv2_taxibj.py --data TaxiBJ/ --paper
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simvp import SimVPSettings
from taxibj import TrafficSettings, run_recipe, train_and_report

from stblocks import create_model


@dataclass(frozen=True, kw_only=True)
class Settings(SimVPSettings, TrafficSettings):
    """A small setting."""

    encoder_layers: int = 2
    translator_channels: int = 64


#: configs/taxibj/simvp/SimVP_gSTA.py of OpenSTL and its benchmark: 50 epochs, the first 5 of them to warm up; of this,
#: the paper says nothing.
PAPER = Settings(
    channels=32,
    translator_channels=256,
    num_layers=8,
    drop_path=0.1,
    epochs=50,
    batch_size=16,
    lr=5e-4,
    schedule="cosine",
    warmup=0.1,
    grad_clip=None,
)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("simvpv2_s", **frames, in_frames=4, out_frames=4, **settings.model_options)

    train_and_report("simvpv2_taxibj", build, Settings(), PAPER, __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
