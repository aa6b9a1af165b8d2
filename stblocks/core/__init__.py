"""The protocol: slots, blocks, cells, stacks and forecasters. It knows no concrete block or model."""

from ..weights.layout import lay_channels_last
from .at_once import AtOnce
from .block import Block
from .cell import Cell
from .create import ModelEntry, create_model, list_models, model_entry, register_model, register_variant
from .direct import DirectForecaster, SequenceForecaster
from .ensemble import Ensemble, SmoothNoise
from .forecaster import Forecaster, Rollout
from .nowcaster import Nowcaster
from .parallel import Parallel
from .recurrent import RecurrentForecaster
from .registry import Registry
from .slot import (
    AUX,
    DECOUPLING,
    DEPTH,
    DIFF,
    FILLED,
    LOCAL,
    MOMENT,
    PAST_C,
    PAST_X,
    PREVIOUS,
    STARTED,
    TIME,
    ZIGZAG,
    C,
    D,
    F,
    H,
    K,
    M,
    N,
    O,
    P,
    Q,
    Route,
    S,
    Slot,
    X,
    Z,
)
from .stack import RecurrentStack

__all__ = [
    "AUX",
    "DECOUPLING",
    "DEPTH",
    "DIFF",
    "FILLED",
    "LOCAL",
    "MOMENT",
    "PAST_C",
    "PAST_X",
    "PREVIOUS",
    "STARTED",
    "TIME",
    "ZIGZAG",
    "AtOnce",
    "Block",
    "C",
    "Cell",
    "D",
    "DirectForecaster",
    "Ensemble",
    "F",
    "Forecaster",
    "H",
    "K",
    "M",
    "ModelEntry",
    "N",
    "Nowcaster",
    "O",
    "P",
    "Parallel",
    "Q",
    "RecurrentForecaster",
    "RecurrentStack",
    "Registry",
    "Rollout",
    "Route",
    "S",
    "SequenceForecaster",
    "Slot",
    "SmoothNoise",
    "X",
    "Z",
    "create_model",
    "lay_channels_last",
    "list_models",
    "model_entry",
    "register_model",
    "register_variant",
]
