"""Registered models, one family a file."""

from . import convlstm, gmg, hybrid, predrnn, simvp

__all__ = ["convlstm", "gmg", "hybrid", "predrnn", "simvp"]
