"""Charts as SVG that takes its colours from the page: lines, bars and points."""

import math
from collections.abc import Callable, Mapping, Sequence

from diagrams import figure, text

LEFT, TOP, WIDE, HIGH = 70, 20, 480, 230
Position = Callable[[float], float]
Points = Sequence[tuple[float, float]]


def lines(title: str, across: str, up: str, series: Mapping[str, Points]) -> str:
    """A line through the points of each series."""
    every = [point for points in series.values() for point in points]
    x, y = _scale([p[0] for p in every], LEFT, WIDE), _scale([0.0, *(p[1] for p in every)], TOP + HIGH, -HIGH)
    parts = _axes(across, up, sorted({p[0] for p in every}), _ticks([0.0, *(p[1] for p in every)]), x, y)
    for place, points in enumerate(series.values()):
        way = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        parts.append(f'<polyline class="series s{place}" points="{way}"/>')
        parts += [f'<circle class="point s{place}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.5"/>' for a, b in points]
    return figure(LEFT + WIDE + 20, TOP + HIGH + 76, title, parts + _legend(list(series)), "chart")


def bars(title: str, names: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """A bar for each name and series, lying down so that names can be read."""
    row, thick = 22 * len(series) + 12, 18
    most = max(value for values in series.values() for value in values)
    parts = []
    for place, name in enumerate(names):
        top = TOP + row * place
        parts.append(text(LEFT + 60, top + 11 * len(series) + 4, name, "slot", "end"))
        for which, values in enumerate(series.values()):
            y, length = top + 22 * which, values[place] / most * (WIDE - 130)
            parts.append(f'<rect class="bar s{which}" x="{LEFT + 70}" y="{y}" width="{length:.1f}" height="{thick}"/>')
            parts.append(text(LEFT + 76 + length, y + 14, f"{values[place]:g}", "hint", "start"))
    bottom = TOP + row * len(names)
    return figure(LEFT + WIDE + 20, bottom + 30, title, parts + _legend(list(series), bottom + 18), "chart")


def scatter(title: str, across: str, up: str, points: Mapping[str, tuple[float, float]]) -> str:
    """A named point for each; the horizontal axis starts from zero."""
    xs, ys = [0.0, *(a for a, _ in points.values())], [b for _, b in points.values()]
    x, y = _scale(xs, LEFT, WIDE), _scale(ys, TOP + HIGH, -HIGH)
    parts = _axes(across, up, _ticks(xs), _ticks(ys), x, y)
    taken: list[tuple[float, float, float]] = []
    for name, (a, b) in sorted(points.items(), key=lambda each: -each[1][1]):
        side = -1 if x(a) > LEFT + 0.7 * WIDE else 1
        long, level = 6.5 * len(name), y(b) + 4
        left = x(a) + 8 if side > 0 else x(a) - 8 - long
        while any(abs(level - other) < 12 and left < end and start < left + long for start, end, other in taken):
            level += 4  # names that would lie on each other move down
        taken.append((left, left + long, level))
        parts.append(f'<circle class="point s0" cx="{x(a):.1f}" cy="{y(b):.1f}" r="4.5"/>')
        parts.append(text(left, level, name, "hint", "start"))
    return figure(LEFT + WIDE + 20, TOP + HIGH + 50, title, parts, "chart")


def _scale(values: Sequence[float], start: float, length: float) -> Position:
    least, most = _range(values)
    return lambda value: start + (value - least) / (most - least) * length


def _range(values: Sequence[float]) -> tuple[float, float]:
    ticks = _ticks(values)
    return min(ticks[0], *values), max(ticks[-1], *values)


def _ticks(values: Sequence[float]) -> list[float]:
    span = max(values) - min(values) or 1.0
    step = 10.0 ** math.floor(math.log10(span))
    step *= next(part for part in (0.2, 0.5, 1, 2) if span / (step * part) <= 6)
    first = math.floor(min(values) / step)
    last = max(math.ceil(max(values) / step), first + 1)
    return [round(step * place, 10) for place in range(first, last + 1)]


def _axes(
    across: str, up: str, x_ticks: Sequence[float], y_ticks: Sequence[float], x: Position, y: Position
) -> list[str]:
    parts = []
    for tick in y_ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + WIDE}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(text(LEFT - 8, y(tick) + 4, f"{tick:g}", "hint", "end"))
    parts += [text(x(tick), TOP + HIGH + 18, f"{tick:g}", "hint") for tick in x_ticks]
    return [
        *parts,
        text(LEFT + WIDE / 2, TOP + HIGH + 38, across, "hint"),
        text(LEFT + 4, TOP - 6, up, "hint", "start"),
    ]


def _legend(names: Sequence[str], level: float = TOP + HIGH + 62) -> list[str]:
    parts, left = [], float(LEFT)
    for place, name in enumerate(names):
        parts.append(f'<rect class="bar s{place}" x="{left:g}" y="{level - 9:g}" width="12" height="12"/>')
        parts.append(text(left + 18, level + 2, name, "hint", "start"))
        left += 40 + 7 * len(name)
    return parts
