"""Blocks: one paper's idea a file."""

from .convlstm import ConvLSTM
from .gfm import GFM, SimpleGFM
from .highway import HighwayEntry, MotionHighway
from .mgm import MGM
from .motion_gru import MotionGRU
from .sam import SAM
from .st_convlstm import DecoupledSTConvLSTM, STConvLSTM

__all__ = [
    "GFM",
    "MGM",
    "SAM",
    "ConvLSTM",
    "DecoupledSTConvLSTM",
    "HighwayEntry",
    "MotionGRU",
    "MotionHighway",
    "STConvLSTM",
    "SimpleGFM",
]
