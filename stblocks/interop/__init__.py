"""Weights of the papers' released code, as our modules."""

from .checkpoints import read_official
from .official import KINDS, from_official

__all__ = ["KINDS", "from_official", "read_official"]
