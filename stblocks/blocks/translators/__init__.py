"""Translators: from the features of all past frames to those of all future ones."""
