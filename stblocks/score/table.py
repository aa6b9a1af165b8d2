"""A table of scores."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..borders.files import write_atomically


@dataclass(frozen=True)
class Table:
    """The scores of one forecast.

    Args:
        name: What made the forecast, such as `"model"` or `"persistence"`.
        pooled: Score of all lead times together, by metric.
        lead: The same for each lead time, the first frame first.
    """

    name: str
    pooled: dict[str, float]
    lead: list[dict[str, float]]

    def to_markdown(self, *others: "Table", columns: Sequence[str] | None = None) -> str:
        """A markdown table that reads well as plain text too, the rows of `others` beside its own; NaN is a dash.

        Args:
            *others: Tables of other forecasts with the same metrics and lead times.
            columns: The metrics to show; by default all.

        Raises:
            ValueError: If a metric or lead time is missing somewhere.
        """
        rows = [[_show(cell) for cell in row] for row in self._rows(others, columns)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rows.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
        lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def to_csv(self, path: str | Path, *others: "Table") -> None:
        """Write all columns in full precision, the rows of `others` beside its own; NaN is an empty cell.

        Raises:
            ValueError: If the file cannot be written, or a metric or lead time is missing somewhere.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            ["" if cell != cell else cell for cell in row] for row in self._rows(others)
        )
        write_atomically(path, lambda file: file.write(text.getvalue().encode()))

    def _rows(self, others: Sequence["Table"], columns: Sequence[str] | None = None) -> list[list[str | float]]:
        """The header, then a row per forecast for all lead times, for the first, and so on."""
        names = list(self.pooled) if columns is None else list(columns)
        if unknown := [name for name in names if name not in self.pooled]:
            raise ValueError(f"columns must be metrics of the table, {', '.join(self.pooled)}; got {unknown}.")
        rows: list[list[str | float]] = [["forecast", "lead", *names]]
        for other in others:
            if other.pooled.keys() != self.pooled.keys() or len(other.lead) != len(self.lead):
                raise ValueError(
                    f"others must have the metrics and lead times of {self.name!r}, which {other.name!r} has not; "
                    f"compute both tables by Scores of the same settings."
                )
        for lead in range(len(self.lead) + 1):
            for table in (self, *others):
                scores = table.lead[lead - 1] if lead else table.pooled
                rows.append([table.name, str(lead) if lead else "all", *(scores[name] for name in names)])
        return rows


def _show(cell: str | float) -> str:
    if isinstance(cell, str):
        return cell
    return "-" if cell != cell else f"{cell:.4g}"
