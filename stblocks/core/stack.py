"""RecurrentStack: layers on top of each other, and the routes on which slots travel between layers and steps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from .block import Block, providers, starters
from .cell import Cell, mean_aux
from .slot import DEPTH, TIME, ZIGZAG, Route, Slot, by_name
from .use import idle

StackState = dict[str, Any]


class RecurrentStack(nn.Module):
    """Layers that run one above the other at every time step.

    A layer is a `Cell`; or a cell of your own, anything with `init_state(x) -> state` and
    `forward(x, state=None) -> (y, state)`, whose state is opaque to the stack; or a stateless module from `x` to `x`.
    A stack is such a cell, too, and so is `Parallel`. One with auxiliary losses says them by a method `aux(state)`.

    TIME slots stay with their layer. ZIGZAG slots climb through the layers that have them, and go from the top one at
    step t-1 to the bottom one at step t. DEPTH slots climb within a step, from a layer that writes them to the next
    that reads them.

    Args:
        layers: Bottom to top.
        routes: Slots that travel otherwise in this stack; `{M: TIME}` keeps every layer's memory to itself.

    Attributes:
        in_channels: Channels of the input, if the bottom layer publishes them.
        out_channels: Channels of the output, if the top layer publishes them.

    Shapes:
        x: `(B, in_channels of the bottom layer, H, W)`.
        returns: The output of the top layer, and the state after this step.
        state: `{"layers": [one per layer], "zigzag": {slot name: tensor}}`. Layers may change H and W on the way up;
            the state of each has the size of the maps that reach it.

    Raises:
        ValueError: If a layer's channels differ from what the one below gives, a DEPTH slot is read that no lower layer
            writes, a slot that travels between layers has different channels in them, slots of one name have several
            routes, a block has no effect, or `routes` names no slot here.
    """

    def __init__(self, layers: Iterable[nn.Module], routes: Mapping[Slot, Route] | None = None) -> None:
        super().__init__()
        if isinstance(layers, nn.Module) and not isinstance(layers, nn.ModuleList):
            raise ValueError(f"layers must be a list, got one {type(layers).__name__}; write [layer].")
        self.layers = nn.ModuleList(layers)
        if not self.layers:
            raise ValueError("layers must hold at least one layer, got none.")
        for index, layer in enumerate(self.layers):
            if isinstance(layer, Block):
                name = type(layer).__name__
                raise ValueError(f"layer {index} is a {name}, a stage of a cell; write Cell({name}(...)).")
        cells = [(i, layer) for i, layer in enumerate(self.layers) if isinstance(layer, Cell)]
        slots = by_name((f"layer {i}", slot) for i, cell in cells for slot in cell.slots.values())
        self.routes = {name: slot.route for name, slot in slots.items()}
        started = {name for _, cell in cells for name in cell.starts}
        for slot, route in (routes or {}).items():
            if slot.name not in started or route not in (TIME, ZIGZAG, DEPTH):
                movable = ", ".join(str(slots[name]) for name in slots if name in started)
                raise ValueError(
                    f"routes may send what the cells carry ({movable}) over TIME, ZIGZAG or DEPTH, "
                    f"got {slot}: {route!r}."
                )
            self.routes[slot.name] = route
        _check_chain(self.layers)
        self.in_channels = getattr(self.layers[0], "in_channels", None)
        self.out_channels = getattr(self.layers[-1], "out_channels", None)
        _check_routes(cells, slots, self.routes)
        _check_use(cells, self.routes)

    def init_state(self, x: Tensor) -> StackState:
        """The state before the first step, for inputs like `x`: walks the layers for the shapes of their maps.

        A stateless layer says what it makes of a shape by a method `output_shape((B, C, H, W))`. Above one that does
        not, and above a cell of your own, the state of a layer is `None`: it starts at the first map that reaches it.
        """
        shape: Sequence[int] | None = x.shape
        layers: list[Any] = []
        zigzag: dict[str, Tensor] = {}
        for layer in self.layers:
            unknown = shape is None and hasattr(layer, "init_state")
            state = None if unknown else start_layer(layer, x.new_empty(shape or ()))
            if isinstance(layer, Cell):
                if state is not None:
                    zigzag = {**{n: v for n, v in state.items() if self.routes[n] is ZIGZAG}, **zigzag}
                    state = {n: v for n, v in state.items() if self.routes[n] not in (ZIGZAG, DEPTH)}
                shape = None if shape is None else (shape[0], layer.out_channels, *shape[2:])
            else:
                says: Callable[[Sequence[int]], Sequence[int]] | None = getattr(layer, "output_shape", None)
                shape = None if shape is None or says is None else says(shape)
            layers.append(state)
        return {"layers": layers, "zigzag": zigzag}

    def forward(self, x: Tensor, state: StackState | None = None) -> tuple[Tensor, StackState]:
        """One time step: a feature map and the state in, a feature map and the state out; `None` starts from zeros."""
        if state is None:  # each layer starts at the map that reaches it
            state = {"layers": [None] * len(self.layers), "zigzag": {}}
        travelling, layers = dict(state["zigzag"]), []
        for layer, own in zip(self.layers, state["layers"], strict=True):
            if isinstance(layer, Cell):
                own = start_layer(layer, x) if own is None else own
                have = {name: travelling[name] for name in layer.slots if name in travelling}
                x, slots = layer.run(x, {**own, **have})
                travelling.update({n: v for n, v in slots.items() if self.routes[n] in (ZIGZAG, DEPTH)})
                own = {n: v for n, v in slots.items() if self.routes[n] not in (ZIGZAG, DEPTH)}
            else:
                x, own = step_layer(layer, x, own)
            layers.append(own)
        return x, {"layers": layers, "zigzag": {n: v for n, v in travelling.items() if self.routes[n] is ZIGZAG}}

    def aux(self, state: StackState) -> dict[str, Tensor]:
        """Auxiliary values of a step: AUX slot name to `(B,)`, averaged over the layers that have it."""
        return mean_aux(layer_aux(layer, own) for layer, own in zip(self.layers, state["layers"], strict=True))


def start_layer(layer: nn.Module, x: Tensor) -> Any:
    """The state of a layer that is about to get its first map, `x`."""
    return layer.init_state(x) if hasattr(layer, "init_state") else {}  # type: ignore[operator]


def step_layer(layer: nn.Module, x: Tensor, own: Any) -> tuple[Tensor, Any]:
    """One step of a layer by itself, which starts from zeros where its state is `None`."""
    if not hasattr(layer, "init_state"):
        return layer(x), {}
    return layer(x, start_layer(layer, x) if own is None else own)


def layer_aux(layer: nn.Module, own: Any) -> dict[str, Tensor]:
    """Auxiliary values in the state of a layer, name to `(B,)`; none if it has none."""
    return layer.aux(own) if hasattr(layer, "aux") else {}  # type: ignore[operator]


def _check_chain(layers: Sequence[nn.Module] | nn.ModuleList) -> None:
    """Channels fit where two neighbours publish them."""
    for i in range(1, len(layers)):
        gives, takes = getattr(layers[i - 1], "out_channels", None), getattr(layers[i], "in_channels", None)
        if gives is not None and takes is not None and gives != takes:
            raise ValueError(
                f"layer {i} takes {takes} channels, but layer {i - 1} below it gives {gives}; make them equal."
            )


def _check_use(cells: list[tuple[int, Cell]], routes: dict[str, Route]) -> None:
    """Every block leads to an output."""
    stages = [tuple(cell.blocks()) for _, cell in cells]
    for stage in idle(stages, routes):
        layer = next(i for (i, _), own in zip(cells, stages, strict=True) if any(each is stage for each in own))
        written = ", ".join(slot.name for slot in stage.writes)
        raise ValueError(
            f"{type(stage).__name__} in layer {layer} has no effect: nothing that leads to an output reads {written} "
            f"of it; leave it out."
        )


def _check_routes(cells: list[tuple[int, Cell]], slots: dict[str, Slot], routes: dict[str, Route]) -> None:
    """What travels between layers is written before it is read, and has one width."""
    for name, route in routes.items():
        having = [(i, cell) for i, cell in cells if name in cell.slots]
        if route in (ZIGZAG, DEPTH):
            (first, bottom), *rest = having
            for i, cell in rest:
                if cell.widths[name] != bottom.widths[name]:
                    raise ValueError(
                        f"{slots[name]} climbs from layer to layer, but has {bottom.widths[name]} channels in layer "
                        f"{first} and {cell.widths[name]} in layer {i}; give all layers one width, as in "
                        f"channels={bottom.widths[name]}."
                    )
        written = False
        for i, cell in having:
            reads_first = name in cell.inherits or (name in cell.starts)
            if route is DEPTH and reads_first and not written:
                raise ValueError(
                    f"layer {i} reads {slots[name]}, which no lower layer writes; put one below that does, or begin it "
                    f"with {providers(slots[name])}."
                )
            if route in (TIME, ZIGZAG) and name in cell.inherits:
                raise ValueError(
                    f"routes carries {slots[name]} over time, but nothing in layer {i} starts it; "
                    f"add {starters(slots[name])}."
                )
            written = True
