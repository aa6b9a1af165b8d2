"""Plugging: the blocks of other papers around those of a layer."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core import Block
from .base import PLUGS, STAGE, Make, Place


def plugged(cell: Make, plugs: Sequence[str], num_layers: int, options: Mapping[str, Any]) -> Make:
    """The blocks of a layer with plugs around them.

    Args:
        cell: The blocks of a layer: `cell(place)`.
        plugs: Some of `PLUGS`, in the order they run in. Each stands on its own side of the layer's blocks, but where
            `"stage"`, which are these blocks, is among them: then all of a plug stands where it is listed.
        num_layers: Number of layers.
        options: Of plugs; each is given those that it takes.

    Returns:
        A function of the same kind as `cell`.

    Raises:
        ValueError: If `plugs` is no list of names, has one that is unknown or has no place in so few layers.
    """
    if isinstance(plugs, str) or not isinstance(plugs, Sequence) or list(plugs).count(STAGE) > 1:
        raise ValueError(f"plugs must be a list of names, {STAGE!r} at most once among them, got {plugs!r}.")
    idle = sorted(name for name in plugs if PLUGS.find(name).below_top)
    if num_layers == 1 and idle:
        raise ValueError(f"plugs {idle} stand in every layer but the top one: take num_layers >= 2, got 1.")
    before: list[tuple[Make, bool]] = []
    after: list[tuple[Make, bool]] = []
    stage = plugs.index(STAGE) if STAGE in plugs else None
    for index, plug in enumerate(PLUGS.find(name) for name in plugs):
        for make, side in ((plug.before, before), (plug.after, after)):
            if stage is not None:
                side = before if index < stage else after
            side.append((make, plug.below_top))

    def blocks(side: Sequence[tuple[Make, bool]], place: Place) -> list[Block]:
        here = [make for make, below_top in side if not (below_top and place.top)]
        return [block for make in here for block in make(place, **taken(make, options))]

    def whole(place: Place) -> Sequence[Block]:
        first, last = blocks(before, place), blocks(after, place)
        return [*first, *cell(place), *last]

    return whole


def taken(make: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that a function has."""
    return {name: value for name, value in options.items() if name in inspect.signature(make).parameters}
