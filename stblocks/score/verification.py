"""Scores of events, such as rain of 20 dBZ and more: contingency counts, and fractions in windows."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..data import Scaler
from .metrics import Metric

Counts = tuple[Tensor, Tensor, Tensor, Tensor]


def event_metrics(threshold: float, scaler: Scaler) -> dict[str, Metric]:
    """CSI, POD, FAR, HSS and frequency bias of the event `value >= threshold`, by name.

    All come from the same integer counts over cells whose truth is known. A score whose denominator is zero, since
    nothing happened or nothing was forecast, is NaN.

    Args:
        threshold: In physical units.
        scaler: From model units to those.
    """
    counts = partial(contingency_sums, threshold=threshold, scaler=scaler)
    at = f"@{threshold:g}"
    return {f"{name}{at}": Metric(f"counts{at}", counts, partial(_of_counts, score)) for name, score in _SCORES.items()}


def fraction_metric(threshold: float, window: int, scaler: Scaler) -> dict[str, Metric]:
    """The fractions skill score of an event, by its name, such as `fss9@20` (Roberts and Lean, MWR 2008).

    Args:
        threshold: Of the event, in physical units.
        window: Side of the windows, in pixels; odd.
        scaler: From model units to physical units.
    """
    name = f"fss{window}@{threshold:g}"
    sums = partial(fraction_sums, threshold=threshold, window=window, scaler=scaler)
    return {name: Metric(name, sums, lambda sums: 1 - ratio(sums[..., 0], sums[..., 1]))}


def contingency_sums(prediction: Tensor, target: Tensor, *, threshold: float, scaler: Scaler) -> Tensor:
    """Hits, misses, false alarms, correct negatives: `(T, 4)` in int64."""
    known, forecast, event = ~target.isnan(), *(events(each, threshold, scaler) for each in (prediction, target))
    cells = (forecast & event, ~forecast & event, forecast & ~event, ~forecast & ~event)
    return torch.stack([(each & known).sum(dim=(0, 2, 3, 4)) for each in cells], dim=1)


def fraction_sums(prediction: Tensor, target: Tensor, *, threshold: float, window: int, scaler: Scaler) -> Tensor:
    r"""$\sum (f - o)^2$ and $\sum (f^2 + o^2)$ over cells, of the fractions of events around them: `(T, 2)`.

    A fraction counts the cells of the window that lie within the frame and whose truth is known.
    """
    known = (~target.isnan()).double().flatten(0, 1)

    def around(values: Tensor) -> Tensor:
        pooled = avg_pool2d(values, (window, 1), stride=1, padding=(window // 2, 0))
        return avg_pool2d(pooled, (1, window), stride=1, padding=(0, window // 2))

    f, o = (around(events(each, threshold, scaler).flatten(0, 1) * known) for each in (prediction, target))
    weight = known / around(known).where(known > 0, 1).square()
    pair = ((f - o).square() * weight, (f.square() + o.square()) * weight)
    return torch.stack([each.view_as(target).sum(dim=(0, 2, 3, 4)) for each in pair], dim=1)


def events(values: Tensor, threshold: float, scaler: Scaler) -> Tensor:
    """Is the physical value at least the threshold? NaN is not.

    The threshold is rounded as frames are on their way into model units and back, be they scaled in single precision or
    in double: a value equal to it is an event.

    Args:
        values: `(..., C, H, W)` in model units, as `precise` gives them.
        threshold: In physical units.
        scaler: From model units to these.
    """
    exact = torch.full((values.shape[-3], 1, 1), threshold, dtype=torch.float64, device=values.device)
    rounded = scaler.to_model(exact.float()), scaler.to_model(exact).float()
    bound = torch.minimum(*(scaler.to_physical(each.double()) for each in rounded))
    return scaler.to_physical(values) >= bound


def _of_counts(score: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor], counts: Tensor) -> Tensor:
    return score(*counts.double().unbind(-1))


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """The quotient, NaN (never infinite) where the denominator is zero."""
    return (part / whole).where(whole != 0, torch.nan)


def _hss(hits: Tensor, misses: Tensor, alarms: Tensor, negatives: Tensor) -> Tensor:
    chance = (hits + misses) * (misses + negatives) + (hits + alarms) * (alarms + negatives)
    return ratio(2 * (hits * negatives - misses * alarms), chance)


_SCORES: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "csi": lambda hits, misses, alarms, _: ratio(hits, hits + misses + alarms),
    "pod": lambda hits, misses, alarms, _: ratio(hits, hits + misses),
    "far": lambda hits, misses, alarms, _: ratio(alarms, hits + alarms),
    "hss": _hss,
    "bias": lambda hits, misses, alarms, _: ratio(hits + alarms, hits + misses),
}
