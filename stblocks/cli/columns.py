"""Text in columns."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Rows of text as columns, each to its side: `<` or `>`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    )


def number(value: float | None) -> str:
    """With commas between thousands; `None` is a dash."""
    return "-" if value is None else f"{value:,.0f}"


def shape(sizes: Sequence[int]) -> str:
    """As `1 x 5 x 1 x 64 x 64`."""
    return " x ".join(map(str, sizes))
