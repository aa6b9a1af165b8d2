"""Scores of forecasts: metrics, tables, a board of models. Needs the extra `train`."""

from ..borders.extras import needing

with needing("train", "stblocks.score"):
    from ..speed import frames_per_second
    from .ensemble import EnsembleScores
    from .evaluate import evaluate
    from .leaderboard import BoardEntry, Leaderboard, training_cost
    from .scores import Scores, persistence
    from .spectrum import Spectra, Spectrum, radial_power
    from .table import Table

__all__ = [
    "BoardEntry",
    "EnsembleScores",
    "Leaderboard",
    "Scores",
    "Spectra",
    "Spectrum",
    "Table",
    "evaluate",
    "frames_per_second",
    "persistence",
    "radial_power",
    "training_cost",
]
