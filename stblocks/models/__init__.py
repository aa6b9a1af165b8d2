"""Registered models, one family a file."""

from . import convlstm, gmg, predrnn

__all__ = ["convlstm", "gmg", "predrnn"]
