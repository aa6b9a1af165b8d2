"""Registered models, one family a file, and what they are made of: a base in a frame, with plugs."""

from . import (
    baselines,
    convlstm,
    crevnet,
    e3d_lstm,
    gmg,
    gru,
    hybrid,
    mau,
    phydnet,
    plugs,
    prednet,
    predrnn,
    simvp,
    swinlstm,
    vmrnn,
)
from .base import BASES, PLUGS, Base, Place, Plug, register_base, register_plug
from .frame import Frame
from .patch_frame import PatchFrame

__all__ = [
    "BASES",
    "PLUGS",
    "Base",
    "Frame",
    "PatchFrame",
    "Place",
    "Plug",
    "baselines",
    "convlstm",
    "crevnet",
    "e3d_lstm",
    "gmg",
    "gru",
    "hybrid",
    "mau",
    "phydnet",
    "plugs",
    "prednet",
    "predrnn",
    "register_base",
    "register_plug",
    "simvp",
    "swinlstm",
    "vmrnn",
]
