"""Composable spatiotemporal blocks for PyTorch."""

from . import models as _models  # noqa: F401  (registers the models)
from .blocks import (
    GFM,
    MGM,
    SAM,
    ConvLSTM,
    DecoupledSTConvLSTM,
    HighwayEntry,
    MotionGRU,
    MotionHighway,
    SimpleGFM,
    STConvLSTM,
)  # fmt: skip
from .core import (
    AUX,
    DECOUPLING,
    DEPTH,
    LOCAL,
    TIME,
    ZIGZAG,
    Block,
    C,
    Cell,
    D,
    F,
    Forecaster,
    H,
    M,
    O,
    RecurrentForecaster,
    RecurrentStack,
    Rollout,
    Route,
    Slot,
    X,
    Z,
    create_model,
    list_models,
    register_model,
    register_variant,
)  # fmt: skip

__version__ = "0.1.0"

__all__ = [
    "AUX", "DECOUPLING", "DEPTH", "GFM", "LOCAL", "MGM", "SAM", "TIME", "ZIGZAG",
    "Block", "C", "Cell", "ConvLSTM", "D", "DecoupledSTConvLSTM", "F", "Forecaster", "H", "HighwayEntry", "M", "MotionGRU", "MotionHighway",
    "O", "RecurrentForecaster", "RecurrentStack", "Rollout", "Route", "STConvLSTM", "SimpleGFM", "Slot", "X", "Z",
    "create_model", "list_models", "register_model", "register_variant",
]  # fmt: skip
