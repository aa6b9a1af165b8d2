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
from .one_gate_lstm import OneGateLSTM
from .patch import PatchEmbed, PatchExpanding, PatchInflate, PatchMerging
from .sam import SAM
from .se import SE
from .ss2d import SS2D
from .st_convlstm import DecoupledSTConvLSTM, STConvLSTM
from .swin import SwinBlock
from .swin_lstm import SwinLSTM
from .tau import TAU
from .timm_blocks import ConvNeXtBlock, MLPMixerBlock, PoolFormerBlock, ViTBlock
from .translator import Gated, LinearShortcut, RecurrentTranslator, Translator
from .translators import register_translator
from .uniformer import UniFormerBlock
from .van import VANBlock
from .vmrnn import VMRNN
from .vss import VSS

__all__ = [
    "CE",
    "GFM",
    "GSTA",
    "MGM",
    "MIM",
    "MIMN",
    "SAM",
    "SE",
    "SS2D",
    "TAU",
    "VMRNN",
    "VSS",
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
    "OneGateLSTM",
    "PatchEmbed",
    "PatchExpanding",
    "PatchInflate",
    "PatchMerging",
    "PoolFormerBlock",
    "RecurrentTranslator",
    "STConvLSTM",
    "SimpleGFM",
    "SwinBlock",
    "SwinLSTM",
    "Translator",
    "UniFormerBlock",
    "VANBlock",
    "ViTBlock",
    "register_translator",
]
