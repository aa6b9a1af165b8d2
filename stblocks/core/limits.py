"""Limits to what a config file can ask to be built, and to keep."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

#: Integers up to here are taken by any model.
COUNT = 100_000
#: How many modules and parameters may be made for each tensor that is saved. The models here make 5 at most.
MODULES_PER_TENSOR = 20
#: Characters of a `data_spec`: names and numbers of some 1,000 channels.
SPEC_LENGTH = 100_000


def check_counts(options: Mapping[str, Any], elements: int, source: str) -> None:
    """Raise a `ValueError` if an integer is more than `COUNT` and than the number of a model's weights.

    No model has so many layers, channels or frames. A loop over them would not end, before it makes its first module.
    """
    for option, value in options.items():
        several = value if isinstance(value, list) else [value]
        if any(type(each) is int and abs(each) > max(COUNT, elements) for each in several):
            raise ValueError(
                f"{source} has {option}={value!r:.80}: an integer must be at most {COUNT}, or the number of weights, "
                f"which is {elements}; write a number that counts nothing as a float."
            )


def check_data_spec(spec: Any, source: str) -> None:
    """Raise a `ValueError` unless what a model knows of its data is a JSON object of a sensible size, or `None`."""
    try:
        text = json.dumps(spec, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{source} must have a data_spec of finite JSON values ({error}); "
            f"give it that of a data set: DataSpec.of(dataset).to_dict()."
        ) from error
    if not (spec is None or isinstance(spec, dict)) or len(text) > SPEC_LENGTH:
        raise ValueError(
            f"{source} must have a data_spec that is an object of at most {SPEC_LENGTH} characters, or none, "
            f"got {text:.80} of {len(text)}; give it that of a data set: DataSpec.of(dataset).to_dict()."
        )


class TooLarge(Exception):
    """More modules are being built than were allowed."""


@contextmanager
def at_most(number: int) -> Iterator[None]:
    """Within the block, no more modules and parameters can become part of others in this thread.

    Raises:
        TooLarge: If more do.
    """
    left, owner = number, get_ident()

    def count(*_: object) -> None:
        nonlocal left
        if get_ident() != owner:  # hooks are those of all threads
            return
        left -= 1
        if left < 0:
            raise TooLarge

    hooks = register_module_module_registration_hook(count), register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
