"""Registered models, one family a file."""

from . import convlstm, gmg, hybrid, predrnn, simvp, vmrnn

__all__ = ["convlstm", "gmg", "hybrid", "predrnn", "simvp", "vmrnn"]
