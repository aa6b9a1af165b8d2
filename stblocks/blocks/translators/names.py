"""The blocks that a translator can be made of, by name: of maps, with time in the channels, or of sequences."""

from collections.abc import Callable, Iterable
from functools import partial, wraps
from inspect import Parameter, signature
from typing import Any, NamedTuple

from torch import nn

from ...core.registry import Registry
from ..maps.convmixer import ConvMixerBlock
from ..maps.gsta import GSTA
from ..maps.hornet import HorNetBlock
from ..maps.moganet import MogaBlock
from ..maps.swin import SwinBlock
from ..maps.tau import TAU
from ..maps.tf_aware import TFAwareBlock
from ..maps.timm_blocks import ConvNeXtBlock, MLPMixerBlock, PoolFormerBlock, ViTBlock
from ..maps.uniformer import UniFormerBlock
from ..maps.van import VANBlock
from ..maps.vss import VSS
from ..sequences.afno import AFNOBlock
from ..sequences.conv3d import Conv3DBlock
from ..sequences.predformer import PositionCode, PredFormerBlock

Maker = Callable[..., nn.Module]

#: What the released models give to blocks that have it.
RELEASED: dict[str, Any] = {"mlp_ratio": 8.0}


class Place(NamedTuple):
    """Where in a translator a block stands.

    Attributes:
        layer: Counted from 0.
        size: `(H, W)` of the map for frames of the model's `image_size`.
        resized: Whether a 1x1 convolution behind the block changes the width; never, for blocks of sequences.
    """

    layer: int
    size: tuple[int, int]
    resized: bool


def _as(block: Maker) -> Callable[[Maker], Maker]:
    """Lets `signature` tell of a function that makes a block which options the block has."""
    return wraps(block, assigned=(), updated=())


def _plain(block: Maker, **given: Any) -> Maker:
    return _as(block)(lambda channels, place, **options: block(channels, **given | options))


def _swin(channels: int, place: Place, *, window_size: int = 4, mask_shift: bool = True, **options: Any) -> nn.Module:
    """Windows of 4, as released at the published frame sizes; every second layer shifts them.

    As released, without the mask no window is shifted where one covers the height or the width of the map.
    """
    shift = place.layer % 2 == 1 and (mask_shift or min(place.size) > window_size)
    return SwinBlock(channels, window_size=window_size, shift=shift, mask_shift=mask_shift, **RELEASED | options)


@_as(UniFormerBlock)
def _uniformer(channels: int, place: Place, **options: Any) -> nn.Module:
    """Attention but in the first layer and before a change of width, as released."""
    relation = "local" if place.layer == 0 or place.resized else "global"
    return UniFormerBlock(channels, relation=relation, **RELEASED | options)


class BlockMaker(NamedTuple):
    """How the blocks of a translator are made.

    Attributes:
        make: Called as `(channels, place, **options)`, see `register_translator`.
        size_bound: Whether weights depend on the size of the map.
        sequences: Whether they are blocks of sequences.
    """

    make: Maker
    size_bound: bool = False
    sequences: bool = False


TRANSLATORS = Registry[BlockMaker]("translator", "stblocks.translators")


def register_translator(name: str, *, size_bound: bool = False, sequences: bool = False) -> Callable[[Maker], Maker]:
    """Register a function that makes a block, which models then take as `translator=name`.

    It is called as `(channels, place, **options)` for every layer and returns a module from maps `(B, channels, H, W)`
    to the same. `place` is a `Place`. Options are those of `mlp_ratio`, `window_size`, `drop` and `drop_path` that the
    model was given: a function has an argument for each that its block can take, and a model that is given another one
    refuses it.

    Args:
        name: Of the block.
        size_bound: Whether its weights depend on the size of the map; a model then takes frames of its `image_size`.
        sequences: Whether it is a block of sequences, `(B, T, channels, H, W)` to the same, for `SequenceTranslator`.

    Raises:
        ValueError: If the name is taken, or none is given.

    Example:
        >>> @register_translator("mine")
        ... def mine(channels, place, *, drop=0.0):
        ...     return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.Dropout(drop))
    """
    enter = TRANSLATORS.register(name)

    def register(make: Maker) -> Maker:
        enter(BlockMaker(make, size_bound, sequences))
        return make

    return register


def check_options(name: str, options: Iterable[str]) -> None:
    """Raise a `ValueError` if the function behind a name has no argument for an option."""
    arguments = signature(TRANSLATORS.find(name).make).parameters
    if any(argument.kind is Parameter.VAR_KEYWORD for argument in arguments.values()):
        return
    if lacking := [option for option in options if option not in arguments]:
        raise ValueError(f"translator {name!r} takes no {' and no '.join(lacking)}; leave it out.")


_MAKERS: dict[str, Maker] = {
    "gsta": _plain(GSTA, **RELEASED),
    "tau": _plain(TAU, **RELEASED),
    "vit": _plain(ViTBlock, **RELEASED),
    "swin": _swin,
    "swin_unmasked": partial(_swin, mask_shift=False),
    "poolformer": _plain(PoolFormerBlock, **RELEASED),
    "convmixer": _plain(ConvMixerBlock, kernel_size=11),
    "convnext": _plain(ConvNeXtBlock, **RELEASED),
    "van": _plain(VANBlock, **RELEASED),
    "hornet": _plain(HorNetBlock, **RELEASED),
    "moga": _plain(MogaBlock, **RELEASED),
    "uniformer": _uniformer,
    "tf_aware": _plain(TFAwareBlock),
    "vss": _plain(VSS),
}
for _name, _make in _MAKERS.items():
    register_translator(_name)(_make)


@register_translator("mlpmixer", size_bound=True)
@_as(MLPMixerBlock)
def _mlpmixer(channels: int, place: Place, **options: Any) -> nn.Module:
    return MLPMixerBlock(channels, size=place.size, **RELEASED | options)


@register_translator("predformer", sequences=True)
@_as(PredFormerBlock)
def _predformer(channels: int, place: Place, **options: Any) -> nn.Module:
    """Quadruplet-TSST; what the first block is given says where in the sequence it is."""
    block = PredFormerBlock(channels, over="tsst"[place.layer % 4], **options)
    return nn.Sequential(PositionCode(), block) if place.layer == 0 else block


register_translator("conv3d", sequences=True)(_plain(Conv3DBlock))
register_translator("afno", sequences=True)(_plain(AFNOBlock))
