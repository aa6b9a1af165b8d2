"""Scores of forecasts: metrics, tables, a board of models. Needs the extra `train`."""

from .evaluate import evaluate
from .leaderboard import Entry, Leaderboard, cost
from .scores import Scores, persistence
from .table import Table

__all__ = ["Entry", "Leaderboard", "Scores", "Table", "cost", "evaluate", "persistence"]
