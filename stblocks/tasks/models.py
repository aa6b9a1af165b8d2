"""Settings of small models, for recipes to add to those of a task."""

from dataclasses import dataclass
from typing import Annotated

from ..train import Option, Settings


@dataclass(frozen=True, kw_only=True)
class PatchSettings(Settings):
    """A small stack of recurrent cells on patches."""

    channels: Annotated[int, Option("Channels of the states.")] = 32
    num_layers: Annotated[int, Option("Layers.")] = 2
    patch_size: Annotated[int, Option("Side of the patches that frames are cut into.")] = 4
    kernel_size: Annotated[int, Option("Side of the kernels.")] = 3


@dataclass(frozen=True, kw_only=True)
class SimVPSettings(Settings):
    """A small SimVP."""

    channels: Annotated[int, Option("Of the features of a frame.")] = 16
    encoder_layers: Annotated[int, Option("Convolutions in the encoder and in the decoder.")] = 4
    translator_channels: Annotated[int, Option("Of the features of all frames together.")] = 128
    num_layers: Annotated[int, Option("Blocks of the translator.")] = 4
    drop_path: Annotated[float, Option("Rate of stochastic depth at the last block.")] = 0.0


@dataclass(frozen=True, kw_only=True)
class UShapeSettings(Settings):
    """A small VMRNN-D or SwinLSTM-D."""

    channels: Annotated[int, Option("Channels of the patches.")] = 32
    depths_down: Annotated[tuple[int, ...], Option("Blocks of each cell on the way to coarse maps.")] = (1, 1)
    depths_up: Annotated[tuple[int, ...], Option("The same for the way back, from coarse to fine.")] = (1, 1)
    patch_size: Annotated[int, Option("Side of the patches that frames are cut into.")] = 4
