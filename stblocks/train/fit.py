"""The training loop: any forecaster, any data set."""

import json
import math
import warnings
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from torch import nn
from torch.utils.data import Dataset

from ..borders.checks import check_directory
from ..borders.files import remove_unfinished, write_atomically
from ..data import DataSpec, Sequence
from ..data.ranges import warn_of_ranges
from ..runtime.processes import from_main, naming_lost_processes, process_state
from ..runtime.signals import StopSignal
from ..score.evaluate import Tables, evaluate
from ..viz import loss_curve
from .best import Best
from .check import check_run
from .checkpoint import newest, require_newest
from .config import MAIN, TrainConfig
from .log import Log, Record
from .objective import Objective
from .run import Run
from .run_lock import run_lock
from .run_state import CHECKPOINT, identity, restore_run, save_run
from .screen import Screen

#: The settings of a run, in its directory.
CONFIG = "config.json"


@dataclass(frozen=True)
class TrainResult:
    """What came of a run.

    Args:
        model: The model, with the weights of the best validation score, the lowest MSE unless `monitor` names another.
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
    with a checkpoint; a second one, or one that comes while it does not train, ends it at once.

    Under `torchrun` and `accelerate launch` the batch is divided among the processes, and `out_dir` is the main one's:
    a directory that all of them see. Options of Accelerate that are not in `TrainConfig` are read from its environment,
    such as `ACCELERATE_USE_CPU=1`.

    Args:
        model: A forecaster. It is trained in place, and in the end has the weights of the best validation score, is in
            `eval()`, and knows its data: `model.data_spec` is that of `train_data`.
        train_data: Sequences to train on.
        validation_data: Sequences to validate on.
        config: Settings.
        out_dir: The run's directory, made if need be; see the page on training for what is in it.
        objective: Called as `objective(l1=config.l1, l2=config.l2)`, with what else the settings ask for by
            `terms` and `cell_weights`, makes the module that turns a `Rollout` and the true frames into a dict of
            losses, `"loss"` among them; `partial(Objective, aux={"decoupling": 0.1})`, say.
        resume: Go on with the run in `out_dir`.

    Raises:
        ValueError: If the run cannot start, before the first batch, naming every problem found; if another process
            trains in `out_dir`; if no future frame of a whole epoch, or of the validation, has a cell that is known;
            if the loss does not depend on a weight, in several processes.
        FloatingPointError: If the loss or its gradient is not finite; it names the step, the sequences, and the first
            module whose output is not finite. What was saved stays as it was.
        ConnectionError: If another process of this run has ended.
        KeyboardInterrupt: After Ctrl-C or SIGTERM.
    """
    with StopSignal() as stop, naming_lost_processes():
        process, out = process_state(), Path(from_main(str(check_directory("out_dir", out_dir))))
        check_run(config, model, train_data, validation_data, process.num_processes, process.device)
        if resume:
            require_newest(out / CHECKPOINT)  # before the lock, which makes the directory
        with run_lock(out) if process.is_main_process else nullcontext():
            return _fit(model, train_data, validation_data, config, out, objective, resume, stop)


def _fit(
    model: nn.Module,
    train_data: Dataset[Sequence],
    validation_data: Dataset[Sequence],
    config: TrainConfig,
    out: Path,
    objective: Callable[..., nn.Module],
    resume: bool,
    stop: StopSignal,
) -> TrainResult:
    model.data_spec = DataSpec.of(train_data).to_dict()  # type: ignore[assignment]
    run = Run(model, train_data, config, objective)
    best = Best(out / "best", config.keep_best, config.patience)
    own = identity(model, run.objective, train_data, validation_data, config)
    main = run.accelerator.is_main_process

    def advise() -> None:
        stop.advice = f"; resume=True goes on from step {run.step}"

    def save() -> None:
        save_run(run, best, own, out)
        advise()

    def awaits_validation() -> bool:
        epoch, more = divmod(run.step, run.order.steps_per_epoch)
        due = not more and (epoch % config.validate_every == 0 or epoch == config.epochs)
        return due and run.step != best.judged

    if resume:
        restore_run(run, best, own, out)
        if not awaits_validation():
            best.require_files()
    elif newest(out / CHECKPOINT):
        raise ValueError(
            f"out_dir {out} holds a run already; pass resume=True (--resume on the command line) to go on with it, or "
            f"another directory."
        )
    run.accelerator.wait_for_everyone()
    if main:
        remove_unfinished(out)
        remove_unfinished(best.directory)
        settings = json.dumps(asdict(config), indent=2) + "\n"
        write_atomically(out / CONFIG, lambda file: file.write(settings.encode()))
    if resume:
        advise()
    else:
        save()

    log, screen = Log(out, run.step, best.judged, main), Screen(run.total_steps, run.step, main)
    with closing(log), closing(screen), closing(run.batches()) as batches:  # which ends the processes that load
        looked_at = False
        while True:
            if awaits_validation():  # what is to be judged is in the checkpoint already
                stop.heed()
                epoch = run.step // run.order.steps_per_epoch
                tables = _validate(run, validation_data)
                score = config.monitor_sign * tables["model"].pooled[config.monitor]
                if best.note(score, run.step) and main:
                    best.save(run.forecaster, run.step)
                if main:
                    best.require_files()
                scores = {name: table.pooled for name, table in tables.items()}
                log.write({"step": run.step, "epoch": epoch, **scores})
                screen.validation(epoch, log.mean_loss(epoch), tables)
                save()
            if run.step == run.total_steps or best.exhausted:
                break
            with stop.held():
                start = perf_counter()
                batch = next(batches)
                if main and not looked_at:
                    warn_of_ranges(model, batch)
                    looked_at = True
                losses, stopping = run.train(batch, stop.received)
                log.seconds += perf_counter() - start
                epoch, more = divmod(run.step, run.order.steps_per_epoch)
                log.write({"step": run.step, "epoch": epoch + (more > 0), **losses})
                screen.step(losses["loss"])
                if not more and run.blank >= run.order.steps_per_epoch:
                    raise ValueError(
                        f"train_data must have a future frame with a cell that is known, but in all of epoch {epoch} "
                        f"they are NaN, which means missing: there is nothing to learn a forecast from."
                    )
                if stopping or not more or run.step % config.checkpoint_every == 0:
                    save()
            if stopping:
                raise KeyboardInterrupt(f"stopped after step {run.step}{stop.advice}.")
    if main:
        loss_curve(log.records, out / "loss.png")
    score = best.load(model)
    return TrainResult(model.eval(), score, run.step, log.records)


def _validate(run: Run, data: Dataset[Sequence]) -> Tables:
    config, processes = run.config, run.accelerator.num_processes
    run.share_buffers()
    batch_size = config.batch_size // (config.accumulate * processes)
    tables = evaluate(
        run.forecaster,
        data,
        thresholds=config.thresholds,
        metrics=config.value_scores,
        batch_size=batch_size,
        num_workers=config.num_workers,
        graph=config.graph and "auto",  # whether it pays is another question here
    )
    if math.isnan(tables["model"].pooled[MAIN]):
        raise ValueError(
            "validation_data must have a future frame with a cell that is known, but all are NaN, which means missing: "
            "no score can tell which weights are best."
        )
    if math.isnan(tables["model"].pooled[config.monitor]) and run.accelerator.is_main_process:
        warnings.warn(
            f"The validation score {config.monitor} is NaN, so that it cannot say which weights are best: "
            f"validation_data have nothing that it could be computed of, such as an event; monitor another score, or "
            f"validate on more sequences.",
            stacklevel=2,
        )
    return tables
