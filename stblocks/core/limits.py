"""Limits to what a config file can ask to be built."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

#: Integers up to here are taken by any model.
COUNT = 100_000
#: How many modules and parameters may be made for each tensor that is saved. The models here make 5 at most.
MODULES_PER_TENSOR = 20


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


class TooLarge(Exception):
    """More modules are being built than were allowed."""


@contextmanager
def at_most(number: int) -> Iterator[None]:
    """Within the block, no more modules and parameters can become part of others.

    Raises:
        TooLarge: If more do.
    """
    left = number

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooLarge

    hooks = register_module_module_registration_hook(count), register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
