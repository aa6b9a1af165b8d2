"""What changes over a run: which true frames training feeds, and the learning rate."""

import math
from abc import ABC, abstractmethod
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR


class Sampling(ABC):
    """Draws teacher masks: is step t fed the true frame t, or the forecast of it? Independent over samples and steps.

    A schedule is a function of the training step (counted from 0) and holds no state, so that a run resumes anywhere.
    """

    @abstractmethod
    def probabilities(self, step: int, in_frames: int, out_frames: int) -> Tensor:
        """How likely the true frame is fed: `(in_frames + out_frames - 1,)` in float64, 1 at frame 0."""

    def __call__(self, step: int, batch: int, in_frames: int, out_frames: int, generator: torch.Generator) -> Tensor:
        """A mask for `rollout`: `(batch, in_frames + out_frames - 1)` booleans on the generator's device."""
        chance = self.probabilities(step, in_frames, out_frames).to(generator.device)
        draws = torch.rand(batch, len(chance), generator=generator, device=generator.device, dtype=torch.float64)
        return draws < chance  # draws lie in [0, 1): a chance of 1 is certain


class NoSampling(Sampling):
    """True frames while they are observed, forecasts after, as in forecasting itself."""

    def probabilities(self, step: int, in_frames: int, out_frames: int) -> Tensor:
        """See `Sampling`."""
        return _chances(1.0, in_frames, 0.0, out_frames)


class ScheduledSampling(Sampling):
    r"""Feeds true frames beyond the observed ones ever more rarely (Bengio et al., NeurIPS 2015).

    Step t >= in_frames is fed the truth with probability

    $$\eta(s) = \mathrm{clip}(\eta_0 - r (s + 1), 0, 1) \text{ for } s < s_{stop}, \quad 0 \text{ from then on},$$

    at training step s. Defaults are those of PredRNN's released code, for 80,000 steps.

    Args:
        start: $\eta_0$; above 1, the decline sets in later.
        rate: $r$, the decline per training step.
        stop_step: $s_{stop}$.

    Raises:
        ValueError: If a number is negative.
    """

    def __init__(self, *, start: float = 1.0, rate: float = 2e-5, stop_step: float = 50_000) -> None:
        _check_not_negative(start=start, rate=rate, stop_step=stop_step)
        self.start, self.rate, self.stop_step = start, rate, stop_step

    def eta(self, step: int) -> float:
        r"""$\eta$ at a training step."""
        return min(max(self.start - self.rate * (step + 1), 0.0), 1.0) if step < self.stop_step else 0.0

    def probabilities(self, step: int, in_frames: int, out_frames: int) -> Tensor:
        """See `Sampling`."""
        return _chances(1.0, in_frames, self.eta(step), out_frames)


class ReverseScheduledSampling(Sampling):
    r"""Withholds observed frames at first, then feeds them ever more often (PredRNNv2, Wang et al., TPAMI 2022).

    Observed step t (1 <= t < in_frames) is fed the truth with probability $\epsilon$, a later one with probability
    $\eta$: both 0.5 before `start_step` $s_1$; from `stop_step` $s_2$ on 1 and 0; in between, with decay $\alpha$,

    $$\epsilon(s) = 1 - 0.5 \exp(-(s - s_1) / \alpha), \qquad \eta(s) = 0.5 - 0.5 (s - s_1) / (s_2 - s_1).$$

    Defaults are those of PredRNNv2's released code, for 80,000 steps.

    Args:
        start_step: $s_1$.
        stop_step: $s_2$.
        decay_steps: $\alpha$.

    Raises:
        ValueError: If a number is negative, `stop_step` is below `start_step`, or `decay_steps` is 0.
    """

    def __init__(self, *, start_step: float = 25_000, stop_step: float = 50_000, decay_steps: float = 5_000) -> None:
        _check_not_negative(start_step=start_step, stop_step=stop_step, decay_steps=decay_steps)
        if stop_step < start_step:
            raise ValueError(f"stop_step must be at least start_step={start_step}, got {stop_step}.")
        if decay_steps == 0:
            raise ValueError("decay_steps must be above 0, got 0; for a jump to 1 take stop_step = start_step.")
        self.start_step, self.stop_step, self.decay_steps = start_step, stop_step, decay_steps

    def epsilon(self, step: int) -> float:
        r"""$\epsilon$ at a training step: for observed frames."""
        if step >= self.stop_step:
            return 1.0
        return 1.0 - 0.5 * math.exp(-max(step - self.start_step, 0.0) / self.decay_steps)

    def eta(self, step: int) -> float:
        r"""$\eta$ at a training step: for frames beyond the observed ones."""
        if step >= self.stop_step:
            return 0.0
        if step <= self.start_step:
            return 0.5
        return 0.5 * (self.stop_step - step) / (self.stop_step - self.start_step)

    def probabilities(self, step: int, in_frames: int, out_frames: int) -> Tensor:
        """See `Sampling`."""
        return _chances(self.epsilon(step), in_frames, self.eta(step), out_frames)


