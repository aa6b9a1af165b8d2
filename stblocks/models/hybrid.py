"""Hybrids: the network of one paper with the blocks of others plugged in."""

from collections.abc import Sequence
from dataclasses import replace

from ..core import RecurrentForecaster, register_model
from .base import BASES
from .patch_frame import PatchFrame
from .plugging import plugged, taken


@register_model(frame=PatchFrame, paper="GMG paper, Table VI; CMS-LSTM paper, Table 3")
def hybrid(
    frame: PatchFrame,
    *,
    base: str = "predrnn",
    plugs: Sequence[str] = ("gfm",),
    scales: Sequence[int] = (1, 2, 4),
    beside: str | None = None,
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
        scales: Of the plug `se` and the base `cms_lstm`, see `SE`.
        beside: Another base, without plugs, whose layers run beside those of `base` in `Parallel`: `"phycell"` gives
            any base a physical branch, as PhyDNet has one.

    Raises:
        ValueError: If a name is unknown, or a plug does not fit the base.
    """
    options = {"scales": scales}
    build = BASES.find(base)
    own = build(frame, **taken(build, options))
    own = replace(own, cell=plugged(own.cell, plugs, frame.num_layers, options))
    other = None if beside is None else BASES.find(beside)
    branch = None if other is None else other(frame, **taken(other, options))
    try:
        return frame.build(own, branch)
    except ValueError as error:
        if not plugs:
            raise
        raise ValueError(f"plugs {list(plugs)} do not fit base {base!r}: {error}") from error
