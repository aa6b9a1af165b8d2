"""Blocks: one paper's idea a file."""

from .autoencoder import ConvUnit, Decoder, Encoder
from .causal_lstm import CausalLSTM
from .ce import CE
from .convlstm import ConvLSTM
from .convmixer import ConvMixerBlock
from .gfm import GFM, SimpleGFM
from .gradient_highway import GradientHighway
from .gsta import GSTA
from .highway import HighwayEntry, MotionHighway
from .hornet import HorNetBlock
from .inception import Inception, InceptionUNet
from .map_block import MapBlock
from .metaformer import MetaFormerBlock
from .mgm import MGM
from .mim import MIM, MIMN
from .moganet import MogaBlock
from .motion_gru import MotionGRU
from .sam import SAM
from .se import SE
from .st_convlstm import DecoupledSTConvLSTM, STConvLSTM
from .swin import SwinBlock
from .tau import TAU
from .timm_blocks import ConvNeXtBlock, MLPMixerBlock, PoolFormerBlock, ViTBlock
from .translator import Gated, LinearShortcut, RecurrentTranslator, Translator
from .uniformer import UniFormerBlock
from .van import VANBlock

__all__ = [
    "CE",
    "GFM",
    "GSTA",
    "MGM",
    "MIM",
    "MIMN",
    "SAM",
    "SE",
    "TAU",
    "CausalLSTM",
    "ConvLSTM",
    "ConvMixerBlock",
    "ConvNeXtBlock",
    "ConvUnit",
    "Decoder",
    "DecoupledSTConvLSTM",
    "Encoder",
    "Gated",
    "GradientHighway",
    "HighwayEntry",
    "HorNetBlock",
    "Inception",
    "InceptionUNet",
    "LinearShortcut",
    "MLPMixerBlock",
    "MapBlock",
    "MetaFormerBlock",
    "MogaBlock",
    "MotionGRU",
    "MotionHighway",
    "PoolFormerBlock",
    "RecurrentTranslator",
    "STConvLSTM",
    "SimpleGFM",
    "SwinBlock",
    "Translator",
    "UniFormerBlock",
    "VANBlock",
    "ViTBlock",
]
