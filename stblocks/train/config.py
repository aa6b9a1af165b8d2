"""The settings of a training run."""

from dataclasses import dataclass
from typing import Annotated, Literal

from ..data import Scaler
from ..score.metrics import value_metrics
from ..score.scores import DEFAULT_METRICS
from .settings import NUMBERS, SHARE, Help, Settings, above, among, at_least, whole

KNOWN = value_metrics(Scaler())


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Settings):
    """The settings of a training run. `fit` checks them, all together, before the first batch.

    A recipe adds its own by subclassing, see `Settings`; they are saved beside the checkpoint all the same.
    """

    epochs: Annotated[int, whole(1), Help("Passes over the training set.")] = 10
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
    l1: Annotated[float, at_least(0), Help("Weight of the mean absolute error in the loss.")] = 1.0
    l2: Annotated[float, at_least(0), Help("Weight of the mean squared error in the loss.")] = 1.0
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
        int | None, whole(1), Help("Stop after so many validations in a row without a lower MSE; `None` never does.")
    ] = None
    keep_best: Annotated[int, whole(1), Help("How many sets of weights are kept, those of lowest validation MSE.")] = 1

    def problems(self) -> list[str]:
        """What is wrong with the settings, a phrase each."""
        found = super().problems()
        if not found and self.l1 == self.l2 == 0:
            found.append("l1 and l2 must not both be 0: nothing would compare forecast and truth")
        return found
