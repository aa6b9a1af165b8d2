"""Composable spatiotemporal blocks for PyTorch.

What stands at the top, `stblocks.GFM` and the like, is listed in `public.py` and imported when the first of it is asked
for: torch takes seconds, and `stblocks --help` needs none of it.
"""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .public import *  # noqa: F403  (it has an `__all__`)
    from .public import __all__ as __all__

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Public names; and slots of one letter, which earlier versions had: many mean `torch.nn.functional` by `F`."""
    if not name.startswith("__") or name == "__all__":
        public = importlib.import_module(".public", __name__)
        if name in public.__all__ or name == "__all__":
            return getattr(public, name)
        if name in public.slots.__all__ and len(name) == 1:
            warnings.warn(
                f"stblocks.{name} is now stblocks.slots.{name}; write from stblocks.slots import {name}.",
                DeprecationWarning,
                stacklevel=2,
            )
            return getattr(public.slots, name)
        if name in globals():  # a module that has just been imported, such as stblocks.core
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *importlib.import_module(".public", __name__).__all__})
