"""Pictures of runs, forecasts and weight maps. Needs the extra `train`."""

from ..borders.extras import needing

with needing("train", "stblocks.viz"):
    from .curves import efficiency, leaderboard_bars, loss_curve, skill_by_lead_time
    from .forecasts import forecast_gif, forecast_strip
    from .maps import weight_maps
    from .runs import convergence
    from .verification import power_spectrum, rank_histogram, skill_by_scale

__all__ = [
    "convergence",
    "efficiency",
    "forecast_gif",
    "forecast_strip",
    "leaderboard_bars",
    "loss_curve",
    "power_spectrum",
    "rank_histogram",
    "skill_by_lead_time",
    "skill_by_scale",
    "weight_maps",
]
