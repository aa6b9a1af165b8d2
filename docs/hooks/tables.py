"""Each cell of a table knows the head of its column: on a narrow screen a row is shown as a list of them."""

import re
from typing import Any

_TABLE = re.compile(r"<table>.*?</table>", re.S)
_CELL = re.compile(r"<td")


def on_page_content(content: str, **_: Any) -> str:
    """Runs once for each page."""
    return _TABLE.sub(lambda found: _labelled(found[0]), content)


def _labelled(table: str) -> str:
    heads = [re.sub(r"<[^>]+>", "", head).strip() for head in re.findall(r"<th[^>]*>(.*?)</th>", table, re.S)]
    rows = []
    for row in re.split(r"(?=<tr>)", table):
        labels = iter(heads)
        rows.append(_CELL.sub(lambda found, labels=labels: f'<td data-head="{next(labels, "")}"', row))
    return "".join(rows)
