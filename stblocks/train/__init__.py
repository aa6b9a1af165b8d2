"""Training and scoring: any forecaster, any data set. Needs the extra `train`."""

from .checkpoint import load_checkpoint, save_checkpoint
from .config import TrainConfig
from .evaluate import evaluate
from .flags import Command, read_flags, run_recipe
from .graph import graphed
from .leaderboard import Entry, Leaderboard, cost
from .objective import Objective
from .report import report
from .schedule import (
    NoSampling,
    ReverseScheduledSampling,
    Sampling,
    ScheduledSampling,
    learning_rate,
    sampling,
)
from .scores import Scores, persistence
from .seeding import seed_everything
from .settings import Check, Help, Option, Settings
from .table import Table
from .trainer import TrainResult, fit

__all__ = [
    "Check",
    "Command",
    "Entry",
    "Help",
    "Leaderboard",
    "NoSampling",
    "Objective",
    "Option",
    "ReverseScheduledSampling",
    "Sampling",
    "ScheduledSampling",
    "Scores",
    "Settings",
    "Table",
    "TrainConfig",
    "TrainResult",
    "cost",
    "evaluate",
    "fit",
    "graphed",
    "learning_rate",
    "load_checkpoint",
    "persistence",
    "read_flags",
    "report",
    "run_recipe",
    "sampling",
    "save_checkpoint",
    "seed_everything",
]
