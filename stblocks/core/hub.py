"""The border to the Hugging Face hub, imported by those who save a model or load one from there."""

from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import nn

from ..weights.state import WEIGHTS, save_weights, weights
from .limits import check_counts


class OnHub(ModelHubMixin, library_name="stblocks"):
    """A model as the hub's client saves and uploads it, with its config and a model card.

    Args:
        model: A model.
        config: How `create_model` built it.

    Raises:
        ValueError: If it was built by hand, or its config counts what no model can have.
    """

    def __init__(self, model: nn.Module, config: dict[str, Any] | None) -> None:
        if config is None:
            raise ValueError(
                "save_pretrained needs a model built by create_model, which remembers how; this one was made by hand: "
                "register its builder with @register_model, or save model.state_dict()."
            )
        check_counts(config, sum(value.numel() for value in weights(model).values()), "the model's config")
        self.model, self._hub_mixin_config = model, config

    def _save_pretrained(self, save_directory: Path) -> None:
        save_weights(self.model, save_directory / WEIGHTS)


def download(repo_id: str, name: str, **options: Any) -> Path:
    """A file of a model on the hub, from the cache if it is there.

    Raises:
        ValueError: If the hub does not give it.
    """
    try:
        return Path(hf_hub_download(repo_id=repo_id, filename=name, **options))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise ValueError(
            f"There is no directory {repo_id}, and the hub did not give a model of that name ({error}); name the "
            f"directory that save_pretrained wrote."
        ) from error
