"""Train a hybrid on Moving MNIST, 10 frames to 10: GMG's global focus inside PredRNN.

python recipes/gfm_predrnn_mmnist.py
python recipes/gfm_predrnn_mmnist.py --glyphs data/ --test_file data/ --paper
"""

from dataclasses import dataclass
from typing import Annotated, Any

from stblocks import Forecaster, create_model
from stblocks.tasks import PatchSettings, Recipe, moving_mnist
from stblocks.train import Option, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, moving_mnist.MovingMNISTSettings):
    """A small setting; without a norm, its forecasts of forecasts grow without bound within 25 steps of training."""

    norm: Annotated[str | None, Option("Norm in the layers, `layer` or `group`.")] = "group"


#: GMG paper, Table I, Moving MNIST; what it does not say is in configs/mmnist/GMG.py of the released code.
PAPER = Settings(
    channels=128, num_layers=4, kernel_size=5, norm=None, sequences=10_000, epochs=600, batch_size=16, lr=3e-4,
    schedule="onecycle", warmup=0.3, sampling="scheduled", sampling_steps=50_000, grad_clip=None, precision="no",
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("hybrid", base="predrnn", plugs=["gfm"], **options)


main = Recipe("gfm_predrnn_mmnist", build, Settings(), PAPER, moving_mnist.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
