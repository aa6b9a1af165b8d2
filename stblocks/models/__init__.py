"""Registered models, one family a file."""

from . import gmg, predrnn

__all__ = ["gmg", "predrnn"]
