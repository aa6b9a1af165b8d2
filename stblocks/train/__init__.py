"""Training: any forecaster, any data set; and what `stblocks.score` has, for one import. Needs the extra `train`."""

from ..borders.extras import needing

with needing("train", "stblocks.train"):
    from ..runtime.graph import graphed
    from ..score import (
        BoardEntry,
        EnsembleScores,
        Leaderboard,
        Scores,
        Spectra,
        Spectrum,
        Table,
        evaluate,
        frames_per_second,
        persistence,
        radial_power,
        training_cost,
    )
    from .checkpoint import load_checkpoint, save_checkpoint
    from .config import TrainConfig
    from .fit import TrainResult, fit
    from .flags import RecipeFlags, read_flags, run_recipe
    from .frequency import HighFrequencyFocal
    from .log import read_records
    from .objective import Objective, differential_divergence
    from .report import report
    from .schedule import (
        NoSampling,
        ReverseScheduledSampling,
        Sampling,
        ScheduledSampling,
        learning_rate,
        sampling,
    )
    from .seeding import seed_everything
    from .settings import Check, Help, Option, Settings
    from .terms import Pinball, SoftCSI, SoftFSS, SpectralAmplitude, Term, ThresholdWeights

__all__ = [
    "BoardEntry",
    "Check",
    "EnsembleScores",
    "Help",
    "HighFrequencyFocal",
    "Leaderboard",
    "NoSampling",
    "Objective",
    "Option",
    "Pinball",
    "RecipeFlags",
    "ReverseScheduledSampling",
    "Sampling",
    "ScheduledSampling",
    "Scores",
    "Settings",
    "SoftCSI",
    "SoftFSS",
    "Spectra",
    "SpectralAmplitude",
    "Spectrum",
    "Table",
    "Term",
    "ThresholdWeights",
    "TrainConfig",
    "TrainResult",
    "differential_divergence",
    "evaluate",
    "fit",
    "frames_per_second",
    "graphed",
    "learning_rate",
    "load_checkpoint",
    "persistence",
    "radial_power",
    "read_flags",
    "read_records",
    "report",
    "run_recipe",
    "sampling",
    "save_checkpoint",
    "seed_everything",
    "training_cost",
]
