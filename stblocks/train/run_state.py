"""Saving a run in its directory, and going on with it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from .best import Best
from .checkpoint import differences, load_checkpoint, require_newest, require_plain, save_checkpoint
from .config import TrainConfig
from .data_identity import data_differences, data_identity
from .run import Run

CHECKPOINT = "checkpoint.pt"
#: What a saved identity may lack: older checkpoints do.
LATER = ("objective",)

Identity = dict[str, dict[str, Any]]


def identity(
    model: nn.Module, objective: nn.Module, train_data: Any, validation_data: Any, config: TrainConfig
) -> Identity:
    """What a checkpoint must agree with so that a run can go on from it.

    Raises:
        ValueError: If a part of it cannot be saved.
    """
    own = {
        "model": dict(getattr(model, "config", None) or {}),
        "settings": {name: value for name, value in asdict(config).items() if name not in config.may_differ},
        "training data": data_identity(train_data),
        "validation data": data_identity(validation_data),
        "objective": _attributes(objective),
    }
    require_plain(own, "identity", tensors=False)
    return own


def save_run(run: Run, best: Best, own: Identity, directory: Path) -> None:
    """Write the checkpoint, by the main process; all wait for it.

    Raises:
        ValueError: If it cannot be written.
    """
    if run.accelerator.is_main_process:
        state = {"identity": own, "training": run.state(), "best": best.state()}
        save_checkpoint(state, directory / CHECKPOINT)
        best.prune()  # after the ranking is saved, so that no checkpoint names a file that is gone
    run.accelerator.wait_for_everyone()


def restore_run(run: Run, best: Best, own: Identity, directory: Path) -> None:
    """Go on from the newest checkpoint in a directory.

    Raises:
        ValueError: If there is none, it is damaged, or of another run.
    """
    path = require_newest(directory / CHECKPOINT)
    state = load_checkpoint(path)
    if state.keys() != {"identity", "training", "best"}:
        raise ValueError(f"{path} is no checkpoint of a run: it holds {', '.join(map(str, state))}.")
    saved = state["identity"]
    saved = {part: own[part] for part in LATER} | saved if isinstance(saved, dict) else {}
    if not all(isinstance(saved.get(part), dict) for part in own):
        raise ValueError(f"{path} is no checkpoint of a run: its identity must hold {', '.join(own)}.")
    for name in run.config.may_differ:
        saved["settings"].pop(name, None)
    epochs = run.config.epochs
    before: Any = saved["settings"].get("epochs")
    longer = type(before) is int and before < epochs
    if longer:
        saved["settings"]["epochs"] = epochs
    for part, now in own.items():
        compare = data_differences if part.endswith("data") else differences
        if found := compare(saved[part], now):
            raise ValueError(
                f"{path} is of a run that differs in its {part}: {'; '.join(found)}; "
                f"resume it with the same, or start a new run in another directory."
            )
    try:
        run.restore(state["training"])
        best.restore(state["best"], run.step)
    except ValueError as error:
        raise ValueError(f"{path} cannot be resumed from: {error}") from error
    if longer and (reason := _obstacle_to_more_steps(run, best, before)):
        raise ValueError(
            f"{path} is of a run of {before} epochs, which cannot become one of {epochs}: {reason}; resume it with "
            f"epochs={before}, or start a new run from the weights in {best.directory}, in another directory."
        )


def _attributes(objective: nn.Module) -> dict[str, Any]:
    """The kinds and the plain attributes of an objective and its parts, by their names; scalers are the data's."""
    found: dict[str, Any] = {}
    for name, part in objective.named_modules():
        found[name or "kind"] = type(part).__name__
        own = {key: value for key, value in vars(part).items() if key != "training" and not key.startswith("_")}
        found |= {f"{name}.{key}".lstrip("."): repr(value) for key, value in own.items() if _is_plain(value)}
    return found


def _is_plain(value: object) -> bool:
    """Numbers, texts, and what is made of them: what is written alike in every process."""
    if isinstance(value, tuple | list | dict):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, bool | int | float | str)


def _obstacle_to_more_steps(run: Run, best: Best, epochs: int) -> str | None:
    """Why what a run of so many epochs has done so far is not the beginning of one that is longer."""
    config = run.config
    if config.schedule != "constant":
        return f"schedule={config.schedule!r} is laid over all steps, so that they would have had another learning rate"
    if config.sampling != "none" and config.sampling_steps is None:
        return f"sampling={config.sampling!r} is laid over all steps, so that they would have been fed other frames"
    if (rise := config.warmup * run.total_steps) > 1:  # up to one step, it is none
        return f"warmup={config.warmup} would be {rise:g} steps, so that they would have had another learning rate"
    if epochs % config.validate_every and best.judged == epochs * run.order.steps_per_epoch:
        return (
            f"it was validated after its last epoch, which the longer run with validate_every={config.validate_every} "
            f"would not be, and its weights may be among the best"
        )
    return None
