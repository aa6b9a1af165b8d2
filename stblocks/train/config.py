"""The settings of a training run."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from ..data import Scaler
from .metrics import value_metrics
from .scores import DEFAULT_METRICS


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The settings of a training run. `fit` checks them, all together, before the first batch.

    A recipe adds its own by subclassing; they are saved beside the checkpoint all the same.

    Args:
        epochs: Passes over the training set.
        batch_size: Sequences per step of the optimizer, over all processes together.
        accumulate: Parts that a process computes its share of a batch in, one after the other, to save memory.
        lr: Highest learning rate.
        weight_decay: That of AdamW; without it, it is Adam.
        schedule: Course of the learning rate after it has risen: down a cosine, or constant; `onecycle` moves the
            momentum too.
        warmup: Fraction of all steps in which the learning rate rises.
        sampling: Which true frames training feeds besides the observed ones: none, or those of scheduled sampling or
            reverse scheduled sampling.
        l1: Weight of the mean absolute error in the loss.
        l2: Weight of the mean squared error in the loss.
        grad_clip: Largest norm of the gradient; `None` leaves it as it is.
        ema_decay: Judge and keep an average of the weights over the steps, which keeps this share of itself at each;
            `None` for no average.
        precision: Of the forward pass; weights are float32.
        graph: Run forward, loss and backward as one CUDA graph, which is recorded at the first step. "auto" does where
            it can, and says so in one sentence where it cannot on a GPU.
        channels_last: Lay the weights out for speed, see `lay_channels_last`.
        augment: Flip and transpose whole sequences at random.
        seed: Of the order and the augmentation of the data, of sampling and of dropout.
        num_workers: Processes that load data; 0 loads in the training process.
        thresholds: Where CSI and the like cut, in the units of the data's scaler.
        metrics: Names of the other scores, see the page on metrics.
        checkpoint_every: Steps between checkpoints; there is one after every validation too.
        validate_every: Epochs between validations; there is one after the last epoch too.
        patience: Stop after so many validations in a row without a lower MSE; `None` never does.
        keep_best: How many sets of weights are kept, those of lowest validation MSE.
    """

    epochs: int = 10
    batch_size: int = 16
    accumulate: int = 1
    lr: float = 3e-4
    weight_decay: float = 0.0
    schedule: Literal["onecycle", "cosine", "constant"] = "onecycle"
    warmup: float = 0.1
    sampling: Literal["none", "scheduled", "reverse"] = "none"
    l1: float = 1.0
    l2: float = 1.0
    grad_clip: float | None = 1.0
    ema_decay: float | None = None
    precision: Literal["no", "bf16", "fp16"] = "no"
    graph: Literal["auto", True, False] = "auto"
    channels_last: bool = True
    augment: bool = False
    seed: int = 0
    num_workers: int = 0
    thresholds: tuple[float, ...] = ()
    metrics: tuple[str, ...] = DEFAULT_METRICS
    checkpoint_every: int = 500
    validate_every: int = 1
    patience: int | None = None
    keep_best: int = 1

    def problems(self) -> list[str]:
        """What is wrong with the settings, a phrase each."""
        found = []
        for name, (expected, fits) in RULES.items():
            value = getattr(self, name)
            if not (value is None and name in OPTIONAL) and not fits(value):
                found.append(f"{name} must be {expected}{' or None' if name in OPTIONAL else ''}, got {value!r}")
        if not found and self.l1 == self.l2 == 0:
            found.append("l1 and l2 must not both be 0: nothing would compare forecast and truth")
        return found


Rule = tuple[str, Callable[[Any], bool]]  # what a value must be, and whether it is

KNOWN = value_metrics(Scaler())
OPTIONAL = ("grad_clip", "ema_decay", "patience")


def _whole(least: int) -> Rule:
    return f"an integer >= {least}", lambda value: type(value) is int and value >= least


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _choice(name: str) -> Rule:
    options = get_args(get_type_hints(TrainConfig)[name])
    return f"one of {', '.join(map(repr, options))}", lambda value: value in options


RULES: dict[str, Rule] = {
    **dict.fromkeys(("epochs", "batch_size", "accumulate", "checkpoint_every", "validate_every"), _whole(1)),
    **dict.fromkeys(("patience", "keep_best"), _whole(1)),
    **dict.fromkeys(("num_workers", "seed"), _whole(0)),
    **dict.fromkeys(("lr", "grad_clip"), ("a number > 0", lambda value: _is_number(value) and value > 0)),
    **dict.fromkeys(("weight_decay", "l1", "l2"), ("a number >= 0", lambda value: _is_number(value) and value >= 0)),
    **dict.fromkeys(("warmup", "ema_decay"), ("in [0, 1)", lambda value: _is_number(value) and 0 <= value < 1)),
    **{name: _choice(name) for name in ("schedule", "sampling", "precision")},
    **dict.fromkeys(("augment", "channels_last"), ("True or False", lambda value: type(value) is bool)),
    "graph": ("'auto', True or False", lambda value: type(value) is bool or (type(value) is str and value == "auto")),
    "thresholds": ("a tuple of numbers", lambda value: type(value) is tuple and all(map(_is_number, value))),
    "metrics": (
        f"a tuple of names among {', '.join(KNOWN)}",
        lambda value: type(value) is tuple and {*value} <= KNOWN.keys(),
    ),
}
