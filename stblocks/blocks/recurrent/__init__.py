"""Cells: they start the hidden state that a layer gives, and carry it over time."""
