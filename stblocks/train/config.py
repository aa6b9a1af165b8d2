"""The settings of a training run."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ..data import Scaler
from ..score.metrics import value_metrics
from ..score.scores import DEFAULT_METRICS
from .loss_settings import LossSettings
from .settings import NUMBERS, SHARE, Check, Help, above, among, at_least, whole

KNOWN = value_metrics(Scaler())
#: Scores of events that can say which weights are best; the frequency bias, which is best at 1, cannot.
EVENTS = ("csi", "pod", "far", "hss")
#: What names of scores begin with of which more is better.
HIGHER = ("csi", "pod", "hss", "psnr", "snr", "ssim")
#: The validation score that pictures and rows begin with, and that is known wherever any is.
MAIN = "mse@pixel"
MONITOR = Check("the name of a score", lambda value: type(value) is str)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(LossSettings):
    """The settings of a training run. `fit` checks them, all together, before the first batch.

    A recipe adds its own by subclassing, see `Settings`; they are saved beside the checkpoint all the same.

    Attributes:
        may_differ: Settings that may be others when a run is resumed: they change no number; a graph may, by rounding.
    """

    may_differ: ClassVar[tuple[str, ...]] = ("num_workers", "checkpoint_every", "graph")

    epochs: Annotated[int, whole(1), Help("Passes over the training set, each less what is short of a batch.")] = 10
    batch_size: Annotated[int, whole(1), Help("Sequences per step of the optimizer, over all processes together.")] = 16
    accumulate: Annotated[
        int,
        whole(1),
        Help("Parts that a process computes its share of a batch in, one after the other, to save memory."),
    ] = 1
    lr: Annotated[float, above(0), Help("Highest learning rate.")] = 3e-4
    weight_decay: Annotated[float, at_least(0), Help("That of AdamW; without it, it is Adam.")] = 0.0
    schedule: Annotated[
        Literal["onecycle", "cosine", "constant"],
        Help(
            "Course of the learning rate after it has risen: down a cosine, or constant; `onecycle` moves the "
            "momentum too."
        ),
    ] = "onecycle"
    warmup: Annotated[float, SHARE, Help("Fraction of all steps in which the learning rate rises.")] = 0.1
    sampling: Annotated[
        Literal["none", "scheduled", "reverse"],
        Help(
            "Which true frames training feeds besides the observed ones: none, or those of scheduled sampling "
            "or reverse scheduled sampling."
        ),
    ] = "none"
    sampling_steps: Annotated[
        int | None,
        whole(1),
        Help("Step from which `sampling` feeds what forecasting does; `None` is 5/8 of the run."),
    ] = None
    grad_clip: Annotated[float | None, above(0), Help("Largest norm of the gradient; `None` leaves it as it is.")] = 1.0
    ema_decay: Annotated[
        float | None,
        SHARE,
        Help(
            "Judge and keep an average of the weights over the steps, which keeps this share of itself at "
            "each; `None` for no average."
        ),
    ] = None
    precision: Annotated[Literal["no", "bf16", "fp16"], Help("Of the forward pass; weights are float32.")] = "no"
    graph: Annotated[
        Literal["auto", True, False],
        Help(
            'Run forward, loss and backward as one CUDA graph, which is recorded at the first step. "auto" '
            "does where it can, and says so in one sentence where it cannot on a GPU."
        ),
    ] = "auto"
    channels_last: Annotated[bool, Help("Lay the weights out for speed, see `lay_channels_last`.")] = True
    augment: Annotated[bool, Help("Flip and transpose whole sequences at random.")] = False
    jitter: Annotated[
        float,
        at_least(0),
        Help(
            "Add to all echoes of a sequence, its values above 0 in model units, one random number of this standard "
            "deviation, in the scaler's units."
        ),
    ] = 0.0
    seed: Annotated[
        int, whole(0), Help("Of the order and the augmentation of the data, of sampling and of dropout.")
    ] = 0
    num_workers: Annotated[int, whole(0), Help("Processes that load data; 0 loads in the training process.")] = 0
    thresholds: Annotated[
        tuple[float, ...], NUMBERS, Help("Where CSI and the like cut, in the units of the data's scaler.")
    ] = ()
    metrics: Annotated[tuple[str, ...], among(KNOWN), Help("Names of the other scores, see the page on metrics.")] = (
        DEFAULT_METRICS
    )
    checkpoint_every: Annotated[
        int, whole(1), Help("Steps between checkpoints; there is one after every validation too.")
    ] = 500
    validate_every: Annotated[
        int, whole(1), Help("Epochs between validations; there is one after the last epoch too.")
    ] = 1
    patience: Annotated[
        int | None, whole(1), Help("Stop after so many validations in a row without a better one; `None` never does.")
    ] = None
    keep_best: Annotated[int, whole(1), Help("How many sets of weights are kept, those of the best scores.")] = 1
    monitor: Annotated[
        str,
        MONITOR,
        Help("The validation score that says which weights are best: of `metrics`, or such as csi@30 of `thresholds`."),
    ] = MAIN

    def problems(self) -> list[str]:
        """What is wrong with the settings, a phrase each."""
        found = super().problems()
        if found:
            return found
        if self.sampling == "none" and self.sampling_steps is not None:
            found.append("sampling_steps changes nothing without sampling; give that, or leave sampling_steps out")
        known = [*KNOWN, *(f"{event}@{threshold:g}" for event in EVENTS for threshold in self.thresholds)]
        if self.monitor not in known:
            found.append(f"monitor must be one of {', '.join(known)}, got {self.monitor!r}")
        return found

    @property
    def value_scores(self) -> tuple[str, ...]:
        """The scores of values, not of events, that a validation computes."""
        return tuple(name for name in dict.fromkeys((MAIN, self.monitor, *self.metrics)) if name in KNOWN)

    @property
    def monitor_sign(self) -> int:
        """1 where a lower score is better, -1 where a higher one is."""
        return -1 if self.monitor.startswith(HIGHER) else 1
