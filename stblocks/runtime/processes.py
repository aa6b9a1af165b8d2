"""The processes of a run: how many there are, on which device each computes, and what is said when one is lost."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, parse_flag_from_env

Value = TypeVar("Value")


def process_state() -> PartialState:
    """Which process this is, of how many, and its device: the only place that makes this state.

    It is made once in a process, and whoever makes it decides between CPU and GPU. Here that is
    `ACCELERATE_USE_CPU=1`, and for several processes on a machine without a GPU the machine itself.

    Raises:
        ValueError: If the environment names several processes and this one stands alone.
    """
    launched = int(os.environ.get("WORLD_SIZE", 1))
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or (launched > 1 and not torch.accelerator.is_available())
    state = PartialState(cpu=cpu)
    if state.num_processes == 1 < launched:
        raise ValueError(
            f"WORLD_SIZE={launched} processes were started, but this one stands alone and would train by itself: start "
            f"them by torchrun, which sets LOCAL_RANK too, and make no PartialState() before."
        )
    return state


def refuse_divided_models() -> None:
    """Raise a `ValueError` if Accelerate is told to divide models among processes."""
    for name in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if parse_flag_from_env(f"ACCELERATE_USE_{name}"):
            raise ValueError(
                f"ACCELERATE_USE_{name} must not be set for fit: it gives every process a whole model; configure "
                f"Accelerate without it, or divide the model in a loop of your own."
            )


def from_main(value: Value) -> Value:
    """The main process's value, in all processes."""
    return broadcast_object_list([value])[0] if process_state().num_processes > 1 else value


@contextmanager
def naming_lost_processes() -> Iterator[None]:
    """Within the block, an error of the connection to another process says what it means.

    Raises:
        ConnectionError: If another process of the run has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_of_connection(error):
            raise
        raise ConnectionError(
            f"Process {process_state().process_index} lost the others: one of them has ended, and its own message says "
            f"why. What was saved is whole: start all again with resume=True."
        ) from error


def _is_of_connection(error: RuntimeError) -> bool:
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return False
    # gloo raises a bare RuntimeError, which begins with the place in its source
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
