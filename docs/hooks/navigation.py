"""What the galleries of blocks and of models have in common: pages below the one that lists them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mkdocs.structure.files import File


def put_below(nav: list[Any], source: str, chapters: Mapping[str, Sequence[str]]) -> None:
    """Makes a page of the navigation the index of a section, with the pages of each chapter below it."""
    for each in nav:
        for title, value in each.items() if isinstance(each, dict) else ():
            if value == source:
                each[title] = [source, *({chapter: list(pages)} for chapter, pages in chapters.items())]
            elif isinstance(value, list):
                put_below(value, source, chapters)


def add_page(files: Any, config: Any, uri: str, content: str) -> None:
    """Adds a page that no file holds; "edit this page" leads to the list that it is made from."""
    made = File.generated(config, uri, content=content)
    made.edit_uri = None
    files.append(made)
