"""The model card: what someone who finds a saved model must know, as the README.md beside its weights."""

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from .create import MODELS

#: In cards that are written anew whenever the model is saved.
MARK = "<!-- Written anew whenever the model is saved; delete this line to keep what you change here. -->"


def model_card(
    model: nn.Module, config: Mapping[str, Any], *, scores: str | None = None, license: str | None = None
) -> str:
    """A model card in markdown, with the metadata that the Hugging Face hub reads.

    Args:
        model: The model.
        config: What its `config.json` holds: how it was built, and under `"data_spec"` what it knows of its data.
        scores: A table in markdown, such as `tables["model"].to_markdown(tables["persistence"])`.
        license: Of the weights, by its identifier, such as `"cc-by-4.0"`.

    Raises:
        ValueError: If `license` is no identifier.
    """
    if license is not None and not re.fullmatch(r"[\w.+-]+", license):
        raise ValueError(f'license must be an identifier such as "cc-by-4.0", got {license!r}.')
    name, options = config["model"], {key: config[key] for key in config if key not in ("model", "data_spec")}
    entry, data = MODELS.get(name), config.get("data_spec")
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    lines = ["---", "library_name: stblocks", *([f"license: {license}"] if license else [])]
    lines += ["tags:", "- spatiotemporal-forecasting", f"- {name}", "---", "", MARK, "", f"# {name}", ""]
    lines += [f"A forecaster of frames with {millions:.3f} million parameters, made by stblocks."]
    lines += [f"The network is that of {entry.paper}."] if entry is not None and entry.paper else []
    lines += ["", "```python", "from stblocks import Forecaster", ""]
    lines += ['model = Forecaster.from_pretrained("the name or folder of this model")']
    lines += ["future = model(past, horizon)  # (B, T, C, H, W) to (B, horizon, C, H, W), in model units", "```"]
    lines += ["", "## How it was built", "", *_table("option", options)]
    lines += ["", "## Its data", ""]
    known = {key: value for key, value in (data or {}).items() if value not in (None, "")}
    lines += _table("model units are (physical - offset) / scale", known) if known else ["Nothing is known of them."]
    lines += ["", "## Scores", "", scores or "None are given."]
    lines += ["", "## Licence", "", f"The weights are under {license}." if license else "None is given.", ""]
    return "\n".join(lines)


def _table(head: str, values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {key} | {str(value).replace('|', chr(92) + '|')} |" for key, value in values.items()]
    return [f"| {head} | |", "|---|---|", *rows]
