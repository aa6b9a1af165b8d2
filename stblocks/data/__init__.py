"""Data sets of sequences: your own arrays, public radar sets, and rain made on the fly."""

from .sequence import Scaler, Sequence

__all__ = ["Scaler", "Sequence"]
