"""Train SimVPv2 on Moving MNIST, 10 frames to 10.

python recipes/simvpv2_mmnist.py
python recipes/simvpv2_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmnist import DigitSettings, run_recipe, train_and_report
from simvp import SimVPSettings

from stblocks import create_model


@dataclass(frozen=True, kw_only=True)
class Settings(SimVPSettings, DigitSettings):
    """A small setting."""

    l1: float = 0.0


#: SimVPv2-S, Sec. V-A and Table II: MSE, Adam, OneCycle, 200 epochs, batches of 16; the learning rate is that of
#: configs/mmnist/simvp/SimVP_gSTA.py of OpenSTL.
PAPER = Settings(
    channels=64,
    translator_channels=512,
    num_layers=8,
    sequences=10_000,
    epochs=200,
    batch_size=16,
    lr=1e-3,
    schedule="onecycle",
    warmup=0.3,
    grad_clip=None,
    precision="no",
)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("simvpv2_s", **frames, **settings.model_options)

    train_and_report("simvpv2_mmnist", build, Settings(), PAPER, __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
