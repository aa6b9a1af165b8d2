"""A page for each registered model: paper, composition, settings, figures here and as published, commands."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import uses
from navigation import add_page, put_below

import stblocks
from stblocks.core.create import ModelEntry, model_entry

SOURCE = "models.md"
ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "benchmarks" / "results" / "models.json"
#: Families by the file that a model's function stands in.
FAMILIES = {
    "gmg": "GMG",
    "predrnn": "PredRNN and its kin",
    "convlstm": "ConvLSTM and its kin",
    "simvp": "SimVP",
    "vmrnn": "VMRNN",
    "swinlstm": "SwinLSTM",
    "gru": "ConvGRU and TrajGRU",
    "hybrid": "Hybrids",
    "baselines": "Baselines",
}


def on_config(config: Any) -> Any:
    """Puts the pages into the navigation, below the guide of models."""
    chapters: dict[str, list[str]] = {family: [] for family in FAMILIES.values()}
    for name in stblocks.list_models():
        file = inspect.unwrap(model_entry(name).build).__module__.rpartition(".")[2]
        chapters.setdefault(FAMILIES.get(file, "Others"), []).append(f"models/{name}.md")
    put_below(config.nav, SOURCE, {family: pages for family, pages in chapters.items() if pages})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Makes the pages."""
    for name in stblocks.list_models():
        add_page(files, config, f"models/{name}.md", page_of(model_entry(name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str | None:
    """Links each model of the table to its page, and leaves the reference of models to these."""
    if page.file.src_uri != SOURCE:
        return None
    names = "|".join(stblocks.list_models())
    markdown = re.sub(rf"^\| `({names})` \|", r"| [`\1`](models/\1.md) |", markdown, flags=re.M)
    markdown = re.sub(rf"^::: stblocks\.models\.\w+\.({names})\n", "", markdown + "\n", flags=re.M)
    others = f'    options: {{filters: ["!^_", "!^({names})$"]}}\n'
    return re.sub(r"^::: stblocks\.models\.[a-z_]+\n(?! )", lambda found: found[0] + others, markdown, flags=re.M)


def page_of(entry: ModelEntry) -> str:
    """The page of a model."""
    build = inspect.unwrap(entry.build)
    says = (inspect.getdoc(build) or "").split("\n\nArgs:")[0]
    parts = [f"# {entry.name}", says, f"Paper: {entry.paper}." if entry.paper else ""]
    parts += ["## What it takes", "\n".join(table(entry)), "Options, with their defaults:", settings(entry)]
    parts.append(
        "What papers and released code disagree about is in [Fidelity](../fidelity.md), what was measured in "
        "[Results](../results.md)."
    )
    if blocks := [name for name in stblocks.__all__ if name in uses.models()[entry.name] and _has_page(name)]:
        parts += ["## Blocks", "Made of " + ", ".join(f"[`{name}`](../blocks/{name}.md)" for name in blocks) + "."]
    parts += ["## Composition", f"```py\n{inspect.getsource(build)}```"]
    parts += ["## Commands", "```bash\n" + "\n".join(commands(entry.name)) + "\n```"]
    if build.__name__ == entry.name:
        parts += ["## API", f"::: {build.__module__}.{build.__name__}"]
    else:
        parts.append(f"`{entry.name}` is [`{build.__name__}`]({build.__name__}.md) with other defaults.")
    return "\n\n".join(part for part in parts if part) + "\n"


def table(entry: ModelEntry) -> list[str]:
    """Figures here beside the published ones, which `python -m benchmarks.figures` has counted."""
    here = json.loads(FIGURES.read_text(encoding="utf-8")).get(entry.name, {})
    published = {"parameters": entry.parameters, "multiply-adds": entry.flops}
    rows = [f"| {row} | {number:,} | {_number(published.get(row))} |" for row, number in here.items()]
    setting = f"in the setting of {entry.dataset}" if entry.dataset else "with the defaults"
    return [f"| {setting} | here | published |", "|---|--:|--:|", *rows]


def settings(entry: ModelEntry) -> str:
    """Options and defaults as the arguments of `create_model`."""
    options = [str(option) for option in inspect.signature(entry.build).parameters.values()]
    defaults = [re.sub(r":.*? = ", "=", option) for option in options]
    return f'```py\ncreate_model(\n    "{entry.name}",\n' + "".join(f"    {each},\n" for each in defaults) + ")\n```"


def commands(name: str) -> list[str]:
    """To look at a model and to train it."""
    recipes = [
        path.stem for path in sorted((ROOT / "recipes").glob("*.py")) if f'"{name}"' in path.read_text(encoding="utf-8")
    ]
    return [f"stblocks info {name}", *(f"stblocks train {recipe}" for recipe in recipes)]


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


def _has_page(name: str) -> bool:
    build = getattr(stblocks, name)
    return isinstance(build, type) and build.__module__.startswith("stblocks.blocks.")
