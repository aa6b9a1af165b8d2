"""Whether the values of the data are those that models are made for."""

import warnings
from collections.abc import Iterable

import torch
from torch import nn

from .sequence import Sequence

#: Values from 0 to 1 and standardised ones stay within; pixels from 0 to 255, kelvin and pascal do not.
USUAL = 30.0
#: All frames of a forecast's past seldom lie so far to one side of the data that were trained on.
ASIDE = 6.0
#: By how much values may leave the range of a model's forecasts, as noise does.
MARGIN = 0.1


def is_unusual(low: float, high: float) -> bool:
    """Whether values from `low` to `high`, in model units, are likely in another unit than those trained on."""
    return max(-low, high) > USUAL or low > ASIDE or high < -ASIDE


def warn_of_ranges(model: nn.Module, batch: Iterable[Sequence]) -> None:
    """Warn in one sentence if values are out of a model's reach, or far larger than models are made for.

    Args:
        model: A forecaster; its `output_range`, if it has one, is the least and the largest value that it forecasts.
        batch: Sequences in model units, or batches of them.
    """
    values = torch.cat([part.detach().flatten() for sample in batch for part in sample])
    values = values[values.isfinite()]
    if not values.numel():
        return
    low, high = (float(each) for each in values.aminmax())
    reach = getattr(model, "output_range", None)
    if reach is not None and not reach[0] - MARGIN <= low <= high <= reach[1] + MARGIN:
        problem = f"the forecasts of this model lie from {reach[0]:g} to {reach[1]:g}, and cannot reach them"
        way_out = "Scaler.min_max(frames), say"
    elif max(-low, high) > USUAL:
        problem = "models are made for about 0 to 1, and train badly on values that large"
        way_out = "Scaler(scale=255) for pixels, or Scaler.standard(frames)"
    else:
        return
    warnings.warn(
        f"The training data reach from {low:g} to {high:g} in model units: {problem}. Give the data set a scaler: "
        f"SequenceWindows(..., scaler={way_out}).",
        stacklevel=2,
    )
