"""Terms of a loss that care for what a mean error smooths away: heavy rain, edges, small scales."""

from collections.abc import Iterator, Sequence
from math import isfinite

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ..data import Scaler
from ..score.scores import precise
from ..score.verification import events


class Term(nn.Module):
    """A term of a loss: `term(forecast, truth, known)` is a scalar, of tensors `(B, T, C, H, W)`.

    Both have the same finite value, 0 in model units, where the truth is missing, and `known` is False there: no
    gradient comes back from such a cell.

    Shapes:
        forecast, truth: `(B, T, C, H, W)`.
        known: The same, booleans.
        returns: A scalar.
    """

    def forward(self, forecast: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """The loss."""
        raise NotImplementedError


class Events(nn.Module):
    """Where values reach thresholds, which are physical values.

    Args:
        thresholds: An event is a value of at least this; one at a time.
        softness: A forecast is an event by the share sigmoid((value - threshold) / softness).
        scaler: From model units to physical units.

    Raises:
        ValueError: If there is no threshold, one is not finite, or the softness is not positive.
    """

    def __init__(self, thresholds: Sequence[float], softness: float, scaler: Scaler | None) -> None:
        super().__init__()
        check_thresholds(thresholds)
        if not softness > 0:
            raise ValueError(f"softness must be above 0, in the units of the thresholds, got {softness}.")
        self.thresholds, self.softness = tuple(thresholds), softness
        self.scaler = Scaler() if scaler is None else scaler

    def forward(self, forecast: Tensor, truth: Tensor, known: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Shares of forecast events and true events at each threshold, 0 where the truth is missing."""
        forecast = self.scaler.to_physical(forecast)
        for threshold in self.thresholds:
            share = torch.sigmoid((forecast - threshold) / self.softness)
            yield share * known, _reached(truth, threshold, self.scaler) * known.to(share)


class SoftCSI(Term):
    r"""One less the critical success index of events, with soft forecasts of them.

    $$1 - \frac{\sum s o + k}{\sum (s + o - s o) + k} \qquad s = \sigma\!\left(\frac{\hat x - \theta}{w}\right) \quad
    o = [x \ge \theta]$$

    averaged over the thresholds $\theta$. Sums go over the whole batch. A cell is drawn up to the threshold where the
    odds of an event exceed the index that is reached, as is best for the index, and down where they do not. The
    constant $k$ bounds the gradient of batches with few events; with no event at all, false alarms still cost.

    Args:
        thresholds: $\theta$, in physical units.
        softness: $w$, in the same units: how far from the threshold a forecast still gets a gradient.
        smooth: $k$, as a share of the cells.
        scaler: From model units to those.

    Shapes:
        forecast, truth, known: See `Term`.
        returns: A scalar.

    Raises:
        ValueError: If `thresholds` are none or not finite, or `softness` is not positive.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        *,
        softness: float = 2.0,
        smooth: float = 1e-3,
        scaler: Scaler | None = None,
    ) -> None:
        super().__init__()
        self.events, self.smooth = Events(thresholds, softness, scaler), smooth

    def forward(self, forecast: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """See `Term`."""
        constant, losses = self.smooth * known.sum().clamp_min(1), []
        for s, o in self.events(forecast, truth, known):
            hits = (s * o).sum()
            losses.append(1 - (hits + constant) / (s.sum() + o.sum() - hits + constant))
        return torch.stack(losses).mean()


class SoftFSS(Term):
    r"""One less the fractions skill score of events, with soft forecasts of them (Roberts and Lean, MWR 2008).

    $$\frac{\sum (f - g)^2}{\sum (f^2 + g^2)}$$

    averaged over the thresholds, with $f$ and $g$ the fractions of forecast and true events in the window around each
    cell that is known: near misses cost less than far ones. The loss is 0 where there is no event in either.

    Args:
        thresholds: In physical units.
        window: Side of the window, in cells; odd.
        softness: See `SoftCSI`.
        scaler: From model units to physical units.

    Shapes:
        forecast, truth, known: See `Term`.
        returns: A scalar.

    Raises:
        ValueError: If `window` is even or not positive, and as said at `SoftCSI`.
    """

    def __init__(
        self, thresholds: Sequence[float], *, window: int = 5, softness: float = 2.0, scaler: Scaler | None = None
    ) -> None:
        super().__init__()
        if window < 1 or window % 2 == 0:
            raise ValueError(f"window must be an odd number of cells, got {window}.")
        self.events, self.window = Events(thresholds, softness, scaler), window

    def forward(self, forecast: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """See `Term`."""
        inside = known.to(forecast).flatten(0, 1)
        share = self._around(inside)
        weight = inside / share.where(inside > 0, 1).square()  # a fraction is that of the known cells in its window
        losses = []
        for s, o in self.events(forecast, truth, known):
            f, g = self._around(s.flatten(0, 1)), self._around(o.flatten(0, 1))
            apart, both = ((f - g).square() * weight).sum(), ((f.square() + g.square()) * weight).sum()
            losses.append(apart / both.clamp_min(torch.finfo(both.dtype).tiny))
        return torch.stack(losses).mean()

    def _around(self, values: Tensor) -> Tensor:
        return avg_pool2d(values, self.window, stride=1, padding=self.window // 2)


class SpectralAmplitude(Term):
    r"""How much the amplitudes of the waves in each frame differ (the amplitude part of Yan et al., NeurIPS 2024).

    $$\overline{(|\mathcal F \hat x| - |\mathcal F x|)^2}$$

    with the orthonormal Fourier transform over H and W. It asks for as much detail as the truth has, and leaves to
    other terms where it is. Missing cells are 0 in both.

    Shapes:
        forecast, truth, known: See `Term`.
        returns: A scalar.
    """

    def forward(self, forecast: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """See `Term`."""
        amplitudes = (torch.fft.fft2(each, norm="ortho").abs() for each in (forecast, truth))
        return torch.stack([*amplitudes]).diff(dim=0).square().mean()


class Pinball(Term):
    r"""The loss that a quantile minimises (Koenker and Bassett, Econometrica 1978).

    $$\overline{\max(q e, (q - 1) e)} \qquad e = x - \hat x$$

    over the known cells. Above 0.5 a forecast that is too low costs more than one that is too high.

    Args:
        quantile: $q$, in (0, 1).

    Shapes:
        forecast, truth, known: See `Term`.
        returns: A scalar.

    Raises:
        ValueError: If `quantile` is not in (0, 1).
    """

    def __init__(self, quantile: float) -> None:
        super().__init__()
        if not 0 < quantile < 1:
            raise ValueError(f"quantile must be in (0, 1), got {quantile}.")
        self.quantile = quantile

    def forward(self, forecast: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """See `Term`."""
        error = truth - forecast
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error).sum() / known.sum().clamp_min(1)


class ThresholdWeights(nn.Module):
    r"""What a cell weighs in mean errors, by its true value (B-MSE and B-MAE of Shi et al., NeurIPS 2017, Sec. 4).

    $$w(x) = 1 + \sum_{i:\, x \ge \theta_i} w_i$$

    Args:
        thresholds: $\theta_i$, in physical units.
        weights: $w_i$, at least 0: the extra weight from each threshold on.
        scaler: From model units to physical units.

    Shapes:
        truth: `(B, T, C, H, W)`.
        returns: The same.

    Raises:
        ValueError: If `thresholds` is empty or one is not finite, or `weights` are not one for each threshold, all at
            least 0.
    """

    def __init__(self, thresholds: Sequence[float], weights: Sequence[float], scaler: Scaler | None = None) -> None:
        super().__init__()
        check_thresholds(thresholds)
        if len(weights) != len(thresholds) or not all(weight >= 0 for weight in weights):
            raise ValueError(
                f"weights must be a number of at least 0 for each of the thresholds {list(thresholds)}, "
                f"got {list(weights)}."
            )
        self.thresholds, self.weights = tuple(thresholds), tuple(weights)
        self.scaler = Scaler() if scaler is None else scaler

    def forward(self, truth: Tensor) -> Tensor:
        """The weights `(B, T, C, H, W)` of true frames."""
        total = torch.ones_like(truth)
        for threshold, weight in zip(self.thresholds, self.weights, strict=True):
            total = total + weight * _reached(truth, threshold, self.scaler)
        return total


def _reached(truth: Tensor, threshold: float, scaler: Scaler) -> Tensor:
    """Where true values are events, just as scores count them."""
    return events(precise(truth), threshold, scaler).to(truth.device)


def check_thresholds(thresholds: Sequence[float]) -> None:
    """Raise a `ValueError` unless there are thresholds, all of them finite."""
    if not thresholds or not all(map(isfinite, thresholds)):
        raise ValueError(f"thresholds must be finite numbers in physical units, at least one, got {list(thresholds)}.")
