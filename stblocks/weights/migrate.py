"""State dicts of earlier versions, whose tensors had other names or shapes.

A module whose tensors did has `migrate(state_dict, prefix)`, which changes the dict to what it is now, and registers
`migrate` below, so that `load_state_dict` reads both.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn


def migrate(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: object) -> None:
    """For `register_load_state_dict_pre_hook` of a module that has a method of this name."""
    module.migrate(state_dict, prefix)  # type: ignore[operator]


def migrated(model: nn.Module, state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict as the modules inside now have it."""
    present = dict(state_dict)
    for name, module in model.named_modules():
        if hasattr(module, "migrate"):
            migrate(module, present, f"{name}." if name else "")
    return present
