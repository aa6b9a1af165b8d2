"""Whether the states of an optimizer and its schedule, as a checkpoint holds them, are those of this run."""

from typing import Any

import torch
from torch.optim import Optimizer

from .checkpoint import State, require_like

#: Without these an optimizer or a schedule cannot go on. Releases of torch differ in what else they save.
GROUP, SCHEDULE = ("params", "lr", "betas", "eps", "weight_decay"), ("last_epoch", "_last_lr")


def check_optimizer(state: Any, optimizer: Optimizer, step: int, may_skip: bool) -> None:
    """Check the state of Adam or AdamW.

    Args:
        state: The state.
        optimizer: The one that is to go on from it.
        step: How many steps it has taken.
        may_skip: May it have left out some, as with float16?

    Raises:
        ValueError: If a part is missing, of another kind, shape or dtype, not finite, or of another step.
    """
    name, expected = "training.optimizer", optimizer.state_dict()
    if not isinstance(state, dict) or not {"state", "param_groups"} <= state.keys():
        raise ValueError(f"{name} must hold state and param_groups, got {state!r:.80}.")
    groups, moments = state["param_groups"], state["state"]
    if not isinstance(groups, list) or len(groups) != len(expected["param_groups"]):
        raise ValueError(f"{name}.param_groups must be {len(expected['param_groups'])} dict(s), got {groups!r:.80}.")
    for group, own in zip(groups, expected["param_groups"], strict=True):
        _require_common(group, own, GROUP, f"{name}.param_groups")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not isinstance(moments, dict) or not moments.keys() <= set(range(len(parameters))):
        raise ValueError(f"{name}.state must hold moments of {len(parameters)} parameters, got {moments!r:.80}.")
    if not moments and step and not may_skip:
        raise ValueError(f"{name}.state must hold the moments of {step} step(s), got none.")
    for index, moment in moments.items():
        like = dict.fromkeys(("exp_avg", "exp_avg_sq"), parameters[index].detach())
        where = f"{name}.state.{index}"
        if not isinstance(moment, dict) or not {"step", *like} <= moment.keys():
            raise ValueError(f"{where} must hold step, exp_avg and exp_avg_sq, got {moment!r:.80}.")
        require_like({key: moment[key] for key in like}, like, where)
        taken = moment["step"]
        if not isinstance(taken, torch.Tensor) or taken.numel() != 1 or not 0 < float(taken) <= step:
            raise ValueError(f"{where}.step must be a count of at most {step} steps, got {taken!r:.80}.")
        if (moment["exp_avg_sq"] < 0).any():
            raise ValueError(f"{where}.exp_avg_sq must not be negative: it is a mean of squares.")


def check_schedule(state: Any, expected: State, step: int) -> None:
    """Check the state of a learning rate's schedule.

    Args:
        state: The state.
        expected: That of a new schedule of this run.
        step: How many steps it has taken.

    Raises:
        ValueError: If a part is missing, of another kind, not finite, or of another step.
    """
    _require_common(state, expected, SCHEDULE, "training.schedule")
    if state["last_epoch"] != step:
        raise ValueError(f"training.schedule.last_epoch must be step {step}, got {state['last_epoch']!r}.")


def _require_common(found: Any, expected: State, needed: tuple[str, ...], name: str) -> None:
    if not isinstance(found, dict) or not {*needed} <= found.keys():
        raise ValueError(f"{name} must hold {', '.join(needed)}, got {found!r:.80}.")
    common = [key for key in expected if key in found]
    require_like({key: found[key] for key in common}, {key: expected[key] for key in common}, name)
