"""Train VMRNN on Moving MNIST, 10 frames to 10.

python recipes/vmrnn_mmnist.py
python recipes/vmrnn_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, UShapeSettings, moving_mnist
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(UShapeSettings, moving_mnist.MovingMNISTSettings):
    """A small setting."""

    sequences = 400
    l1 = 0.0


#: VMRNN, Sec. 4.1 and Table 1: MSE, batches of 8, 2000 epochs; the released code keeps the learning rate constant.
PAPER = Settings(
    channels=128, depths_down=(2, 6), depths_up=(6, 2), patch_size=2,
    sequences=10_000, epochs=2000, lr=5e-5, schedule="constant", warmup=0.0, grad_clip=None, precision="no",
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("vmrnn_d", **options)


main = Recipe("vmrnn_mmnist", build, Settings(), PAPER, moving_mnist.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
