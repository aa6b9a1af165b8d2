"""Hybrids: the network of one paper with the blocks of others plugged in."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..core import Block, RecurrentForecaster, register_model
from .base import BASES, PLUGS, STAGE, Base, Make, Place
from .patch_frame import PatchFrame


@register_model(frame=PatchFrame, paper="GMG paper, Table VI; CMS-LSTM paper, Table 3")
def hybrid(
    frame: PatchFrame,
    *,
    base: str = "predrnn",
    plugs: Sequence[str] = ("gfm",),
    scales: Sequence[int] = (1, 2, 4),
) -> RecurrentForecaster:
    """A network with blocks of other networks in every layer.

    `hybrid(base="predrnn", plugs=["gfm", "sam", "highway", "mgm"])` is GMG-L; `plugs=["ce", "se"]` is the transplant of
    the CMS-LSTM paper's Table 3, `base="predrnnpp", plugs=["gfm"]` one that nobody has published. The base `"mim"` has
    one peephole weight per channel. `sam` on `"convlstm"` shares one memory among the layers, as in PredRNN; the base
    `"sa_convlstm"` has one for each.

    Args:
        frame: See `PatchFrame`.
        base: One of `BASES`.
        plugs: Some of `PLUGS`, in the order they run in. Each stands on its own side of the base's blocks, but where
            `"stage"`, which are these blocks, is among them: then all of a plug stands where it is listed.
        scales: See `SE`.

    Raises:
        ValueError: If a name is unknown, or a plug does not fit the base.
    """
    if isinstance(plugs, str) or list(plugs).count(STAGE) > 1:
        raise ValueError(f"plugs must be a list of names, {STAGE!r} at most once among them, got {plugs!r}.")
    options = {"scales": scales}
    build = BASES.find(base)
    own = plugged(build(frame, **_taken(build, options)), plugs, options)
    idle = sorted(name for name in plugs if PLUGS.find(name).below_top)
    if frame.num_layers == 1 and idle:
        raise ValueError(f"plugs {idle} stand in every layer but the top one: take num_layers >= 2, got 1.")
    try:
        return frame.build(own)
    except ValueError as error:
        if not plugs:
            raise
        raise ValueError(f"plugs {list(plugs)} do not fit base {base!r}: {error}") from error


def plugged(base: Base, plugs: Sequence[str], options: Mapping[str, Any]) -> Base:
    """A base with plugs in its layers; a plug is given those of the options that it takes."""
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
        return [block for make in here for block in make(place, **_taken(make, options))]

    def cell(place: Place) -> Sequence[Block]:
        first, last = blocks(before, place), blocks(after, place)
        return [*first, *base.cell(place), *last]

    return replace(base, cell=cell)


def _taken(make: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that a function has."""
    return {name: value for name, value in options.items() if name in inspect.signature(make).parameters}
