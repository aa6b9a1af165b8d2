"""Scores of forecasts, added up batch by batch."""

from collections.abc import Iterable, Mapping, Sequence, Sized
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from ..data import Scaler
from ..data.scaler import plain
from .metrics import Metric, Range, value_metrics
from .table import Table
from .verification import event_metrics, fraction_metric

DEFAULT_METRICS = ("mse@pixel", "mse@frame_sum", "mae@pixel", "mae@frame_sum", "psnr@frame_mean", "ssim@uniform7")


def persistence(past: Tensor, horizon: int, out_channels: int | None = None) -> Tensor:
    """The forecast that nothing changes: the last frame, again and again.

    Args:
        past: `(B, T, C, H, W)`.
        horizon: Frames to forecast.
        out_channels: Number of its first channels that are forecast; `None` means all.

    Returns:
        `(B, horizon, out_channels, H, W)`.
    """
    return past[:, -1:, :out_channels].expand(-1, horizon, -1, -1, -1)


#: Lead times that are scored together: what that takes in between does not grow with the horizon.
LEADS = 10


class Scores:
    """Adds up forecasts and their truth batch by batch, in constant memory, and scores them.

    ```python
    scores = Scores(thresholds=(20, 30, 40), scaler=dataset.scaler)
    for past, future in loader:
        scores.update(model(past, future.shape[1]), future)
    print(scores.compute().to_markdown())
    ```

    Sums are kept per lead time, so that scores of all lead times together come from sums over them, not from an average
    of scores; and added up over processes before anything is divided. The page on metrics has the formulae.

    Args:
        thresholds: Events whose CSI, POD, FAR, HSS and frequency bias are scored: physical values of at least these.
        scaler: From the model units of the frames to those physical units; `None` if they are the same.
        metrics: Names of the other metrics.
        windows: Sides of the windows of the fractions skill score, in pixels, odd; one score per window and threshold.
        data_range: Least and largest physical value, or one for each channel, `((low, ...), (high, ...))`: what PSNR,
            SNR, SSIM and LPIPS take as 0 and 1. `None` are the model's 0 and 1; where the truth reaches further, these
            scores are NaN, and a warning says so.

    Raises:
        ValueError: If an argument is no list of what it must be, a metric is unknown, two thresholds have one name or
            one is NaN, a range is none, a window is not odd and positive or there are windows without thresholds, or
            there is nothing to score.
    """

    def __init__(
        self,
        thresholds: Sequence[float] = (),
        scaler: Scaler | None = None,
        metrics: Sequence[str] = DEFAULT_METRICS,
        windows: Sequence[int] = (),
        data_range: Range | None = None,
    ) -> None:
        scaler = Scaler() if scaler is None else scaler
        available = value_metrics(scaler, data_range)
        thresholds, metrics, windows = as_tuples(thresholds, metrics, windows)
        if unknown := [name for name in metrics if name not in available]:
            raise ValueError(f"metrics must be among {', '.join(available)}, got {', '.join(unknown)}.")
        if len({f"{threshold:g}" for threshold in thresholds}) < len({*thresholds}) or any(t != t for t in thresholds):
            raise ValueError(
                f"thresholds must be numbers that differ in their first six digits, which name their scores, got "
                f"{list(thresholds)}."
            )
        if windows and not thresholds:
            raise ValueError("windows need thresholds: the fractions skill score is that of an event.")
        if wrong := [window for window in windows if window < 1 or window % 2 == 0]:
            raise ValueError(f"windows must be odd numbers of pixels, got {wrong}.")
        self.metrics: dict[str, Metric] = {name: available[name] for name in metrics}
        for threshold in thresholds:
            self.metrics |= event_metrics(threshold, scaler)
            for window in windows:
                self.metrics |= fraction_metric(threshold, window, scaler)
        self.metrics |= self._further(thresholds, scaler)
        if not self.metrics:
            raise ValueError("metrics and thresholds must not both be empty: there is nothing to score.")
        self._state: dict[str, Tensor] = {}

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            prediction: Forecast frames `(B, T, C, H, W)` in model units, finite.
            target: True frames of the same shape, NaN where missing: such a cell has no effect on any score.

        Raises:
            ValueError: If shapes differ, from each other or in T from earlier batches, or a value is not finite.
        """
        if prediction.ndim != 5 or prediction.shape != target.shape:
            raise ValueError(
                f"prediction and target must both be (B, T, C, H, W), "
                f"got {tuple(prediction.shape)} and {tuple(target.shape)}."
            )
        check_finite(prediction, target)
        parts = [
            {metric.key: metric.sums(precise(forecast), precise(truth)) for metric in self._distinct()}
            for forecast, truth in zip(prediction.split(LEADS, dim=1), target.split(LEADS, dim=1), strict=True)
        ]
        self.merge({key: torch.cat([part[key] for part in parts]) for key in parts[0]})

    def state(self) -> dict[str, Tensor]:
        """The sums so far, `(T, n)` each by name, on the CPU; empty before the first batch."""
        return dict(self._state)

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Add the sums of other batches, such as another process's.

        Args:
            state: From `state()` of `Scores` with the same settings.

        Raises:
            ValueError: If the settings or the number of lead times differ.
        """
        if not state:
            return
        shapes = {key: tuple(value.shape) for key, value in self._state.items()}
        if state.keys() != {metric.key for metric in self._distinct()} or (
            shapes and shapes != {key: tuple(value.shape) for key, value in state.items()}
        ):
            raise ValueError(
                f"state must hold the sums of the same metrics and lead times as here ({shapes}), "
                f"got { ({key: tuple(value.shape) for key, value in state.items()}) }; "
                f"make a new Scores for another horizon."
            )
        self._state = {key: self._state.get(key, 0) + value.cpu() for key, value in state.items()}

    def compute(self, name: str = "model") -> Table:
        """The scores of all batches so far.

        Args:
            name: What made the forecast.

        Raises:
            ValueError: If there was no batch.
        """
        if not self._state:
            raise ValueError("Scores must be given a batch first; call update(prediction, target).")
        pooled = {key: sums.sum(dim=0) for key, sums in self._state.items()}
        lead = {name: metric.score(self._state[metric.key]).tolist() for name, metric in self.metrics.items()}
        return Table(
            name,
            {name: float(metric.score(pooled[metric.key])) for name, metric in self.metrics.items()},
            [dict(zip(lead, scores, strict=True)) for scores in zip(*lead.values(), strict=True)],
        )

    def _further(self, thresholds: Sequence[float], scaler: Scaler) -> dict[str, Metric]:
        """Metrics of a subclass."""
        return {}

    def _distinct(self) -> list[Metric]:
        """One metric for each of the sums."""
        return list({metric.key: metric for metric in self.metrics.values()}.values())


