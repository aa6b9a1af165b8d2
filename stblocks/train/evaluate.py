"""Scoring a model beside persistence."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from ..data import Sequence as Sample
from .scores import DEFAULT_METRICS, Scores, persistence
from .signals import leave_signals_to_the_parent
from .table import Table

Tables = dict[str, Table]


@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: Dataset[Sample],
    *,
    thresholds: Sequence[float] = (),
    metrics: Sequence[str] = DEFAULT_METRICS,
    batch_size: int = 16,
    num_workers: int = 0,
) -> Tables:
    """Score forecasts of a whole data set, and those of persistence beside them.

    Runs on the model's device. With several processes, each scores its share and all return the scores of the whole.

    Args:
        model: A forecaster; it is switched to `eval()` meanwhile.
        data: Sequences.
        thresholds: Where CSI and the like cut, in the units of `data.scaler`.
        metrics: Names of the other scores.
        batch_size: Sequences at a time; it changes memory and speed, not the scores.
        num_workers: Processes that load data; 0 loads in this one.

    Returns:
        The tables `"model"` and `"persistence"`.

    Raises:
        ValueError: If a forecast is not finite.
    """
    process = PartialState()
    share = Subset(data, range(process.process_index, len(data), process.num_processes))  # type: ignore[arg-type]
    empty = partial(Scores, thresholds, getattr(data, "scaler", None), metrics)
    scores = {"model": empty(), "persistence": empty()}
    device = next((parameter.device for parameter in model.parameters()), process.device)
    loader = DataLoader(share, batch_size, num_workers=num_workers, worker_init_fn=leave_signals_to_the_parent)
    with evaluating(model):
        for past, future in loader:
            past, future = past.to(device), future.to(device)
            scores["model"].update(model(past, future.shape[1]), future)
            scores["persistence"].update(persistence(past, *future.shape[1:3]), future)
    return {name: add_processes(part, empty()).compute(name) for name, part in scores.items()}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within the block, a model is in `eval()`."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def add_processes(part: Scores, whole: Scores) -> Scores:
    """Add what each process has scored; `whole` must be new, and is returned."""
    process = PartialState()
    if process.num_processes == 1:
        return part
    whole.merge({key: reduce(sums.to(process.device), "sum") for key, sums in part.state().items()})
    return whole
