"""The border to the Hugging Face hub, imported by those who save a model or load one from there."""

import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from huggingface_hub import ModelCard, ModelHubMixin, constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import nn

from ..weights.state import WEIGHTS, save_weights, weights
from .card import MARK, model_card
from .limits import check_counts

NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
SECONDS = 3  # to wait for a connection
#: The file of a saved model for people.
CARD = "README.md"


class OnHub(ModelHubMixin, library_name="stblocks"):
    """A model as the hub's client saves and uploads it, with its config and a model card.

    Args:
        model: A model.
        config: What its `config.json` is to hold; `None` for a model that cannot be built from it.

    Raises:
        ValueError: If it was built by hand, or its config counts what no model can have.
    """

    def __init__(self, model: nn.Module, config: dict[str, Any] | None) -> None:
        if config is None:
            raise ValueError(
                "save_pretrained needs a model built by create_model, which remembers how; this one was made by hand "
                "or is a copy of fuse(): register its builder with @register_model, save model.state_dict(), or keep "
                "the model that was fused."
            )
        check_counts(config, sum(value.numel() for value in weights(model).values()), "the model's config")
        self.model, self.config = model, config
        self._hub_mixin_config = config

    def _save_pretrained(self, save_directory: Path) -> None:
        save_weights(self.model, save_directory / WEIGHTS)
        card = save_directory / CARD
        if card.is_file() and MARK in card.read_text(encoding="utf-8", errors="replace"):
            card.unlink()  # else the client keeps it

    def generate_model_card(self, *, scores: str | None = None, license: str | None = None) -> ModelCard:
        """The card that the client writes if there is none; it hands on what is in `model_card_kwargs`."""
        return ModelCard(model_card(self.model, self.config, scores=scores, license=license))


def download(repo_id: str, name: str, **options: Any) -> Path:
    """A file of a model on the hub, from the cache if it is there.

    Raises:
        ValueError: If it can be no model of the hub, the hub does not give it, or it cannot be reached and the model is
            not in the cache.
    """
    if not NAME.fullmatch(repo_id):
        raise ValueError(
            f"There is no directory {repo_id}, and a name on the hub is owner/model; name the directory that "
            f"save_pretrained wrote."
        )
    if not (reachable := constants.HF_HUB_OFFLINE or options.get("local_files_only") or _reachable()):
        options["local_files_only"] = True
    try:
        return Path(hf_hub_download(repo_id=repo_id, filename=name, **options))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        reason = error if reachable else f"{constants.ENDPOINT} cannot be reached, and it is not in the cache"
        raise ValueError(
            f"There is no directory {repo_id}, and the hub did not give a model of that name ({reason}); name the "
            f"directory that save_pretrained wrote."
        ) from error


def _reachable() -> bool:
    """Whether the hub, or the proxy before it, takes a connection in good time; its client would try for 24 s."""
    place = urlsplit(constants.ENDPOINT)
    proxy = "" if proxy_bypass(place.hostname or "") else getproxies().get(place.scheme, "")
    if proxy:
        place = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    try:
        with socket.create_connection((place.hostname, place.port or (80 if proxy else 443)), timeout=SECONDS):
            return True
    except OSError:
        return False