def as_tuples(thresholds: object, metrics: object, windows: object) -> tuple[tuple[Any, ...], ...]:
    """The three as tuples, of numbers, names and integers; arrays and tensors are lists, too.

    Raises:
        ValueError: If one is no list, or other collection that can be gone through again, of these.
    """
    kinds: dict[str, tuple[object, str, type]] = {
        "thresholds": (thresholds, "numbers", Real),
        "metrics": (metrics, "names", str),
        "windows": (windows, "integers", Integral),
    }
    tuples = []
    for argument, (given, what, kind) in kinds.items():
        values: Any = plain(given)
        listed = isinstance(values, Sized) and isinstance(values, Iterable) and not isinstance(values, str)
        if not listed or not all(isinstance(each, kind) and not isinstance(each, bool) for each in values):
            raise ValueError(f"{argument} must be a list of {what}, got {given!r}.")
        tuples.append(tuple(values))
    return tuple(tuples)


def check_finite(prediction: Tensor, target: Tensor) -> None:
    """Raise a `ValueError` that names the first frame with values that are not finite; NaN in `target` is missing."""
    for name, bad in (("prediction", ~prediction.isfinite()), ("target", target.isinf())):
        if bad.any():
            place = bad.nonzero()[0, : bad.ndim - 3].tolist()
            cells = int(bad[tuple(place)].sum())
            raise ValueError(f"{name} must be finite, got {name}{place} with {cells} cells that are not.")


def precise(frames: Tensor) -> Tensor:
    """Values as single precision has them, in double precision, without their history; on the CPU where the device
    has none.
    """
    return (frames.cpu() if frames.device.type == "mps" else frames).detach().float().double()
