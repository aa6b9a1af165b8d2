"""Train MAU on Moving MNIST, 10 frames to 10.

python recipes/mau_mmnist.py
python recipes/mau_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from dataclasses import dataclass
from typing import Annotated, Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, moving_mnist
from stblocks.train import Option, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(moving_mnist.MovingMNISTSettings):
    """A small setting."""

    channels: Annotated[int, Option("Of every layer.")] = 16
    num_layers: Annotated[int, Option("Motion-aware units.")] = 2
    tau: Annotated[int, Option("Past states that each unit attends to.")] = 5
    l1 = 0.0


#: configs/mmnist/MAU.py of OpenSTL and its benchmark, 200 epochs of batches of 16.
PAPER = Settings(
    channels=64, num_layers=4, sequences=10_000, epochs=200, batch_size=16, lr=1e-3, schedule="onecycle", warmup=0.3,
    sampling="scheduled", sampling_steps=50_000, grad_clip=None, precision="no",
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("mau", **options)


main = Recipe("mau_mmnist", build, Settings(), PAPER, moving_mnist.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
