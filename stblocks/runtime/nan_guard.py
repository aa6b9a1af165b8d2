"""Finding where a value that is not finite came from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def is_finite(values: Any) -> bool:
    """Are all floating-point tensors in a nest of tuples, lists and dicts free of NaN and infinities?"""
    tensors = (value for value in tree_leaves(values) if isinstance(value, Tensor) and value.is_floating_point())
    return all(bool(value.isfinite().all()) for value in tensors)


@contextmanager
def watch(module: nn.Module) -> Iterator[Callable[[], str | None]]:
    """Within the block, note the first module inside `module` to return something that is not finite.

    Yields:
        A function that returns its dotted name and class, or `None` if every output so far was finite.
    """
    found: list[str] = []

    def hook_of(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(owner: nn.Module, _inputs: Any, output: Any) -> None:
            if not found and not is_finite(output):
                found.append(f"{name} ({type(owner).__name__})" if name else type(owner).__name__)

        return hook

    handles = [child.register_forward_hook(hook_of(name)) for name, child in module.named_modules()]
    try:
        yield lambda: found[0] if found else None
    finally:
        for handle in handles:
            handle.remove()


def first_non_finite(module: nn.Module, *inputs: Any) -> str | None:
    """Run a module and name the first one inside it whose output is not finite; `None` if all are.

    Args:
        module: The model, in the mode it failed in.
        *inputs: What to run it on.
    """
    with torch.no_grad(), watch(module) as name:
        module(*inputs)
        return name()
