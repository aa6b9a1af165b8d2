"""How fast a model is, measured: medians after a run to warm up, until the device has finished."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .runtime.evaluating import evaluating

#: Runs that are timed.
REPEATS = 5


def median_seconds(
    action: Callable[[], object],
    device: torch.device,
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Median time of an action on a device.

    Args:
        action: What to time; it is run once more before, to warm up.
        device: Where it computes; it ends when that has finished.
        repeats: How often it is timed.
        clock: Gives the time in seconds.

    Raises:
        ValueError: If it is timed less than once.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}.")

    def finished() -> float:
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return clock()

    action()
    seconds = []
    for _ in range(repeats):
        start = finished()
        action()
        seconds.append(finished() - start)
    return statistics.median(seconds)


def frames_per_second(
    model: nn.Module,
    past: Tensor,
    horizon: int,
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Frames that a model forecasts in a second, where it and `past` are: the FPS of papers, for one sequence.

    What is timed is `model(past, horizon)` alone, in `eval()` and without gradients, and not how frames are loaded or
    forecasts scored. What is counted are forecast frames of all sequences, not observed ones.

    Args:
        model: A forecaster.
        past: `(B, T, C, H, W)`; papers measure with B = 1, and a larger batch gives more frames a second.
        horizon: Frames to forecast.
        repeats: Forecasts to time, after one to warm up; the median counts.
        clock: Gives the time in seconds.

    Raises:
        ValueError: If nothing is timed, or the model does not take such frames.
    """
    with evaluating(model), torch.no_grad():
        return len(past) * horizon / median_seconds(lambda: model(past, horizon), past.device, repeats, clock)
