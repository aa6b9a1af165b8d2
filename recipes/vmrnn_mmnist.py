"""Train VMRNN on Moving MNIST, 10 frames to 10.

python recipes/vmrnn_mmnist.py
python recipes/vmrnn_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmnist import DigitSettings, run_recipe, train_and_report
from u_shape import UShapeSettings

from stblocks import create_model


@dataclass(frozen=True, kw_only=True)
class Settings(UShapeSettings, DigitSettings):
    """A small setting."""

    sequences: int = 400
    l1: float = 0.0


#: VMRNN, Sec. 4.1 and Table 1: MSE, batches of 8, 2000 epochs; the released code keeps the learning rate constant.
PAPER = Settings(
    channels=128,
    depths_down=(2, 6),
    depths_up=(6, 2),
    patch_size=2,
    sequences=10_000,
    epochs=2000,
    lr=5e-5,
    schedule="constant",
    warmup=0.0,
    grad_clip=None,
    precision="no",
)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("vmrnn_d", **frames, **settings.model_options)

    train_and_report("vmrnn_mmnist", build, Settings(), PAPER, __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
