"""Composable spatiotemporal blocks for PyTorch."""

from . import models as _models  # noqa: F401  (registers the models)
from .blocks import GFM, MGM, SAM, ConvLSTM, HighwayEntry, MotionGRU, MotionHighway, SimpleGFM, STConvLSTM
from .core import (
    AUX, DEPTH, LOCAL, TIME, ZIGZAG,
    Block, C, Cell, D, F, Forecaster, H, M, O, RecurrentForecaster, RecurrentStack, Rollout, Route, Slot, X, Z,
    create_model, list_models, register_model,
)  # fmt: skip

__version__ = "0.1.0"

__all__ = [
    "AUX", "DEPTH", "GFM", "LOCAL", "MGM", "SAM", "TIME", "ZIGZAG",
    "Block", "C", "Cell", "ConvLSTM", "D", "F", "Forecaster", "H", "HighwayEntry", "M", "MotionGRU", "MotionHighway",
    "O", "RecurrentForecaster", "RecurrentStack", "Rollout", "Route", "STConvLSTM", "SimpleGFM", "Slot", "X", "Z",
    "create_model", "list_models", "register_model",
]  # fmt: skip
