"""The blocks that a SimVP translator can be made of, by name."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from .convmixer import ConvMixerBlock
from .gsta import GSTA
from .hornet import HorNetBlock
from .moganet import MogaBlock
from .swin import SwinBlock
from .tau import TAU
from .timm_blocks import ConvNeXtBlock, MLPMixerBlock, PoolFormerBlock, ViTBlock
from .uniformer import UniFormerBlock
from .van import VANBlock
from .vss import VSS

#: What the released models give to blocks that have it.
RELEASED: dict[str, Any] = {"mlp_ratio": 8.0}


class Place(NamedTuple):
    """Where in a translator a block stands.

    Attributes:
        layer: Counted from 0.
        size: `(H, W)` of the map for frames of the model's `image_size`.
        resized: Whether a 1x1 convolution behind the block changes the width.
    """

    layer: int
    size: tuple[int, int]
    resized: bool


def _plain(block: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    return lambda channels, place, **options: block(channels, **RELEASED | options)


def _swin(channels: int, place: Place, *, mask_shift: bool = True, **options: Any) -> nn.Module:
    """Windows of 4, as released; every second layer shifts them."""
    shift = place.layer % 2 == 1
    return SwinBlock(channels, window_size=4, shift=shift, mask_shift=mask_shift, **RELEASED | options)


def _uniformer(channels: int, place: Place, **options: Any) -> nn.Module:
    """Attention but in the first layer and before a change of width, as released."""
    relation = "local" if place.layer == 0 or place.resized else "global"
    return UniFormerBlock(channels, relation=relation, **RELEASED | options)


#: Name to a function `(channels, place, **options)` that makes a block; options are those of `mlp_ratio`, `drop` and
#: `drop_path` that were asked for. Put your own in, and models take it by name.
TRANSLATORS: dict[str, Callable[..., nn.Module]] = {
    "gsta": _plain(GSTA),
    "tau": _plain(TAU),
    "vit": _plain(ViTBlock),
    "swin": _swin,
    "swin_unmasked": partial(_swin, mask_shift=False),
    "poolformer": _plain(PoolFormerBlock),
    "mlpmixer": lambda channels, place, **options: MLPMixerBlock(channels, size=place.size, **RELEASED | options),
    "convmixer": lambda channels, place, **options: ConvMixerBlock(channels, kernel_size=11, **options),
    "convnext": _plain(ConvNeXtBlock),
    "van": _plain(VANBlock),
    "hornet": _plain(HorNetBlock),
    "moga": _plain(MogaBlock),
    "uniformer": _uniformer,
    "vss": lambda channels, place, **options: VSS(channels, **options),
}

#: Those whose weights depend on the size of the map.
SIZE_BOUND: frozenset[str] = frozenset({"mlpmixer"})
