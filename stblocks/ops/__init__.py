"""Numerical kernels with back ends."""
