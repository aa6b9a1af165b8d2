"""Catalogues: CSV files that say which events a data set has."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ..borders.reading import reading


def read_catalogue(path: Path, columns: Sequence[str], what: str, way_out: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of a catalogue, each with the number of the line that it ends in.

    Args:
        path: The file.
        columns: Those it must have; others are left alone.
        what: What it is read as, such as "a catalogue of events".
        way_out: What to do if it is none.

    Raises:
        ValueError: If it cannot be read, or lacks a column.
    """
    with reading(path, what, way_out):
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
        if not set(columns) <= {*(reader.fieldnames or ())}:
            raise ValueError(
                f"it must have the columns {', '.join(columns)}, got {', '.join(reader.fieldnames or ()) or 'none'}"
            )
    return rows
