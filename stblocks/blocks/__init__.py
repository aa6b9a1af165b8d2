"""Blocks: one paper's idea a file."""

from .autoencoder import ConvUnit, Decoder, Encoder
from .causal_lstm import CausalLSTM
from .ce import CE
from .convlstm import ConvLSTM
from .gfm import GFM, SimpleGFM
from .gradient_highway import GradientHighway
from .gsta import GSTA
from .highway import HighwayEntry, MotionHighway
from .inception import Inception, InceptionUNet
from .map_block import MapBlock
from .mgm import MGM
from .mim import MIM, MIMN
from .motion_gru import MotionGRU
from .sam import SAM
from .se import SE
from .st_convlstm import DecoupledSTConvLSTM, STConvLSTM
from .swin import SwinBlock
from .tau import TAU
from .translator import Gated, RecurrentTranslator, Translator

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
    "ConvUnit",
    "Decoder",
    "DecoupledSTConvLSTM",
    "Encoder",
    "Gated",
    "GradientHighway",
    "HighwayEntry",
    "Inception",
    "InceptionUNet",
    "MapBlock",
    "MotionGRU",
    "MotionHighway",
    "RecurrentTranslator",
    "STConvLSTM",
    "SimpleGFM",
    "SwinBlock",
    "Translator",
]
