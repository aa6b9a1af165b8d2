"""Weights of the papers' released code, as our modules."""

from .official import KINDS, from_official

__all__ = ["KINDS", "from_official"]
