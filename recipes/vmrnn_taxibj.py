"""Train VMRNN on flows of crowds in a city, 4 frames to 4.

python recipes/vmrnn_taxibj.py
python recipes/vmrnn_taxibj.py --data TaxiBJ/ --paper
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taxibj import TrafficSettings, run_recipe, train_and_report

from stblocks import create_model


@dataclass(frozen=True, kw_only=True)
class Settings(TrafficSettings):
    """A small setting.

    Args:
        channels: Channels of the patches.
        depth: Blocks of the cell.
        patch_size: Side of the patches that frames are cut into.
    """

    channels: int = 32
    depth: int = 2
    patch_size: int = 4

    epochs: int = 4


#: VMRNN, Sec. 4.1 and Table 1: MSE, batches of 16, 200 epochs; the course of the learning rate, which it does not say,
#: is that of configs/taxibj/VMRNN-B.py of the released code, 5 epochs to warm up.
PAPER = Settings(
    channels=128,
    depth=12,
    epochs=200,
    batch_size=16,
    lr=4e-4,
    schedule="cosine",
    warmup=0.025,
    grad_clip=None,
)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model(
            "vmrnn_b", **frames, channels=settings.channels, depth=settings.depth, patch_size=settings.patch_size
        )

    train_and_report("vmrnn_taxibj", build, Settings(), PAPER, __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