def sampling(name: Literal["none", "scheduled", "reverse"], total_steps: int, stop_step: int | None = None) -> Sampling:
    """A schedule by name, the released settings stretched from their 50,000 steps to `stop_step`.

    Args:
        name: `none`, `scheduled` or `reverse`.
        total_steps: Steps of the run.
        stop_step: From which step on training feeds what forecasting does; `None` is 5/8 of the run, where it is in
            the released settings, for 80,000 steps.

    Raises:
        ValueError: If there is no such schedule, or `total_steps` or `stop_step` is below 1.
    """
    _check_total(total_steps)
    stop = total_steps * 5 / 8 if stop_step is None else stop_step
    if stop_step is not None and stop_step < 1:
        raise ValueError(f"stop_step must be at least 1, got {stop_step}.")
    match name:
        case "none":
            return NoSampling()
        case "scheduled":
            return ScheduledSampling(rate=1 / stop, stop_step=stop)
        case "reverse":
            return ReverseScheduledSampling(start_step=stop / 2, stop_step=stop, decay_steps=stop / 10)
    raise ValueError(f"sampling must be 'none', 'scheduled' or 'reverse', got {name!r}.")


def learning_rate(
    name: Literal["onecycle", "cosine", "constant"], optimizer: Optimizer, total_steps: int, *, warmup: float = 0.1
) -> LRScheduler:
    """The learning rate over a run, one step of the scheduler per step of the optimizer.

    `onecycle` is `torch`'s `OneCycleLR` (it rises from a 25th of the highest rate, then falls along a cosine; the first
    beta of Adam moves the other way); `cosine` rises linearly, then falls to 0 along a cosine; `constant` rises
    linearly and stays. `onecycle` of a single step has the highest rate. To resume, build optimizer and scheduler anew,
    then load the state dicts of both.

    Args:
        name: `onecycle`, `cosine` or `constant`.
        optimizer: Its learning rates, group by group, are the highest of the run.
        total_steps: Steps of the run.
        warmup: Fraction of the steps in which the rate rises.

    Raises:
        ValueError: If `name` is another word, `total_steps` is below 1, or `warmup` is not in [0, 1).
    """
    _check_total(total_steps)
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup must be a fraction of the steps in [0, 1), got {warmup}.")
    rise = warmup * total_steps
    match name:
        case "onecycle" if total_steps == 1:  # its last rate is 0, and this is the last step
            return LambdaLR(optimizer, partial(_linear, rise=0.0))
        case "onecycle":
            return OneCycleLR(
                optimizer,
                max_lr=[group["lr"] for group in optimizer.param_groups],
                total_steps=total_steps,
                # torch divides by zero where the rise is exactly one step; of two, one would rise and the other be 0
                pct_start=warmup if rise > 1 and total_steps > 2 else 0.0,
                cycle_momentum="betas" in optimizer.defaults,
            )
        case "cosine":
            return LambdaLR(optimizer, partial(_cosine, rise=rise, total=total_steps))
        case "constant":
            return LambdaLR(optimizer, partial(_linear, rise=rise))
    raise ValueError(f"schedule must be 'onecycle', 'cosine' or 'constant', got {name!r}.")


def _linear(step: int, rise: float) -> float:
    return min(1.0, (step + 1) / rise) if rise > 0 else 1.0


def _cosine(step: int, rise: float, total: int) -> float:
    fallen = max(0.0, min(1.0, (step + 1 - rise) / (total + 1 - rise)))
    return _linear(step, rise) * 0.5 * (1.0 + math.cos(math.pi * fallen))


def _chances(observed: float, in_frames: int, beyond: float, out_frames: int) -> Tensor:
    """1 at frame 0, then `observed` up to `in_frames`, then `beyond`."""
    chances = [1.0] + [observed] * (in_frames - 1) + [beyond] * (out_frames - 1)
    return torch.tensor(chances, dtype=torch.float64)


def _check_total(total_steps: int) -> None:
    if total_steps < 1:
        raise ValueError(f"total_steps must be at least 1, got {total_steps}; are there fewer sequences than a batch?")


def _check_not_negative(**numbers: float) -> None:
    for name, number in numbers.items():
        if not number >= 0:
            raise ValueError(f"{name} must be at least 0, got {number}.")
