"""Frames as they are given to a model: what is wrong with them is said before layers say it in their own words."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

#: Pixels of a frame above which models that look at the whole map are warned of.
LARGE = 512 * 512


def check_tensor(name: str, frames: Any) -> None:
    """Raise a `ValueError` unless frames are a tensor."""
    if not isinstance(frames, Tensor):
        raise ValueError(f"{name} must be a tensor, got {type(frames).__name__}; write torch.from_numpy({name}).")


def check_kind(model: nn.Module, name: str, frames: Tensor) -> None:
    """Raise a `ValueError` unless frames are a tensor of the kind and in the place of the weights."""
    check_tensor(name, frames)
    if not frames.is_floating_point():
        raise ValueError(f"{name} must hold floating-point values, got {frames.dtype}; scale the frames first.")
    weight = _a_weight(model)
    if weight is None:
        return
    if frames.device != weight.device:
        raise ValueError(
            f"{name} must be where the model is, on {weight.device}, got {frames.device}; write "
            f"{name}.to({str(weight.device)!r}) or model.to({str(frames.device)!r})."
        )
    if frames.dtype != weight.dtype and not torch.is_autocast_enabled(frames.device.type):
        raise ValueError(
            f"{name} must be {weight.dtype} as the weights are, got {frames.dtype}; write {name}.to({weight.dtype})."
        )


def check_no_nan(name: str, frames: Any) -> None:
    """Raise a `ValueError` if frames have NaN."""
    if _has_nan(frames):
        raise ValueError(
            f"{name} must be known everywhere, got NaN, which a forecast would spread over all its frames; fill it, "
            f"as SequenceWindows(..., missing='mask') does, or by {name}.nan_to_num()."
        )


def warn_of_size(model: nn.Module, past: Tensor) -> None:
    """Attention and scans over the positions of a large field take minutes a frame, or all memory.

    A model without weights, such as optical flow, takes seconds.
    """
    if not isinstance(past, Tensor) or past.ndim != 5 or torch.compiler.is_compiling() or _a_weight(model) is None:
        return
    height, width = past.shape[-2:]
    if height * width <= LARGE:
        return
    if whole := {type(module).__name__: None for module in model.modules() if getattr(module, "whole_map", False)}:
        warnings.warn(
            f"past has frames of {height} x {width}, and {' and '.join(whole)} look at the whole map, which may "
            f"take minutes for each frame, and all memory; stblocks.predict_tiled forecasts in tiles.",
            stacklevel=5,
        )


def _has_nan(frames: Any) -> bool:
    """Whether frames have NaN, where looking costs nothing to speak of: on a GPU the host would have to wait."""
    if not isinstance(frames, Tensor) or frames.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    try:
        return bool(frames.isnan().any())
    except RuntimeError:  # under vmap, and of tensors without values
        return False


def _a_weight(model: nn.Module) -> Tensor | None:
    """The first parameter, if there is any; torch 2.6 traces no `next` with a default."""
    for weight in model.parameters():
        return weight
    return None
