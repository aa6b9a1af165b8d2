"""Blocks: one paper's idea a file."""

from .causal_lstm import CausalLSTM
from .ce import CE
from .convlstm import ConvLSTM
from .gfm import GFM, SimpleGFM
from .gradient_highway import GradientHighway
from .highway import HighwayEntry, MotionHighway
from .mgm import MGM
from .mim import MIM, MIMN
from .motion_gru import MotionGRU
from .sam import SAM
from .se import SE
from .st_convlstm import DecoupledSTConvLSTM, STConvLSTM
from .swin import SwinBlock

__all__ = [
    "CE",
    "GFM",
    "MGM",
    "MIM",
    "MIMN",
    "SAM",
    "SE",
    "CausalLSTM",
    "ConvLSTM",
    "DecoupledSTConvLSTM",
    "GradientHighway",
    "HighwayEntry",
    "MotionGRU",
    "MotionHighway",
    "STConvLSTM",
    "SimpleGFM",
    "SwinBlock",
]
