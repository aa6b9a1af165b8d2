"""Train SwinLSTM on Moving MNIST, 10 frames to 10.

python recipes/swinlstm_mmnist.py
python recipes/swinlstm_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, UShapeSettings, moving_mnist
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(UShapeSettings, moving_mnist.MovingMNISTSettings):
    """A small setting."""

    sequences = 1200
    depths_down = (2, 2)
    depths_up = (2, 2)
    l1 = 0.0


#: configs.py and train.py of the released code (Tang et al., ICCV 2023): MSE, Adam, a constant learning rate.
PAPER = Settings(
    channels=128, depths_down=(2, 6), depths_up=(2, 6), patch_size=2, sequences=10_000,
    epochs=2000, batch_size=16, lr=1e-4, schedule="constant", warmup=0.0, grad_clip=None, precision="no",
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("swinlstm_d", **options)


main = Recipe("swinlstm_mmnist", build, Settings(), PAPER, moving_mnist.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
