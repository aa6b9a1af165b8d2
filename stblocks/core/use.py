"""Which stages have an effect: what they write reaches an output, maybe by way of other stages, layers and steps."""

from collections.abc import Collection, Mapping, Sequence

from .block import Block
from .slot import AUX, DEPTH, LOCAL, ZIGZAG, H, Route, Slot

Stages = Sequence[Block]


def idle(layers: Sequence[Stages], routes: Mapping[str, Route], leaving: Collection[Route] = ()) -> list[Block]:
    """The stages whose results nothing that leads to an output reads.

    Outputs are `h` after the last stage of each layer, slots of the routes in `leaving`, and auxiliary losses of stages
    that write nothing else: what others do beside their loss is not for its sake.

    Args:
        layers: The stages of each layer, bottom to top.
        routes: On which route each slot travels, by its name.
        leaving: Routes to layers that are not among these.
    """
    found = {
        (layer, index)
        for layer, stages in enumerate(layers)
        for index, stage in enumerate(stages)
        for slot in stage.writes
        if all(each.route is AUX for each in stage.writes)
        or (index == _writer(stages, slot) and (slot == H or routes.get(slot.name, slot.route) in leaving))
    }
    effective, new = set(found), list(found)
    while new:
        layer, index = new.pop()
        for slot in layers[layer][index].reads:
            sources = _sources(layers, layer, index, slot, routes.get(slot.name, slot.route)) - effective
            effective |= sources
            new.extend(sources)
    every = ((layer, index) for layer, stages in enumerate(layers) for index in range(len(stages)))
    return [layers[layer][index] for layer, index in every if (layer, index) not in effective]


def _sources(layers: Sequence[Stages], layer: int, index: int, slot: Slot, route: Route) -> set[tuple[int, int]]:
    """The stages whose result a stage may read in a slot: in this step, in the step before, or in another layer."""
    earlier = _writer(layers[layer][:index], slot)
    if earlier is not None:
        return {(layer, earlier)}
    from_layers = range(len(layers)) if route in (ZIGZAG, DEPTH) else () if route is LOCAL else (layer,)
    return {(each, last) for each in from_layers if (last := _writer(layers[each], slot)) is not None}


def _writer(stages: Stages, slot: Slot) -> int | None:
    """The last of some stages that writes a slot."""
    return max((index for index, stage in enumerate(stages) if slot in stage.writes), default=None)
