"""Neighbours: weights of the papers' released code as our modules, and our models as pysteps calls its methods."""

from .checkpoints import read_official
from .official import KINDS, from_official
from .pysteps import as_pysteps_nowcast

__all__ = ["KINDS", "as_pysteps_nowcast", "from_official", "read_official"]
