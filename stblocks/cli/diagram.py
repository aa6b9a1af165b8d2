"""How the parts of a model hang together, as text: a table of the slots that each block reads and writes."""

from collections.abc import Iterable, Sequence

from torch import nn

from ..core import AUX, DEPTH, LOCAL, TIME, ZIGZAG, AtOnce, Block, Cell, RecurrentStack, Route
from .columns import aligned

#: Where slots of a route come from and go to.
TRAVELS = {
    LOCAL: "within the layer and the step",
    TIME: "to the same layer at the next step",
    ZIGZAG: "to the layer above, from the top one to the bottom one at the next step",
    DEPTH: "to the layer above at the same step, made afresh at the bottom",
    AUX: "out, as a loss of training",
}


def model_diagram(model: nn.Module) -> str:
    """The parts that frames pass, and of each different cell which block reads and writes which slot.

    Args:
        model: A forecaster.
    """
    stacks = [module for module in model.modules() if isinstance(module, RecurrentStack)]
    parts = [_part(part) for part in model.children()]
    if isinstance(model, AtOnce):
        way = [f"{model.in_frames} frames", *parts, f"{model.out_frames} frames"]
    else:
        way = ["frame", *parts, "next frame"]
    return "\n\n".join([" -> ".join(way), *map(stack_diagram, stacks)])


def stack_diagram(stack: RecurrentStack) -> str:
    """The cells of a stack, alike ones once, and below them where each slot travels."""
    names = {name: None for layer in stack.layers if isinstance(layer, Cell) for name in _slots(layer)}
    columns = list(names)
    rows = [["", *columns]]
    for layers, layer in _alike(stack.layers):
        rows.append([f"{layers}  {type(layer).__name__}", *[""] * len(columns)])
        rows += [[f"  {type(stage).__name__}", *_marks(stage, columns)] for stage in _stages(layer)]
    lines = [aligned(rows, "<" * len(rows[0]))]
    routes: dict[Route, list[str]] = {}
    for name in columns:
        routes.setdefault(stack.routes.get(name, LOCAL), []).append(name)
    told = [[", ".join(slots), TRAVELS[route]] for route, slots in sorted(routes.items(), key=_order)]
    return "\n".join(
        [*lines, "", "r: reads, w: writes. Slots travel:", aligned([["  " + a, b] for a, b in told], "<<")]
    )


def _order(item: tuple[Route, list[str]]) -> int:
    return list(TRAVELS).index(item[0])


def _slots(cell: Cell) -> Iterable[str]:
    """Every slot of a cell, in the order it is met."""
    for stage in _stages(cell):
        yield from (slot.name for slot in (*stage.reads, *stage.writes))


def _stages(layer: nn.Module) -> list[Block]:
    return [stage for stage in layer.stages if isinstance(stage, Block)] if isinstance(layer, Cell) else []


def _marks(stage: Block, columns: Sequence[str]) -> list[str]:
    reads, writes = ({slot.name for slot in slots} for slots in (stage.reads, stage.writes))
    return ["r" * (name in reads) + "w" * (name in writes) for name in columns]


def _alike(layers: Iterable[nn.Module]) -> list[tuple[str, nn.Module]]:
    """Runs of layers that look the same, each as its numbers and its first layer."""
    runs: list[tuple[int, int, object, nn.Module]] = []
    for number, layer in enumerate(layers, start=1):
        look = (type(layer), [(type(stage), stage.reads, stage.writes) for stage in _stages(layer)])
        if runs and runs[-1][2] == look:
            runs[-1] = (runs[-1][0], number, look, runs[-1][3])
        else:
            runs.append((number, number, look, layer))
    return [(f"layer {a}" if a == b else f"layers {a} to {b}", layer) for a, b, _, layer in runs]


def _part(part: nn.Module) -> str:
    """The name of a part; of a stack of one kind of block, its number and kind too."""
    kinds = [type(block).__name__ for block in getattr(part, "blocks", ())]
    if isinstance(part, nn.Sequential):
        return " + ".join(type(each).__name__ for each in part)
    return f"{type(part).__name__} of {len(kinds)} {kinds[0]}" if len({*kinds}) == 1 else type(part).__name__
