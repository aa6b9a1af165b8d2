"""The gallery: `blocks.md` lists the blocks by chapter, and each gets a card there and a page of its own.

A page shows a sentence, the slots, an example that runs, what it costs, where it plugs in, and the API with its
equations. An entry of `blocks.md` that is no name of `stblocks` stands on the page of the block before it.
"""

import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import diagrams
import uses
from examples import Example, example
from mkdocs.exceptions import PluginError
from navigation import add_page, put_below

import stblocks

SOURCE = "blocks.md"
_ENTRY = re.compile(r"^::: (stblocks\.[\w.]+)\n", re.M)


class Card(NamedTuple):
    """A block, the chapter it stands in and the paths of its entries."""

    chapter: str
    name: str
    paths: list[str]

    @property
    def uri(self) -> str:
        """Of its page."""
        return f"blocks/{self.name}.md"


def on_config(config: Any) -> Any:
    """Puts the pages into the navigation, below the page that lists them."""
    chapters: dict[str, list[str]] = {}
    for card in cards(Path(config.docs_dir) / SOURCE):
        chapters.setdefault(card.chapter, []).append(card.uri)
    put_below(config.nav, SOURCE, chapters)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Makes the pages."""
    for card in cards(Path(config.docs_dir) / SOURCE):
        add_page(files, config, card.uri, page_of(card))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str | None:
    """Turns each list of entries into cards."""
    if page.file.src_uri != SOURCE:
        return None
    by_path = {card.paths[0]: card for card in cards(Path(config.docs_dir) / SOURCE)}

    def grid(found: re.Match[str]) -> str:
        entries = [by_path[path] for path in _ENTRY.findall(found[0]) if path in by_path]
        return '<div class="grid cards" markdown>\n\n' + "\n".join(map(_card, entries)) + "\n</div>\n"

    return re.sub(r"(^::: stblocks\.[\w.]+\n)+", grid, markdown + "\n", flags=re.M)


def cards(path: Path) -> Iterator[Card]:
    """What `blocks.md` lists."""
    for chapter in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
        found: list[Card] = []
        for entry in _ENTRY.findall(chapter + "\n"):
            name = entry.removeprefix("stblocks.")
            if name in stblocks.__all__:
                found.append(Card(chapter.split("\n", 1)[0], name, [entry]))
            elif found:
                found[-1].paths.append(entry)
            else:
                raise PluginError(f"{SOURCE}: {entry} needs a block before it, on whose page it stands.")
        yield from found


def page_of(card: Card) -> str:
    """The page of a block."""
    parts = [f"# {card.name}", first_sentence(card.name), drawing(card.name), *_in_use(card.name)]
    if lines := list(places(card.name)):
        parts += ["## Where it plugs in", "\n".join(f"* {line}" for line in lines)]
    parts.append("## API")
    parts += [f"::: {path}\n    options: {{show_source: true}}" for path in card.paths]
    return "\n\n".join(parts) + "\n"


def first_sentence(name: str) -> str:
    """The first paragraph of its docstring."""
    return " ".join((inspect.getdoc(getattr(stblocks, name)) or "").split("\n\n")[0].split())


def drawing(name: str) -> str:
    """The block with its slots; empty where it is none."""
    build = getattr(stblocks, name)
    if not (issubclass(build, stblocks.Block) and build.reads):
        return ""
    return diagrams.block(name, build.reads, build.writes, build.owns + build.adopts)


def places(name: str) -> Iterator[str]:
    """Plugs and translators that the block has a name as, and models with it."""
    for plug in _with(name, uses.plugs()):
        yield f'The plug `{plug}` in any base: `create_model("hybrid", base="predrnn", plugs=["{plug}"])`.'
    for translator in _with(name, uses.translators(), but=uses.models()["simvpv2_s"] if name != "GSTA" else ()):
        yield f'The translator `{translator}` of SimVP: `create_model("simvpv2_s", translator="{translator}")`.'
    if models := [f"[`{model}`](../models/{model}.md)" for model in _with(name, uses.models())]:
        yield f"In the models {', '.join(models)}."


def _with(name: str, things: dict[str, set[str]], but: Any = ()) -> list[str]:
    return [] if name in but else [thing for thing, parts in things.items() if name in parts]


def _in_use(name: str) -> list[str]:
    shown = _example(name)
    if shown is None:
        return []
    cost = f"{shown.parameters:,} parameters" if shown.parameters else "no parameters"
    work = f"{shown.multiply_adds / 1e6:,.1f} million multiply-adds" if shown.multiply_adds else "no multiply-adds"
    cost = f"This one has {cost} and takes {work} for each sample."
    return ["## In use", f"```python\n{shown.code}```", cost]


@functools.cache
def _example(name: str) -> Example | None:
    try:
        return example(name)
    except ValueError:
        return None  # a test says so


def _card(card: Card) -> str:
    return f"-   [**{card.name}**]({card.uri})\n\n    {first_sentence(card.name)}\n\n    {drawing(card.name)}\n"
