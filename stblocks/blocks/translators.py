"""The blocks that a SimVP translator can be made of, by name."""

from collections.abc import Callable
from typing import Any

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

#: Hidden channels of an MLP for each channel, in the released models.
MLP_RATIO = 8.0


def _plain(block: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """A block that does not care where it stands."""

    def make(
        channels: int, *, layer: int, size: tuple[int, int], resized: bool, mlp_ratio: float = MLP_RATIO, **options: Any
    ) -> nn.Module:
        return block(channels, mlp_ratio=mlp_ratio, **options)

    return make


def _mlp_mixer(
    channels: int, *, layer: int, size: tuple[int, int], resized: bool, mlp_ratio: float = MLP_RATIO, **options: Any
) -> nn.Module:
    return MLPMixerBlock(channels, size=size, mlp_ratio=mlp_ratio, **options)


def _swin(mask_shift: bool) -> Callable[..., nn.Module]:
    """Windows of 4, as released; every second layer shifts them."""

    def make(
        channels: int, *, layer: int, size: tuple[int, int], resized: bool, mlp_ratio: float = MLP_RATIO, **options: Any
    ) -> nn.Module:
        options |= {"window_size": 4, "shift": layer % 2 == 1, "mask_shift": mask_shift}
        return SwinBlock(channels, mlp_ratio=mlp_ratio, **options)

    return make


def _uniformer(
    channels: int, *, layer: int, size: tuple[int, int], resized: bool, mlp_ratio: float = MLP_RATIO, **options: Any
) -> nn.Module:
    """Attention but in the first layer and before a change of width, as released."""
    relation = "local" if layer == 0 or resized else "global"
    return UniFormerBlock(channels, relation=relation, mlp_ratio=mlp_ratio, **options)


def _conv_mixer(channels: int, *, layer: int, size: tuple[int, int], resized: bool, **options: Any) -> nn.Module:
    return ConvMixerBlock(channels, kernel_size=11, **options)


#: Name to a function `(channels, *, layer, size, resized, **options)` that makes the block of a layer. `size` is that
#: of its map for frames of the model's `image_size`; `resized` says that a 1x1 convolution behind it changes the width;
#: options are those of `mlp_ratio`, `drop` and `drop_path` that were asked for. Put your own in, and models take it by
#: name.
TRANSLATORS: dict[str, Callable[..., nn.Module]] = {
    "gsta": _plain(GSTA),
    "tau": _plain(TAU),
    "vit": _plain(ViTBlock),
    "swin": _swin(mask_shift=True),
    "swin_unmasked": _swin(mask_shift=False),
    "poolformer": _plain(PoolFormerBlock),
    "mlpmixer": _mlp_mixer,
    "convmixer": _conv_mixer,
    "convnext": _plain(ConvNeXtBlock),
    "van": _plain(VANBlock),
    "hornet": _plain(HorNetBlock),
    "moga": _plain(MogaBlock),
    "uniformer": _uniformer,
}

#: Those whose weights depend on the size of the map.
SIZE_BOUND: frozenset[str] = frozenset({"mlpmixer"})
