"""Train SimVPv2 on KTH, 10 frames to 20; no data are made for it.

python recipes/simvpv2_kth.py --data kth/
python recipes/simvpv2_kth.py --data kth/ --paper
"""

from dataclasses import dataclass
from typing import Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, SimVPSettings, kth
from stblocks.train import run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(SimVPSettings, kth.KTHSettings):
    """A small setting."""

    encoder_layers = 2


#: Paper, Sec. V-C: 100 epochs; the rest is that of configs/kth/simvp/SimVP_gSTA.py of OpenSTL. Which windows of the
#: clips the papers take is ours.
PAPER = Settings(
    size=128, channels=64, encoder_layers=2, translator_channels=256, num_layers=6, drop_path=0.2,
    epochs=100, batch_size=16, lr=1e-3, schedule="onecycle", warmup=0.3, grad_clip=None,
)  # fmt: skip


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("simvpv2_s", in_frames=settings.in_frames, out_frames=settings.out_frames, **options)


main = Recipe("simvpv2_kth", build, Settings(), PAPER, kth.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
