"""Saving a model with its weights and how it was built, and loading it again."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from ..borders.files import write_atomically
from ..borders.reading import reading
from ..weights.migrate import migrated
from .create import create_model

#: The files of a saved model.
CONFIG, WEIGHTS = "config.json", "model.safetensors"
#: What weights are read as, and what to do if they cannot be.
WHOLE = ("a safetensors file", "save or download it again")


class Pretrained(nn.Module):
    """`save_pretrained(directory)` and `from_pretrained(directory or hub name)`, in safetensors and JSON.

    `config` is what `create_model` was given, under the key `"model"` the name; a model built by hand has none and
    keeps its weights with `state_dict()` instead.
    """

    def __init__(self) -> None:
        super().__init__()
        #: The arguments of `create_model` that build this model, as JSON values.
        self.config: dict[str, Any] | None = None

    def save_pretrained(self, save_directory: str | Path, **hub: Any) -> str | None:
        """Write `model.safetensors`, `config.json` and a model card.

        Args:
            save_directory: Where to; made if it is missing.
            **hub: `push_to_hub=True`, `repo_id` and others of `huggingface_hub.ModelHubMixin.save_pretrained`.

        Returns:
            Where the hub has it, if it was pushed.

        Raises:
            ValueError: If the model was not built by `create_model`.
        """
        from .hub import OnHub  # slow to import

        return OnHub(self).save_pretrained(save_directory, **hub)

    def push_to_hub(self, repo_id: str, **hub: Any) -> str:
        """Upload what `save_pretrained` writes; see `huggingface_hub.ModelHubMixin.push_to_hub`."""
        from .hub import OnHub  # slow to import

        return OnHub(self).push_to_hub(repo_id, **hub)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
    ) -> "Pretrained":
        """Load a model that `save_pretrained` wrote; it is in `eval()`, so call `train()` to go on training it.

        Args:
            pretrained_model_name_or_path: A directory, or a name on the Hugging Face hub.
            revision: For the hub, see `huggingface_hub`.
            token: For the hub, see `huggingface_hub`.
            cache_dir: For the hub, see `huggingface_hub`.
            force_download: For the hub, see `huggingface_hub`.
            local_files_only: For the hub, see `huggingface_hub`.

        Raises:
            ValueError: If there is no such directory or model, a file is missing or damaged, or weights are of another
                model.
        """
        path = Path(pretrained_model_name_or_path)
        if path.is_dir():
            missing = [name for name in (CONFIG, WEIGHTS) if not (path / name).is_file()]
            if missing:
                raise ValueError(f"{path} must hold {CONFIG} and {WEIGHTS}; {missing[0]} is missing.")
            return load_pretrained(path / CONFIG, path / WEIGHTS)
        from .hub import download  # slow to import

        config, weights = (
            download(
                str(pretrained_model_name_or_path),
                name,
                revision=revision,
                token=token,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
            )
            for name in (CONFIG, WEIGHTS)
        )
        return load_pretrained(config, weights)


def load_pretrained(config_path: Path, weights_path: Path) -> Pretrained:
    """Build the model that a config file describes, and give it the weights of a safetensors file; in `eval()`.

    Nothing is built before it is known to fit: the names and shapes at the head of the weights are compared with those
    of a model on the meta device, which takes no memory for weights.

    Raises:
        ValueError: If a file is damaged, the config describes no model, or the weights are those of another model.
    """
    config, heads = read_config(config_path), read_heads(weights_path)
    name, options = config.pop("model"), config
    check_counts(options, sum(head.numel() for head in heads.values()), str(config_path))
    try:
        with torch.device("meta"), at_most(MODULES_PER_TENSOR * len(heads) + 1000):
            outline = create_model(name, **options)
    except TooLarge as error:
        raise ValueError(
            f"{config_path} describes a model of many more modules than the {len(heads)} tensors that "
            f"{weights_path.name} holds weights for; save or download both again."
        ) from error
    except Exception as error:  # what builders can raise on foreign options has no end
        raise ValueError(
            f"{config_path} describes no model that can be built: {error} If the model is yours, see that it can be "
            f"built with torch.device('meta') as well."
        ) from error
    compare_shapes(outline, heads, str(weights_path))
    model = create_model(name, **options)
    read_weights(model, weights_path)
    return model.eval()


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


#: Integers up to here are taken by any model.
COUNT = 100_000
#: How many modules and parameters may be made for each tensor that is saved. The models here make 5 at most.
MODULES_PER_TENSOR = 20


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


def read_config(path: Path) -> dict[str, Any]:
    """Read a model's `config.json`.

    Raises:
        ValueError: If it is not JSON or names no model.
    """
    with reading(path, "a JSON file", "save or download it again"):
        config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or not isinstance(config.get("model"), str):
        raise ValueError(f'{path} must be an object with a key "model" that names a registered model.')
    return config


def read_heads(path: Path) -> dict[str, Tensor]:
    """The names and shapes at the head of a safetensors file, as tensors on the meta device.

    Raises:
        ValueError: If the file is damaged.
    """
    with reading(path, *WHOLE), safe_open(path, "pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


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
