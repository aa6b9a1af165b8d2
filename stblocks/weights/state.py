"""The weights of a module, as files and checkpoints hold them."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..borders.files import write_atomically
from ..borders.reading import reading
from .migrate import migrated

#: The file of a saved model's weights.
WEIGHTS = "model.safetensors"
#: What weights are read as, and what to do if they cannot be.
WHOLE = ("a safetensors file", "save or download it again")


def read_heads(path: Path) -> dict[str, Tensor]:
    """The names and shapes at the head of a safetensors file, as tensors on the meta device.

    They are in float64 or float32, whichever can hold a number of the file, or in int64 where it is no float.

    Raises:
        ValueError: If the file is damaged.
    """
    with reading(path, *WHOLE), safe_open(path, "pt") as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        heads = {name: (part.get_shape(), part.get_dtype()) for name, part in parts.items()}

    def dtype(name: str) -> torch.dtype:
        return torch.float64 if name == "F64" else torch.float32 if "F" in name else torch.int64

    return {name: torch.empty(shape, device="meta", dtype=dtype(kind)) for name, (shape, kind) in heads.items()}


def weights(model: nn.Module) -> dict[str, Tensor]:
    """The state dict without second names of tensors that modules share."""
    own = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    return {name: value for name, value in model.state_dict().items() if name in own}


def save_weights(model: nn.Module, path: Path) -> None:
    """Write a model's `weights` to a safetensors file, atomically."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights(model).items()}
    write_atomically(path, lambda file: file.write(save(tensors)))


def read_weights(model: nn.Module, path: Path) -> None:
    """Give a model the weights of a safetensors file.

    Raises:
        ValueError: If the file is damaged, or the weights are those of another model.
    """
    with reading(path, *WHOLE):
        given = load_file(path)
    load_weights(model, given, str(path))


def load_weights(model: nn.Module, given: Mapping[str, Tensor], source: str) -> None:
    """Load what `weights` returned, strictly; see `check_weights`.

    Raises:
        ValueError: If they do not fit the model, or are not finite.
    """
    # second names of shared tensors are not there
    model.load_state_dict(check_weights(model, given, source), strict=False)


def check_weights(model: nn.Module, given: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Check that weights fit a model, with an error that says which tensors differ, and return them as it has them now.

    Raises:
        ValueError: If a tensor is missing, unknown, of another shape, of a dtype that the model's cannot hold without
            loss, or not finite.
    """
    if not isinstance(given, Mapping) or not all(isinstance(value, Tensor) for value in given.values()):
        raise ValueError(f"{source} must hold tensors by name, got {given!r:.80}.")
    present = compare_shapes(model, given, source)
    for name, own in weights(model).items():
        if not _holds(own.dtype, present[name].dtype):
            raise ValueError(
                f"{source} holds {name} as {present[name].dtype}, which the model's {own.dtype} cannot hold without "
                f"loss; convert the model or the weights first."
            )
        # A buffer of the model's own may be infinite, such as a mask of attention.
        if not present[name].isfinite().all() and bool(own.isfinite().all()):
            raise ValueError(f"{source} is damaged: {name} has NaN or infinite values; take another copy.")
    return present


def compare_shapes(model: nn.Module, given: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Raise a `ValueError` unless a model has tensors of these names and shapes; return them as it has them now."""
    own = weights(model)
    try:
        present = migrated(model, given)
    except RuntimeError as error:  # a tensor of an earlier version has a shape that none had
        raise ValueError(f"{source} holds the weights of another model: {error}.") from error
    problems = [f"{name} is missing" for name in own.keys() - present.keys()]
    problems += [f"{name} is unknown" for name in present.keys() - own.keys()]
    problems += [
        f"{name} is {tuple(present[name].shape)}, not {tuple(own[name].shape)}"
        for name in own.keys() & present.keys()
        if own[name].shape != present[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(f"{source} holds the weights of another model: {'; '.join(sorted(problems)[:3])}{more}.")
    return present


def _holds(own: torch.dtype, given: torch.dtype) -> bool:
    """Can a dtype hold all values of another one?"""
    if own == given:
        return True
    return own.is_floating_point and given.is_floating_point and torch.finfo(given).bits < torch.finfo(own).bits
