"""The training loop: any forecaster, any data set."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState
from torch import nn
from torch.utils.data import Dataset

from ..data import Sequence
from ..files import write_atomically
from ..viz import loss_curve
from .best import Best
from .check import check_run
from .checkpoint import differences, load_checkpoint, save_checkpoint
from .config import TrainConfig
from .evaluate import Tables, evaluate
from .log import Log, Record
from .objective import Objective
from .screen import Screen
from .signals import StopSignal
from .training import Training

#: What a run's directory holds, beside `metrics.jsonl` and the folder `best`.
CHECKPOINT, CONFIG = "checkpoint.pt", "config.json"
#: Settings that may differ when a run is resumed, since they change no number; a graph may, by rounding.
FREE = ("num_workers", "checkpoint_every", "graph")
#: The validation score that decides which weights are best.
MONITOR = "mse@pixel"


@dataclass(frozen=True)
class TrainResult:
    """What came of a run.

    Args:
        model: The model, with the weights of the lowest validation MSE.
        best_step: The step those weights are from.
        step: The last step.
        records: What `metrics.jsonl` holds; empty in all processes but the main one.
    """

    model: nn.Module
    best_step: int
    step: int
    records: list[Record]


def fit(
    model: nn.Module,
    train_data: Dataset[Sequence],
    validation_data: Dataset[Sequence],
    config: TrainConfig,
    out_dir: str | Path,
    *,
    objective: Callable[..., nn.Module] = Objective,
    resume: bool = False,
) -> TrainResult:
    """Train a forecaster.

    A run is a function of its settings, data, and the model it was given: on a CPU, one that was interrupted and
    resumed ends bit for bit where an unbroken one does. Ctrl-C and SIGTERM end it after the next step at the latest,
    with a checkpoint; a second one ends it at once.

    Under `accelerate launch` the batch is divided among the processes. Options of Accelerate that are not in
    `TrainConfig` are read from its environment, such as `ACCELERATE_USE_CPU=1`.

    Args:
        model: A forecaster. It is trained in place, and in the end has the weights of the lowest validation MSE.
        train_data: Sequences to train on.
        validation_data: Sequences to validate on.
        config: Settings.
        out_dir: The run's directory, made if need be; see the page on training for what is in it.
        objective: Called as `objective(l1=config.l1, l2=config.l2)`, makes the module that turns a `Rollout` and the
            true frames into a dict of losses, `"loss"` among them; `partial(Objective, aux={"decoupling": 0.1})`, say.
        resume: Go on with the run in `out_dir`.

    Raises:
        ValueError: If the run cannot start: before the first batch, naming every problem found.
        FloatingPointError: If the loss or its gradient is not finite; it names the step, the sequences, and the first
            module whose output is not finite. What was saved stays as it was.
        KeyboardInterrupt: After Ctrl-C or SIGTERM.
    """
    out, process = Path(out_dir), PartialState()
    check_run(config, model, train_data, validation_data, process.num_processes, process.device)
    training = Training(model, train_data, config, objective)
    best = Best(out / "best", config.keep_best, config.patience)
    identity = _identity(model, train_data, config)
    if resume:
        _restore(training, best, identity, out / CHECKPOINT)
    elif (out / CHECKPOINT).exists():
        raise ValueError(f"out_dir {out} holds a run already; pass resume=True to go on with it, or another directory.")
    process.wait_for_everyone()
    main = process.is_main_process
    if main:
        settings = json.dumps(asdict(config), indent=2) + "\n"
        write_atomically(out / CONFIG, lambda file: file.write(settings.encode()))
    _save(training, best, identity, out / CHECKPOINT)

    log, screen = Log(out, training.step, main), Screen(training.total_steps, training.step, main)
    with closing(log), closing(screen), StopSignal() as stop:
        batches = training.batches()
        while training.step < training.total_steps and not best.exhausted:
            losses, stopping = training.train(next(batches), stop.received)
            epoch, more = divmod(training.step, training.order.steps_per_epoch)
            log.write({"step": training.step, "epoch": epoch + (more > 0), **losses})
            screen.step(losses["loss"])
            validate = not more and (epoch % config.validate_every == 0 or epoch == config.epochs)
            if validate:
                tables = _validate(training, validation_data)
                if best.note(tables["model"].pooled[MONITOR], training.step) and main:
                    best.save(training.forecaster, training.step)
                scores = {name: table.pooled for name, table in tables.items()}
                log.write({"step": training.step, "epoch": epoch, **scores})
                screen.validation(epoch, log.mean_loss(epoch), tables)
            if validate or stopping or training.step % config.checkpoint_every == 0:
                _save(training, best, identity, out / CHECKPOINT)
            if stopping:
                raise KeyboardInterrupt(f"stopped after step {training.step}; resume=True goes on from there.")
    if main:
        loss_curve(log.records, out / "loss.png")
    return TrainResult(model, best.load(model), training.step, log.records)


def _validate(training: Training, data: Dataset[Sequence]) -> Tables:
    config, processes = training.config, training.accelerator.num_processes
    batch_size = config.batch_size // (config.accumulate * processes)
    return evaluate(
        training.forecaster,
        data,
        thresholds=config.thresholds,
        metrics=tuple(dict.fromkeys((MONITOR, *config.metrics))),
        batch_size=batch_size,
        num_workers=config.num_workers,
        graph=config.graph and "auto",  # whether it pays is another question here
    )


def _identity(model: nn.Module, data: Any, config: TrainConfig) -> dict[str, dict[str, Any]]:
    """What a checkpoint must agree with to be gone on with."""
    past, future = data[0]
    return {
        "model": dict(getattr(model, "config", None) or {}),
        "settings": {name: value for name, value in asdict(config).items() if name not in FREE},
        "training data": {"sequences": len(data), "past": tuple(past.shape), "future": tuple(future.shape)},
    }


def _save(training: Training, best: Best, identity: dict[str, Any], path: Path) -> None:
    if training.accelerator.is_main_process:
        save_checkpoint({"identity": identity, "training": training.state(), "best": best.state()}, path)
        best.prune()
    training.accelerator.wait_for_everyone()


def _restore(training: Training, best: Best, identity: dict[str, Any], path: Path) -> None:
    state = load_checkpoint(path)
    if state.keys() != {"identity", "training", "best"}:
        raise ValueError(f"{path} is no checkpoint of a run: it holds {', '.join(map(str, state))}.")
    for part, now in identity.items():
        if found := differences(state["identity"][part], now):
            raise ValueError(
                f"{path} is of a run with another {part}: {'; '.join(found)}; "
                f"resume it with the same, or start a new run in another directory."
            )
    training.restore(state["training"], str(path))
    best.restore(state["best"])
