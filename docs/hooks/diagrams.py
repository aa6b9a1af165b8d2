"""Drawings as SVG that takes its colours from the page: a block with its slots, and the routes of a network."""

from collections.abc import Iterable, Sequence
from html import escape

from stblocks.core import Route, Slot

#: What a route is called beside an arrow.
WHENCE = {
    Route.LOCAL: "this step",
    Route.TIME: "step before",
    Route.ZIGZAG: "layer below",
    Route.DEPTH: "layer below",
    Route.AUX: "for the loss",
}


def figure(width: int, height: int, title: str, parts: Iterable[str], kind: str = "") -> str:
    """A drawing, on one line: Markdown leaves that alone."""
    heads = "".join(
        f'<marker id="to-{route.value}" class="route {route.value}" viewBox="0 0 8 8" refX="7" refY="4" '
        f'markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z"/></marker>'
        for route in Route
    )
    drawn = f"<title>{escape(title)}</title><defs>{heads}</defs>{''.join(parts)}"
    size = f'viewBox="0 0 {width} {height}" style="max-width:{width}px"'
    return f'<figure class="drawing {kind}"><svg {size} role="img" xmlns="http://www.w3.org/2000/svg">{drawn}</svg></figure>'


def arrow(route: Route, *points: tuple[float, float]) -> str:
    """A line through points, with a head, in the colour of a route."""
    way = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline class="route {route.value}" points="{way}" marker-end="url(#to-{route.value})"/>'


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "middle") -> str:
    """Words, centred at a place or to one side of it."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, words: str) -> str:
    """A box with words in its middle."""
    middle = text(x + width / 2, y + height / 2 + 5, words, "name")
    return f'<rect class="box" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>{middle}'


def block(name: str, reads: Sequence[Slot], writes: Sequence[Slot], starts: Sequence[Slot]) -> str:
    """A block: what it reads from the left, what it writes to the right.

    A slot that the block does not start itself comes from the stage before it in the cell.
    """
    wide, high = max(130, 10 * len(name) + 24), 34 * max(len(reads), len(writes)) + 12
    left, right = 150, 150 + wide
    parts = [box(left, 4, wide, high, name)]
    for place, slot in enumerate(reads):
        y = 4 + high * (place + 0.5) / len(reads)
        route = slot.route if slot in starts else Route.LOCAL
        parts += [arrow(route, (left - 62, y), (left, y)), text(left - 70, y + 5, slot.name, "slot", "end")]
        parts += [text(left - 66, y - 6, WHENCE[route], "hint", "start")]
    for place, slot in enumerate(writes):
        y = 4 + high * (place + 0.5) / len(writes)
        parts += [arrow(slot.route, (right, y), (right + 46, y)), text(right + 54, y + 5, slot.name, "slot", "start")]
    words = f"{name} reads {', '.join(s.name for s in reads)} and writes {', '.join(s.name for s in writes)}"
    widest = max(len(slot.name) for slot in writes)
    return figure(right + max(120, 70 + 9 * widest), high + 8, words, parts, "block")


def network(layers: int = 3, steps: int = 3) -> str:
    """Routes through a stack of cells: up a step, on in time, and the zigzag from the top to the next bottom."""
    wide, high, across, up = 96, 44, 210, 96
    left, bottom = 70, 40 + up * (layers - 1)
    place = {
        (layer, step): (left + across * step, bottom - up * layer) for layer in range(layers) for step in range(steps)
    }
    parts = []
    for (layer, step), (x, y) in place.items():
        parts.append(box(x, y, wide, high, f"layer {layer + 1}"))
        for offset, route in ((24, Route.LOCAL), (48, Route.DEPTH), (72, Route.ZIGZAG)):
            if layer + 1 < layers:
                parts.append(arrow(route, (x + offset, y), (x + offset, y - up + high)))
        if step + 1 < steps:
            parts.append(arrow(Route.TIME, (x + wide, y + high / 2), (x + across, y + high / 2)))
        if layer == 0:
            parts += [arrow(Route.LOCAL, (x + 24, y + high + 34), (x + 24, y + high))]
            parts += [text(x + 24, y + high + 50, f"x at step {step + 1}", "hint")]
        if layer + 1 == layers and step + 1 < steps:
            turn = x + wide + 56
            down = place[0, step + 1][1] + high + 16
            way = [(x + 72, y), (x + 72, y - 16), (turn, y - 16), (turn, down), (x + across + 72, down)]
            parts.append(arrow(Route.ZIGZAG, *way, (x + across + 72, down - 16)))
    last, legend = left + across * (steps - 1) + wide + 40, []
    for row, (route, words) in enumerate(
        {Route.TIME: "time: h, c", Route.ZIGZAG: "zigzag: m", Route.DEPTH: "depth: z", Route.LOCAL: "local: x"}.items()
    ):
        y = 60 + 30 * row
        legend += [arrow(route, (last, y), (last + 40, y)), text(last + 50, y + 5, words, "slot", "start")]
    title = "Cells of three layers over three steps, and the routes of h, c, m, z and x between them"
    return figure(last + 170, bottom + high + 70, title, parts + legend, "network")
