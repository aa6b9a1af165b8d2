"""Blocks of one map: one map in, one of its shape out; layers, stages of a cell, translators of SimVP."""
