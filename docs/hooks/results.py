"""Drawings, tables and charts where a comment of a page asks for one; measurements are in `benchmarks/results`.

`<!-- drawing: network -->`, `<!-- table: speed -->`, `<!-- plot: speed bars model forward_s step_s -->`, whose words
are the file, the kind and its columns; an underscore stands for a blank.
"""

import json
import re
from pathlib import Path
from typing import Any

import charts
import diagrams
from mkdocs.exceptions import PluginError

MEASURED = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
_ASKED = re.compile(r"^<!-- (drawing|table|plot): (.+?) -->$", re.M)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Runs once for each page."""

    def made(found: re.Match[str]) -> str:
        what, *words = found[2].split()
        try:
            if found[1] == "drawing":
                return str(getattr(diagrams, what)())
            measured = json.loads((MEASURED / f"{what}.json").read_text(encoding="utf-8"))
            return table(measured) if found[1] == "table" else plot(what, measured, *words)
        except (OSError, KeyError, ValueError, AttributeError) as error:
            raise PluginError(f"{page.file.src_uri}: {found[0]} cannot be made: {error!r}") from error

    return _ASKED.sub(made, markdown)


def table(measured: dict[str, Any]) -> str:
    """A table with what was run, and where, below it."""
    columns, rows = measured["columns"], measured["rows"]
    numeric = [
        all(_number(row[place]) is not None or row[place] == "" for row in rows) for place in range(len(columns))
    ]
    lines = [columns, ["--:" if each else "---" for each in numeric], *rows]
    body = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    made_by = f"`{measured['command']}`, " if "command" in measured else ""
    return f'{body}\n\n<p class="measured" markdown>{made_by}{measured["machine"]}</p>'


def plot(name: str, measured: dict[str, Any], kind: str, *columns: str) -> str:
    """A chart of some columns; rows of a kind `lines` that have no number on the horizontal axis are left out.

    Spaces in the names of columns may be written as `_`.
    """
    spaced = [column.replace("_", " ") for column in measured["columns"]]
    places = [spaced.index(column.replace("_", " ")) for column in columns]
    columns = tuple(measured["columns"][place] for place in places)
    rows = measured["rows"]
    if not rows:
        raise ValueError(f"{name}.json has no rows, so that there is nothing to draw")
    if kind == "bars":
        series = {
            column: [_number(row[place]) for row in rows] for column, place in zip(columns[1:], places[1:], strict=True)
        }
        return charts.bars(name, [row[places[0]] for row in rows], series)
    if kind == "scatter":
        points = {row[0]: (_number(row[places[0]]), _number(row[places[1]])) for row in rows}
        return charts.scatter(name, *columns, points)
    if kind != "lines":
        raise ValueError(f"a plot is lines, bars or scatter, not {kind}")
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if _number(row[places[0]]) is not None:
            lines.setdefault(row[0], []).append((_number(row[places[0]]), _number(row[places[1]])))
    return charts.lines(name, *columns, lines)


def _number(cell: Any) -> float | None:
    try:
        return float(str(cell).replace(",", ""))
    except ValueError:
        return None
