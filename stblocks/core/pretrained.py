"""Saving a model with its weights and how it was built, and loading it again."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..borders.checks import check_directory
from ..borders.files import write_atomically
from ..borders.reading import reading
from ..weights.state import WEIGHTS, compare_shapes, read_heads, read_weights
from .create import create_model, model_entry
from .limits import MODULES_PER_TENSOR, TooLarge, at_most, check_counts, check_data_spec

#: The file of a saved model that says how it was built.
CONFIG = "config.json"
#: Its key, and the attribute of a model, for what the model knows of its data.
DATA_SPEC = "data_spec"


class Pretrained(nn.Module):
    """`save_pretrained(directory)` and `from_pretrained(directory or hub name)`, in safetensors and JSON.

    `config` is what `create_model` was given, under the key `"model"` the name; a model built by hand has none and
    keeps its weights with `state_dict()` instead. `data_spec` is kept beside it, in the same file.
    """

    def __init__(self) -> None:
        super().__init__()
        #: The arguments of `create_model` that build this model, as JSON values.
        self.config: dict[str, Any] | None = None
        #: What the model knows of its data, as JSON values: `fit` sets it, `stblocks.data.DataSpec` reads it.
        self.data_spec: dict[str, Any] | None = None

    def save_pretrained(self, save_directory: str | Path, **hub: Any) -> str | None:
        """Write `model.safetensors`, `config.json` and a model card, `README.md`; one that was changed by hand is kept.

        Args:
            save_directory: Where to; made if it is missing.
            **hub: `model_card_kwargs=` with what the card cannot know: `scores`, a table in markdown, and `license`, an
                identifier such as `"cc-by-4.0"`. Further `push_to_hub=True`, `repo_id` and others of
                `huggingface_hub.ModelHubMixin.save_pretrained`.

        Returns:
            Where the hub has it, if it was pushed.

        Raises:
            ValueError: If the model was not built by `create_model`, its `data_spec` is no JSON object, or there is a
                file of the directory's name.
        """
        check_directory("save_directory", save_directory)
        from .hub import OnHub  # slow to import

        return OnHub(self, described(self)).save_pretrained(save_directory, **hub)

    def push_to_hub(self, repo_id: str, **hub: Any) -> str:
        """Upload what `save_pretrained` writes; see `huggingface_hub.ModelHubMixin.push_to_hub`."""
        from .hub import OnHub  # slow to import

        return OnHub(self, described(self)).push_to_hub(repo_id, **hub)

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

        It is in float64 if it was saved so, and in torch's default dtype otherwise.

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
        if path.exists():
            if missing := _missing(path):
                raise ValueError(f"{path} must be a folder with {CONFIG} and {WEIGHTS}, but {missing}; {_near(path)}.")
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
    data_spec = config.pop(DATA_SPEC, None)
    check_data_spec(data_spec, str(config_path))
    name, options = config.pop("model"), config
    check_counts(options, sum(head.numel() for head in heads.values()), str(config_path))
    try:
        options = model_entry(name).former(options)
        with torch.device("meta"), at_most(MODULES_PER_TENSOR * len(heads) + 1000):
            outline = create_model(name, **options)
    except TooLarge as error:
        raise ValueError(
            f"{config_path} describes a model of many more modules than the {len(heads)} tensors that "
            f"{weights_path.name} holds weights for; save or download both again."
        ) from error
    except Exception as error:  # what builders can raise on foreign options has no end
        raise ValueError(
            f"{config_path} describes no model that can be built: {error} If the model or a part of it is yours, "
            f"import what registers it first, and see that it can be built with torch.device('meta') as well."
        ) from error
    compare_shapes(outline, heads, str(weights_path))
    model = create_model(name, **options)
    if {head.dtype for head in heads.values() if head.is_floating_point()} == {torch.float64}:
        model.double()  # what was saved in it fits into nothing less
    read_weights(model, weights_path)
    model.data_spec = data_spec
    return model.eval()


def described(model: nn.Module) -> dict[str, Any] | None:
    """What `config.json` holds of a model; `None` if it was made by hand.

    Raises:
        ValueError: If its `data_spec` is no JSON object of a sensible size.
    """
    config, spec = getattr(model, "config", None), getattr(model, DATA_SPEC, None)
    if config is None:
        return None
    check_data_spec(spec, "the model")
    return dict(config) if spec is None else {**config, DATA_SPEC: spec}


def save_config(model: nn.Module, directory: Path) -> bool:
    """Write the `config.json` of a model, atomically, if it was built by `create_model`. Was it?"""
    if (config := described(model)) is None:
        return False
    text = json.dumps(config, indent=2, sort_keys=True)
    write_atomically(directory / CONFIG, lambda file: file.write(text.encode()))
    return True


def _missing(path: Path) -> str | None:
    """What a place lacks to be a saved model."""
    if not path.is_dir():
        return "is a file"
    return next((f"{name} is missing" for name in (CONFIG, WEIGHTS) if not (path / name).is_file()), None)


def _near(path: Path) -> str:
    """The end of a message about a place that holds no model: the folders beside and below it that do."""
    root = path if path.is_dir() else path.parent
    with reading(root, "a folder"):
        folders = [root, *(each for each in sorted(root.iterdir()) if each.is_dir())]
    near = [str(each) for each in folders if each != path and _missing(each) is None]
    return f"name {' or '.join(near)}" if near else "save_pretrained writes both"


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
