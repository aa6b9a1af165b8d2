"""The protocol: slots, blocks, cells, stacks and forecasters. It knows no concrete block or model."""

from .block import Block
from .cell import Cell
from .forecaster import Forecaster, RecurrentForecaster, Rollout
from .registry import ModelEntry, create_model, list_models, model_entry, register_model, register_variant
from .slot import AUX, DECOUPLING, DEPTH, LOCAL, TIME, ZIGZAG, C, D, F, H, M, O, Route, Slot, X, Z
from .stack import RecurrentStack

__all__ = [
    "AUX",
    "DECOUPLING",
    "DEPTH",
    "LOCAL",
    "TIME",
    "ZIGZAG",
    "Block",
    "C",
    "Cell",
    "D",
    "F",
    "Forecaster",
    "H",
    "M",
    "ModelEntry",
    "O",
    "RecurrentForecaster",
    "RecurrentStack",
    "Rollout",
    "Route",
    "Slot",
    "X",
    "Z",
    "create_model",
    "list_models",
    "model_entry",
    "register_model",
    "register_variant",
]
