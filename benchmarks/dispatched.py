"""Which operators a step launches, counted without a GPU: on the `meta` device, as a GPU would be given them."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: Operators whose result or size depends on values, so that the host waits for the device.
READING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2", "unique_dim"}
#: Operators that move values from one layout or dtype to another, no more.
COPIES = {"clone", "copy_", "_to_copy", "contiguous"}


class Dispatched(TorchDispatchMode):
    """Counts the operators of PyTorch that are called within it and have work to do: no views, no empty tensors.

    One operator is one kernel or a few, so that these are counts of launches only in proportion.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()  # what no CUDA graph can hold: values read, tensors on the CPU

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().split("::")[1].split(".")[0]
        if name in READING:
            self.waits[name] += 1
        out = func(*args, **(kwargs or {}))
        if _is_free(func, name):  # of a tensor on the CPU too: what works with it is noted
            return out
        tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)]
        if any(tensor.device.type == "cpu" for tensor in tensors):
            self.waits[f"{name} of tensors on the CPU"] += 1
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(out)):
            self.counts[name] += 1
        return out

    @property
    def total(self) -> int:
        """All operators."""
        return sum(self.counts.values())

    @property
    def copies(self) -> int:
        """Those that only copy."""
        return sum(self.counts[name] for name in COPIES)


class _Indexed(TorchFunctionMode):
    """Notes lists as indices, which torch brings to the device before anything is dispatched."""

    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            parts = args[1] if isinstance(args[1], tuple) else (args[1],)
            self.waits["a list as an index"] += sum(isinstance(part, list | range) for part in parts)
        return func(*args, **(kwargs or {}))


def _is_free(func: Any, name: str) -> bool:
    views = any(value.alias_info is not None and not value.alias_info.is_write for value in func._schema.returns)
    return views or name in ("detach", "_unsafe_view") or name.startswith(("empty", "new_empty"))


@contextmanager
def as_on_a_gpu() -> Iterator[None]:
    """Within the block, every tensor says that it is on CUDA, so that meta tensors go the way of those on a GPU."""
    with patch.object(Tensor, "is_cuda", True), patch.object(torch, "is_autocast_enabled", lambda *_: False):
        yield


def dispatched(action: Callable[[], object]) -> Dispatched:
    """What a function of tensors on the `meta` device dispatches, on the way that those on a GPU go."""
    with as_on_a_gpu(), Dispatched() as mode, _Indexed(mode.waits):
        action()
    mode.waits = +mode.waits  # without zeros
    return mode
