"""Blocks of whole sequences, which keep time an axis of its own."""
