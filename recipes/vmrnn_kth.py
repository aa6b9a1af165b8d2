"""Train VMRNN on KTH, 10 frames to 10, and test it on 20; no data are made for it.

python recipes/vmrnn_kth.py --data kth/
python recipes/vmrnn_kth.py --data kth/ --paper
"""

from dataclasses import dataclass
from typing import Annotated, Any

from stblocks import Forecaster, create_model
from stblocks.tasks import Recipe, kth
from stblocks.train import Option, run_recipe


@dataclass(frozen=True, kw_only=True)
class Settings(kth.KTHSettings):
    """A small setting."""

    channels: Annotated[int, Option("Channels of the patches.")] = 16
    depth: Annotated[int, Option("Blocks of the cell.")] = 1
    patch_size: Annotated[int, Option("Side of the patches that frames are cut into.")] = 4
    out_frames = 10


#: Sec. 4.1 and Table 1: MSE, 2 sequences on each of 4 GPUs, 100 epochs; the course of the learning rate is that of
#: configs/kth/VMRNN-B.py of the released code. For 40 frames, lr=1e-4 and test_frames=40.
PAPER = Settings(
    size=128, channels=128, depth=6, patch_size=2, epochs=100, lr=5e-4, schedule="cosine", warmup=0.05, grad_clip=None
)


def build(settings: Settings, options: dict[str, Any]) -> Forecaster:
    return create_model("vmrnn_b", **options)


main = Recipe("vmrnn_kth", build, Settings(), PAPER, kth.data_sets, __doc__)

if __name__ == "__main__":
    run_recipe(main)
