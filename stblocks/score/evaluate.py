"""Scoring a model beside persistence."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Literal

import torch
from accelerate.utils import reduce
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from ..data import Sequence as Sample
from ..data.sequence import check_countable
from ..data.sources import physical_scaler, scaler_of
from ..data.spec import warn_of_other_scaler
from ..runtime.evaluating import evaluating
from ..runtime.graph import Graphed, obstacle
from ..runtime.nan_guard import first_non_finite
from ..runtime.processes import naming_lost_processes, process_state
from ..runtime.signals import leave_signals_to_the_parent
from .ensemble import EnsembleScores
from .metrics import Range
from .scores import DEFAULT_METRICS, Scores, as_tuples, persistence
from .table import Table

Tables = dict[str, Table]
#: Full batches from which on `graph="auto"` records: that takes as long as some forecasts.
WORTH_A_GRAPH = 16


@naming_lost_processes()
@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: Dataset[Sample],
    *,
    thresholds: Sequence[float] = (),
    metrics: Sequence[str] = DEFAULT_METRICS,
    windows: Sequence[int] = (),
    beside: Mapping[str, nn.Module] | None = None,
    data_range: Range | None = None,
    batch_size: int = 16,
    num_workers: int = 0,
    graph: Literal["auto", True, False] = "auto",
) -> Tables:
    """Score forecasts of a whole data set, and those of persistence beside them.

    Runs on the model's device. With several processes, each scores its share and all return the scores of the whole.

    Args:
        model: A forecaster; it is switched to `eval()` meanwhile. An `Ensemble`, whose forecasts are
            `(B, E, T, C, H, W)`, gets the scores of `EnsembleScores`.
        data: Sequences.
        thresholds: Where CSI and the like cut, in the units of `data.scaler`.
        metrics: Names of the other scores.
        windows: Sides of the windows of the fractions skill score, see `Scores`.
        beside: Other forecasters by name, such as `{"advection": create_model("advection")}`, to be scored as well.
        data_range: What PSNR, SNR, SSIM and LPIPS take as 0 and 1, in physical units; see `Scores`.
        batch_size: Sequences at a time; it changes memory and speed, not the scores.
        num_workers: Processes that load data; 0 loads in this one.
        graph: Forecast by one CUDA graph, but for a last batch that is smaller. "auto" does on a GPU where there are
            batches enough to make up for its recording, and says so in one sentence where it fails.

    Returns:
        The tables `"model"` and `"persistence"`, then those of `beside`.

    Raises:
        ValueError: If `data` cannot be counted, as a loader, or an argument is no list; if `graph` is none of these, or
            True and the model is not on a CUDA device; if parts of the data have several scalers and a score is in
            physical units; if there are fewer sequences than processes; if a forecast is not finite: it names the
            sequence, and whether its past or which module is the cause.
        ConnectionError: If another process has ended.

    Warns:
        UserWarning: If 0 and 1 stand for other values in the data than in those that a forecaster was trained on.
    """
    check_countable("data", data)
    thresholds, metrics, windows = as_tuples(thresholds, metrics, windows)
    process = process_state()
    length: int = len(data)  # type: ignore[arg-type]
    if length < process.num_processes:
        raise ValueError(f"data must hold a sequence for each of {process.num_processes} process(es), got {length}.")
    share = Subset(data, range(process.process_index, length, process.num_processes))
    others = dict(beside or {})
    if {"model", "persistence"} & others.keys():
        raise ValueError("beside must not hold a forecaster called 'model' or 'persistence', which are there already.")
    device = next((parameter.device for parameter in model.parameters()), process.device)
    reason = obstacle(device)
    if graph != "auto" and not isinstance(graph, bool):
        raise ValueError(f"graph must be 'auto', True or False, got {graph!r}.")
    if graph is True and reason:
        raise ValueError(f"graph=True {reason}; take 'auto' or False.")
    forecast: Callable[..., Tensor] = model
    if graph is True or (graph == "auto" and not reason and len(share) >= WORTH_A_GRAPH * batch_size):
        forecast = Graphed(model, model, fall_back=graph == "auto")
    if process.is_main_process:
        for each in (model, *others.values()):
            warn_of_other_scaler(each, data)
    physical = thresholds or any(name.endswith("@physical") for name in metrics)
    scaler = physical_scaler(data, "thresholds and scores @physical") if physical else scaler_of(data)
    loader = DataLoader(share, batch_size, num_workers=num_workers, worker_init_fn=leave_signals_to_the_parent)
    done, scores = 0, dict[str, Scores]()
    with ExitStack() as modes:
        for switched in (model, *others.values()):
            modes.enter_context(evaluating(switched))
        for batch in loader:
            past, future = (frames.to(device) for frames in _pair(batch, data))
            horizon, channels = future.shape[1:3]
            forecasts = {"model": forecast(past, horizon), "persistence": persistence(past, horizon, channels)}
            forecasts |= {name: other(past, horizon) for name, other in others.items()}
            for name, other in {"model": model, **others}.items():
                if not forecasts[name].isfinite().all():
                    raise ValueError(_explain(name, other, past, forecasts[name], share.indices[done:]))
            done += len(past)
            ensemble = any(frames.ndim == 6 for frames in forecasts.values())
            empty = partial(EnsembleScores if ensemble else Scores, thresholds, scaler, metrics, windows, data_range)
            for name, frames in forecasts.items():
                alone = ensemble and frames.ndim == 5  # an ensemble of one, so that all tables have the same scores
                scores.setdefault(name, empty()).update(frames.unsqueeze(1) if alone else frames, future)
    return {name: add_processes(part, empty()).compute(name) for name, part in scores.items()}


def _pair(batch: Any, data: object) -> Any:
    """Past and future, or a `ValueError` that says what a batch is instead."""
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch
    raise ValueError(
        f"data must be a data set of samples (past, future), got {type(data).__name__} with samples of "
        f"{type(batch).__name__}; cut frames with SequenceWindows(frames, in_frames, out_frames)."
    )


def add_processes(part: Scores, whole: Scores) -> Scores:
    """Add what each process has scored; `whole` must be new, and is returned."""
    process = process_state()
    if process.num_processes == 1:
        return part
    whole.merge({key: reduce(sums.to(process.device), "sum") for key, sums in part.state().items()})
    return whole


def _explain(name: str, model: nn.Module, past: Tensor, forecast: Tensor, indices: Sequence[int]) -> str:
    """What is known about forecasts of a batch that are not finite: by which model, of which sequence, and why."""
    broken = ~forecast.flatten(1).isfinite().all(dim=1)
    first = int(broken.nonzero()[0])
    text = f"The forecast of sequence {indices[first]}{'' if name == 'model' else f' by {name!r}'} is not finite"
    if not past[first].isfinite().all():
        return f"{text}, since its past has NaN or infinite values; fill them."
    module = first_non_finite(model, past[first : first + 1], forecast.shape[-4])
    return f"{text}, though its past is; first to be not finite: {module or 'nothing when it is forecast alone'}."
