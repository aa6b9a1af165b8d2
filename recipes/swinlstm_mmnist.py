"""Train SwinLSTM on Moving MNIST, 10 frames to 10.

python recipes/swinlstm_mmnist.py
python recipes/swinlstm_mmnist.py --glyphs data/ --test_file data/ --paper
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

    sequences: int = 1200
    depths_down: tuple[int, ...] = (2, 2)
    depths_up: tuple[int, ...] = (2, 2)
    l1: float = 0.0


#: configs.py and train.py of the released code (Tang et al., ICCV 2023): MSE, Adam, a constant learning rate.
PAPER = Settings(
    channels=128,
    depths_down=(2, 6),
    depths_up=(2, 6),
    patch_size=2,
    sequences=10_000,
    epochs=2000,
    batch_size=16,
    lr=1e-4,
    schedule="constant",
    warmup=0.0,
    grad_clip=None,
    precision="no",
)


def main(argv: Sequence[str] | None = None) -> None:
    def build(settings: Settings, frames: dict[str, Any]):
        return create_model("swinlstm_d", **frames, **settings.model_options)

    train_and_report("swinlstm_mmnist", build, Settings(), PAPER, __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
