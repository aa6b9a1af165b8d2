"""Train GMG on rain radar, 5 frames to 10, and forecast the test set.

With no argument this takes a small GMG and made rain, and a few minutes. The run's directory ends up with the scores
beside those of persistence, pictures, the checkpoint that `--resume` goes on from, and the model for `from_pretrained`.

    python recipes/gmg_cikm.py
    python recipes/gmg_cikm.py --data CIKM2017/
    python recipes/gmg_cikm.py --data CIKM2017/ --paper
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from torch import nn

from stblocks import create_model
from stblocks.tasks import PatchSettings, radar, train_and_report
from stblocks.train import Help, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(PatchSettings, radar.RadarSettings):
    """The small setting."""

    model: Annotated[Literal["gmg_l", "gmg_m", "gmg_s"], Help("Which GMG.")] = "gmg_l"
    channels = 64


#: Table I of the paper, GMG-L on CIKM2017; the course of the learning rate, which it does not say, is ours.
PAPER = Settings(
    channels=128,
    num_layers=4,
    kernel_size=5,
    epochs=100,
    batch_size=16,
    lr=3e-4,
    schedule="onecycle",
    warmup=0.3,
    l1=1.0,
    precision="no",
    thresholds=(30.0, 40.0, 50.0),
)


def build(settings: Settings, options: dict[str, Any]) -> nn.Module:
    return create_model(settings.model, **options)


def main(argv: Sequence[str] | None = None) -> None:
    train_and_report("gmg_cikm", build, Settings(), PAPER, __doc__, argv, data_sets=radar.data_sets)


if __name__ == "__main__":
    run_recipe(main)
