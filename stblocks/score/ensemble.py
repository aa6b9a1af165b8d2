"""Scores of ensembles: how near the truth all members are, and whether they differ as much as they should."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from ..data import Scaler
from .metrics import Metric
from .scores import Scores, check_finite, precise
from .verification import events, ratio


class EnsembleScores(Scores):
    r"""Adds up ensemble forecasts and their truth batch by batch, in constant memory, and scores them.

    Beside the scores that `Scores` gives, here of the mean of the members, there are, with E members $x_i$ and the
    truth $y$ of a cell, and means over cells:

    * `crps@pixel`, `crps@physical`: the continuous ranked probability score (Gneiting and Raftery, JASA 2007, eq. 21),
      $\frac{1}{E} \sum_i |x_i - y| - \frac{1}{2 E^2} \sum_{i, j} |x_i - x_j|$; the absolute error of a single member;
    * `spread@pixel`: the root of the mean variance of the members, $E - 1$ in its denominator;
    * `spread_skill@pixel`: $\sqrt{(E + 1) / E}$ times the spread over the root mean squared error of the mean, 1 for an
      ensemble that knows how sure it is, below 1 for one that is too sure (Fortin et al., J. Hydrometeorology 2014);
    * `brier@20`: the mean squared difference between the share of members with an event and whether it happens.

    `ranks()` says where the truth lies among the members.

    Args:
        thresholds: See `Scores`; of `brier@` as well.
        scaler: See `Scores`.
        metrics: Of the mean of the members, see `Scores`; may be empty.
        windows: See `Scores`.
        data_range: See `Scores`.

    Raises:
        ValueError: See `Scores`.
    """

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            prediction: Forecast frames of all members `(B, E, T, C, H, W)` in model units, finite.
            target: True frames `(B, T, C, H, W)`, NaN where missing: such a cell has no effect on any score.

        Raises:
            ValueError: If shapes differ, from each other or in E or T from earlier batches, or a value is not finite.
        """
        if prediction.ndim != 6 or not prediction.shape[1] or prediction[:, 0].shape != target.shape:
            raise ValueError(
                f"prediction and target must be (B, E, T, C, H, W) with E >= 1 and (B, T, C, H, W), "
                f"got {tuple(prediction.shape)} and {tuple(target.shape)}."
            )
        check_finite(prediction, target)
        members, target = precise(prediction), precise(target)
        mean = members.mean(dim=1)
        own = {metric.key for metric in (*self._more.values(), RANKS)}
        self.merge({each.key: each.sums(members if each.key in own else mean, target) for each in self._distinct()})

    def ranks(self) -> Tensor:
        """How often r of the E members were below the truth, for each lead time and r from 0 to E: `(T, E + 1)`.

        Flat for an ensemble from which the truth might be drawn, a U for one that differs too little, a slope for one
        that is too low or too high. Where members equal the truth, as on dry ground, the count is divided evenly among
        the ranks that it might have.

        Raises:
            ValueError: If there was no batch.
        """
        if not self._state:
            raise ValueError("EnsembleScores must be given a batch first; call update(prediction, target).")
        return self._state[RANKS.key]

    def _further(self, thresholds: Sequence[float], scaler: Scaler) -> dict[str, Metric]:
        pixel = partial(Metric, "ensemble", ensemble_sums)
        self._more = {
            "crps@pixel": pixel(lambda sums: ratio(sums[..., 0], sums[..., 3])),
            "crps@physical": Metric("crps", partial(crps_sums, scaler=scaler), lambda sums: ratio(*sums.unbind(-1))),
            "spread@pixel": pixel(_spread),
            "spread_skill@pixel": pixel(_spread_skill),
            **{f"brier@{threshold:g}": _brier(threshold, scaler) for threshold in thresholds},
        }
        return self._more

    def _distinct(self) -> list[Metric]:
        return [*super()._distinct(), RANKS]


def crps(members: Tensor, truth: Tensor) -> Tensor:
    """The continuous ranked probability score of each cell: of `(B, E, ...)` and `(B, ...)`, `(B, ...)`; see above."""
    number = members.shape[1]
    error = (members - truth.unsqueeze(1)).abs().mean(dim=1)
    # In order, the i-th of E members is above i others and below E - 1 - i: no need to look at all pairs.
    above = torch.arange(number, device=members.device, dtype=members.dtype) * 2 - (number - 1)
    apart = (members.sort(dim=1).values * above.view(-1, *[1] * (members.ndim - 2))).sum(dim=1)
    return error - apart / number**2


def ensemble_sums(members: Tensor, truth: Tensor) -> Tensor:
    """CRPS, squared deviation from the mean, its squared error, cells, cells x (E - 1), cells x E: `(T, 6)`."""
    known, number, mean = ~truth.isnan(), members.shape[1], members.mean(dim=1)
    deviation = (members - mean.unsqueeze(1)).square().sum(dim=1)
    parts = (crps(members, truth), deviation, (mean - truth).square(), known.double())
    sums = [part.masked_fill(~known, 0).sum(dim=(0, 2, 3, 4)) for part in parts]
    return torch.stack([*sums, (number - 1) * sums[3], number * sums[3]], dim=1)


def crps_sums(members: Tensor, truth: Tensor, *, scaler: Scaler) -> Tensor:
    """CRPS of physical values, and cells: `(T, 2)`."""
    return ensemble_sums(scaler.to_physical(members), scaler.to_physical(truth))[:, [0, 3]]


def rank_sums(members: Tensor, truth: Tensor) -> Tensor:
    """See `EnsembleScores.ranks`."""
    truth, known = truth.unsqueeze(1), ~truth.isnan()
    below, ties = (members < truth).sum(dim=1), (members == truth).sum(dim=1)
    share = known / (ties + 1.0)
    counts = [
        (share * ((below <= rank) & (rank <= below + ties))).sum(dim=(0, 2, 3, 4), dtype=torch.float64)
        for rank in range(members.shape[1] + 1)
    ]
    return torch.stack(counts, dim=1)


#: Counts that are no score.
RANKS = Metric("ranks", rank_sums, lambda sums: sums)


def _spread(sums: Tensor) -> Tensor:
    return ratio(sums[..., 1], sums[..., 4]).sqrt()


def _spread_skill(sums: Tensor) -> Tensor:
    number = ratio(sums[..., 5], sums[..., 3])
    return ((number + 1) / number).sqrt() * ratio(_spread(sums), ratio(sums[..., 2], sums[..., 3]).sqrt())


def _brier(threshold: float, scaler: Scaler) -> Metric:
    def sums(members: Tensor, truth: Tensor) -> Tensor:
        known = ~truth.isnan()
        share = events(members, threshold, scaler).double().mean(dim=1)
        error = (share - events(truth, threshold, scaler).double()).square() * known
        return torch.stack([each.sum(dim=(0, 2, 3, 4), dtype=torch.float64) for each in (error, known)], dim=1)

    return Metric(f"brier@{threshold:g}", sums, lambda sums: ratio(*sums.unbind(-1)))
