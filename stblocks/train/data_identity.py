"""Whether the data of a run are those it began with: their number, shapes, scaler, and the values of a few samples."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..data.sources import scaler_of
from .checkpoint import differences

#: Values of samples may differ by so much of their size, as machines round in ways of their own.
ROUNDING = 1e-5
#: Where in a data set samples are looked at.
PLACES = (0.0, 1 / 3, 2 / 3, 1.0)


def data_identity(data: Any) -> dict[str, Any]:
    """What a checkpoint keeps of a data set.

    `values` has three numbers of each of a few samples; it is `None` if a data set draws its samples anew each time.
    """
    first, again, scaler = data[0], data[0], scaler_of(data)
    repeats = all(torch.equal(*(part.nan_to_num() for part in pair)) for pair in zip(first, again, strict=True))
    indices = sorted({round(place * (len(data) - 1)) for place in PLACES})
    return {
        "sequences": len(data),
        "past": tuple(first[0].shape),
        "future": tuple(first[1].shape),
        "scaler": None if scaler is None else (_rounded(scaler.offset), _rounded(scaler.scale), _named(scaler.unit)),
        "values": {index: _numbers(data[index] if index else first) for index in indices} if repeats else None,
    }


def data_differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two data sets, one phrase each."""
    plain = ({key: value for key, value in each.items() if key != "values"} for each in (saved, now))
    if found := differences(*plain):
        return found
    before, after = saved.get("values"), now["values"]
    if before is None or after is None:  # drawn anew: there is nothing to compare
        return [] if before == after else ["samples that are the same each time they are read, or are drawn anew"]
    if not isinstance(before, Mapping) or before.keys() != after.keys():
        return ["the samples that were looked at"]
    other = [index for index, numbers in after.items() if not _close(before[index], numbers)]
    return [f"the values of sequence {', '.join(map(str, other))}"] if other else []


def _rounded(number: float | tuple[float, ...]) -> Any:
    """To nine digits, since machines may fit a scaler with other roundings."""
    if isinstance(number, tuple):
        return tuple(map(_rounded, number))
    return float(f"{number:.8e}")


def _named(unit: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """As strings of Python, which a checkpoint can hold; those of NumPy it cannot."""
    return tuple(map(str, unit)) if isinstance(unit, tuple) else str(unit)


def _numbers(sample: tuple[Tensor, Tensor]) -> tuple[float, ...]:
    """Of all values of a sample: their root mean square, their mean, and a mean that depends on where they stand."""
    values = torch.cat([part.detach().cpu().double().flatten() for part in sample])
    known = values.nan_to_num(nan=-0.5)  # so that a missing cell is not 0
    place = torch.linspace(-1, 1, len(known), dtype=torch.float64)
    return tuple(float(each) for each in (known.square().mean().sqrt(), known.mean(), (known * place).mean()))


def _close(before: Any, after: tuple[float, ...]) -> bool:
    if not isinstance(before, tuple) or len(before) != len(after) or not all(isinstance(n, float) for n in before):
        return False
    most = ROUNDING * max(before[0], after[0])
    return all(math.isfinite(one) and abs(one - other) <= most for one, other in zip(before, after, strict=True))
