"""Weights of any module: how they lie in memory, what they were called before, how they are folded together."""
