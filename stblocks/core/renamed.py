"""Parameters that were called otherwise when a file was saved."""

from collections.abc import Mapping
from typing import Any

from torch import nn


def take_old_names(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: object) -> None:
    """Give the tensors of a module their present names; a pre-hook of `load_state_dict`.

    Args:
        module: Whose `old_names` are earlier names to present ones.
        state_dict: May hold them, with the prefix before them; is changed.
        prefix: Of the module.
    """
    for old, new in getattr(module, "old_names", {}).items():
        if prefix + old in state_dict:
            state_dict[prefix + new] = state_dict.pop(prefix + old)


def with_present_names(model: nn.Module, state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """The same for all modules inside, as a new dict."""
    renamed = dict(state_dict)
    for name, module in model.named_modules():
        take_old_names(module, renamed, f"{name}." if name else "")
    return renamed
