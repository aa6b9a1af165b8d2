"""Saving a model with its weights and how it was built, and loading it again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..files import write_atomically
from .migrate import migrated
from .registry import create_model

#: The file with the weights, beside `config.json`.
WEIGHTS = "model.safetensors"


class Pretrained(ModelHubMixin, nn.Module, library_name="stblocks"):
    """`save_pretrained(directory)` and `from_pretrained(directory or hub name)`, in safetensors and JSON.

    `config` is what `create_model` was given, under the key `"model"` the name; a model built by hand has none and
    keeps its weights with `state_dict()` instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self._hub_mixin_config = None

    @property
    def config(self) -> dict[str, Any] | None:
        """The arguments of `create_model` that build this model, as JSON values."""
        return self._hub_mixin_config  # type: ignore[return-value]

    @config.setter
    def config(self, config: dict[str, Any]) -> None:
        self._hub_mixin_config = config

    def _save_pretrained(self, save_directory: Path) -> None:
        if self.config is None:
            raise ValueError(
                "save_pretrained needs a model built by create_model, which remembers how; this one was made by hand: "
                "register its builder with @register_model, or save model.state_dict()."
            )
        save_weights(self, save_directory / WEIGHTS)

    @classmethod
    def from_pretrained(  # type: ignore[override]
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
        if (path / constants.CONFIG_NAME).is_file():
            read_config(path / constants.CONFIG_NAME)
        try:
            return super().from_pretrained(
                pretrained_model_name_or_path,
                revision=revision,
                token=token,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
            )
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
            raise ValueError(
                f"There is no directory {path}, and the hub did not give a model of that name ({error}); name the "
                f"directory that save_pretrained wrote."
            ) from error

    @classmethod
    def _from_pretrained(  # type: ignore[override]
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **_options: Any,  # those of the config file again, which is read here as a whole
    ) -> nn.Module:

        def find(name: str) -> Path:
            if Path(model_id).is_dir():
                if not (Path(model_id) / name).is_file():
                    raise ValueError(f"{model_id} must hold {constants.CONFIG_NAME} and {WEIGHTS}; {name} is missing.")
                return Path(model_id) / name
            return Path(
                hf_hub_download(
                    repo_id=model_id,
                    filename=name,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    token=token,
                    local_files_only=local_files_only,
                )
            )

        return load_pretrained(find(constants.CONFIG_NAME), find(WEIGHTS))


def load_pretrained(config_path: Path, weights_path: Path) -> nn.Module:
    """Build the model that a config file describes, and give it the weights of a safetensors file; in `eval()`.

    Raises:
        ValueError: If a file is damaged, or the weights are those of another model.
    """
    config = read_config(config_path)
    model = create_model(config.pop("model"), **config)
    read_weights(model, weights_path)
    return model.eval()


def read_config(path: Path) -> dict[str, Any]:
    """Read a model's `config.json`.

    Raises:
        ValueError: If it is not JSON or names no model.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a whole JSON file ({error}); save or download it again.") from error
    if not isinstance(config, dict) or "model" not in config:
        raise ValueError(f'{path} must be an object with a key "model" that names a registered model.')
    return config


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
    try:
        given = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error}); save or download it again.") from error
    load_weights(model, given, str(path))


def load_weights(model: nn.Module, given: Mapping[str, Tensor], source: str) -> None:
    """Load what `weights` returned, strictly, with an error that says which tensors differ.

    Raises:
        ValueError: If a tensor is missing, unknown, or of another shape.
    """
    own, given = weights(model), migrated(model, given)
    problems = [f"{name} is missing" for name in own.keys() - given.keys()]
    problems += [f"{name} is unknown" for name in given.keys() - own.keys()]
    problems += [
        f"{name} is {tuple(given[name].shape)}, not {tuple(own[name].shape)}"
        for name in own.keys() & given.keys()
        if own[name].shape != given[name].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(f"{source} holds the weights of another model: {'; '.join(sorted(problems)[:3])}{more}.")
    model.load_state_dict(given, strict=False)  # second names of shared tensors are not there
