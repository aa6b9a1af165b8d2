"""Hybrids: the network of one paper with the blocks of others plugged in."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..blocks import (
    CE,
    GFM,
    MGM,
    MIM,
    MIMN,
    SAM,
    SE,
    CausalLSTM,
    ConvLSTM,
    GradientHighway,
    HighwayEntry,
    MotionGRU,
    MotionHighway,
    SimpleGFM,
    STConvLSTM,
)
from ..blocks.layers import Norm
from ..core import TIME, Block, Cell, M, RecurrentForecaster, Registry, register_model
from .recurrent import PatchRNN


class Place(NamedTuple):
    """Where a block is to stand: what its constructor may need to know."""

    layer: int
    top: bool
    below: int
    channels: int
    kernel_size: int
    scales: Sequence[int]
    norm: Norm | None

    @property
    def sizes(self) -> dict[str, Any]:
        """Arguments that most blocks share."""
        return {"kernel_size": self.kernel_size, "norm": self.norm}


Make = Callable[[Place], list[Block]]


class Plug(NamedTuple):
    """What a plug puts before the base's own blocks, and after them, in each layer."""

    before: Make = lambda place: []
    after: Make = lambda place: []


def _mim(place: Place) -> list[Block]:
    if place.layer == 0:
        return [STConvLSTM(place.below, place.channels, **place.sizes)]
    changes = MIMN(place.below, place.channels, first=place.layer == 1, **place.sizes)
    return [changes, MIM(place.below, place.channels, **place.sizes)]


#: Bases by name: the blocks of a layer.
BASES = Registry[Make]("base", "stblocks.bases")
#: Plugs by name.
PLUGS = Registry[Plug]("plug", "stblocks.plugs")

_BASES: dict[str, Make] = {
    "convlstm": lambda p: [ConvLSTM(p.below, p.channels, **p.sizes)],
    "sa_convlstm": lambda p: [ConvLSTM(p.below, p.channels, **p.sizes), SAM(p.channels)],
    "predrnn": lambda p: [STConvLSTM(p.below, p.channels, **p.sizes)],
    "predrnnpp": lambda p: [CausalLSTM(p.below, p.channels, **p.sizes)],
    "mim": _mim,
    "cms_lstm": lambda p: [
        CE(p.below, p.channels, **p.sizes),
        ConvLSTM(p.below, p.channels, forget_bias=1.0, cell_norm=p.norm, **p.sizes),
        SE(p.channels, scales=p.scales, norm=p.norm),
    ],
}
for _name, _make in _BASES.items():
    BASES.register(_name)(_make)
for _name, _plug in {
    "ce": Plug(before=lambda p: [CE(p.below, p.channels, **p.sizes)]),
    "se": Plug(after=lambda p: [SE(p.channels, scales=p.scales, norm=p.norm)]),
    "gfm": Plug(after=lambda p: [GFM(p.below, p.channels, norm=p.norm)]),
    "simple_gfm": Plug(after=lambda p: [SimpleGFM(p.below, p.channels, norm=p.norm)]),
    "sam": Plug(after=lambda p: [SAM(p.channels)]),
    "highway": Plug(
        before=lambda p: [HighwayEntry(p.below, p.channels)] if p.layer == 0 else [], after=lambda p: [MotionHighway()]
    ),
    "motion_gru": Plug(after=lambda p: [] if p.top else [MotionGRU(p.channels, kernel_size=p.kernel_size)]),
    "mgm": Plug(after=lambda p: [] if p.top else [MGM(p.channels, kernel_size=p.kernel_size)]),
}.items():
    PLUGS.register(_name)(_plug)


@register_model(paper="GMG paper, Table VI; CMS-LSTM paper, Table 3")
def hybrid(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    base: str = "predrnn",
    plugs: Sequence[str] = ("gfm",),
    channels: int | Sequence[int] = 128,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    scales: Sequence[int] = (1, 2, 4),
    norm: str | None = None,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """A network with blocks of other networks in every layer.

    `hybrid(base="predrnn", plugs=["gfm", "sam", "highway", "mgm"])` is GMG-L; `plugs=["ce", "se"]` is the transplant of
    the CMS-LSTM paper's Table 3, `base="predrnnpp", plugs=["gfm"]` one that nobody has published. The base `"mim"` has
    one peephole weight per channel. `sam` on `"convlstm"` shares one memory among the layers, as in PredRNN; the base
    `"sa_convlstm"` has one for each.

    Args:
        in_channels: See `PatchRNN`.
        image_size: See `PatchRNN`.
        out_channels: See `PatchRNN`.
        channels: See `PatchRNN`.
        num_layers: See `PatchRNN`.
        patch_size: See `PatchRNN`.
        norm: See `PatchRNN`.
        checkpointing: See `PatchRNN`.
        base: One of `BASES`.
        plugs: Some of `PLUGS`, in the order they run in; those that stand before the base's blocks do so anyway.
        kernel_size: Side of the kernels, where the papers vary it.
        scales: See `SE`.

    Raises:
        ValueError: If a name is unknown, or a plug does not fit the base.
    """
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    make = BASES.find(base)
    if num_layers == 1 and (idle := {"mgm", "motion_gru"} & set(plugs)):
        raise ValueError(f"plugs {sorted(idle)} stand in every layer but the top one: take num_layers >= 2, got 1.")
    chosen = [PLUGS.find(plug) for plug in plugs]
    own = net.make_norm()

    def cell(layer: int, below: int, width: int) -> Cell:
        where = Place(layer, layer == num_layers - 1, below, width, kernel_size, scales, own)
        before = [block for plug in chosen for block in plug.before(where)]
        after = [block for plug in chosen for block in plug.after(where)]
        try:
            return Cell(*before, *make(where), *after)
        except ValueError as error:
            raise ValueError(f"plugs {list(plugs)} do not fit base {base!r}: {error}") from error

    bottom, highway = net.widths[0], base == "predrnnpp"
    return net.build(
        cell,
        embed=base == "cms_lstm",
        above_bottom=[Cell(GradientHighway(bottom, bottom, kernel_size=kernel_size, norm=own))] if highway else [],
        routes={M: TIME} if base == "sa_convlstm" else None,
    )
