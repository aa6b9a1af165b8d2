"""Scores of forecasts: metrics, tables, a board of models. Needs the extra `train`."""

from ..borders.extras import needing

with needing("train", "stblocks.score"):
    from .evaluate import evaluate
    from .leaderboard import BoardEntry, Leaderboard, training_cost
    from .scores import Scores, persistence
    from .table import Table

__all__ = ["BoardEntry", "Leaderboard", "Scores", "Table", "evaluate", "persistence", "training_cost"]
