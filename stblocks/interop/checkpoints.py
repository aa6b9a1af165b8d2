"""Released checkpoints as they are found: weights alone, within what training saved, or under a prefix."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..borders.reading import reading

#: Under which the weights lie in what training frameworks save, and in the released code of the papers.
INSIDE = ("state_dict", "model_state_dict", "model", "net_param", "net")
#: What Lightning puts before the names of a model, beside which there may be buffers of losses.
LIGHTNING = "model."
#: What wrappers put before every name: that, of DataParallel, and of torch.compile.
PREFIXES = (LIGHTNING, "module.", "_orig_mod.")


def read_official(path: str | Path) -> dict[str, Tensor]:
    """The weights of a checkpoint that another code wrote, for `from_official`.

    Args:
        path: A file of `torch.save` or safetensors. Nothing in it is run: it is read with `weights_only=True`.

    Raises:
        ValueError: If it is not there or damaged, holds more than tensors and plain values, or has no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"There is no file {path}; name the released checkpoint.")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        with reading(path, "safetensors"):
            return bare(load_file(path))
    way_out = "load it with code you trust, and save its state_dict() alone"
    with reading(path, "a checkpoint of torch.save that holds weights and plain values", way_out):
        held = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(held, Mapping):
        raise ValueError(f"{path} must hold a dict of weights, got {type(held).__name__}.")
    return bare(held)


def bare(held: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights in what a checkpoint holds, without the prefix that all names share; or those of Lightning's model.

    What else there is has a warning.

    Raises:
        ValueError: If there are none.
    """
    for key in INSIDE:
        if isinstance(inner := held.get(key), Mapping):
            return bare(inner)
    weights = {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not weights:
        raise ValueError(
            f"The checkpoint must hold weights by name, or have them under one of {', '.join(INSIDE)}, "
            f"got {', '.join(map(str, list(held)[:8])) or 'nothing'}."
        )
    shared = (prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in weights))
    prefix = next(shared, LIGHTNING if any(name.startswith(LIGHTNING) for name in weights) else "")
    kept = {name: value for name, value in weights.items() if name.startswith(prefix)}
    if left := sorted(str(name) for name in held.keys() - kept.keys()):
        warnings.warn(
            f"The checkpoint has beside the model's weights {', '.join(left)}, which are left out.", stacklevel=3
        )
    return bare({name.removeprefix(prefix): value for name, value in kept.items()}) if prefix else kept
