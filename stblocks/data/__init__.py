"""Data sets of sequences: your own arrays, public radar sets, and rain made on the fly."""

from .cikm import CIKM2017, CIKM_DBZ
from .folders import FrameFolders
from .sequence import Scaler, Sequence
from .shanghai import Shanghai2020
from .synthetic import SyntheticRadar
from .windows import SequenceWindows

__all__ = [
    "CIKM2017",
    "CIKM_DBZ",
    "FrameFolders",
    "Scaler",
    "Sequence",
    "SequenceWindows",
    "Shanghai2020",
    "SyntheticRadar",
]
