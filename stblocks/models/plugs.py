"""The plugs of the library: where the papers put their blocks into another network."""

from ..blocks import CE, GFM, GSTA, MGM, SAM, SE, TAU, VSS, HighwayEntry, MotionGRU, MotionHighway, PhyBranch, SimpleGFM
from .base import Plug, register_plug

register_plug("ce", Plug(before=lambda place: [CE(place.in_channels, place.channels, **place.options)]))
register_plug("se", Plug(after=lambda place, scales=(1, 2, 4): [SE(place.channels, scales=scales, norm=place.norm)]))
register_plug("gfm", Plug(after=lambda place: [GFM(place.in_channels, place.channels, norm=place.norm)]))
register_plug("simple_gfm", Plug(after=lambda place: [SimpleGFM(place.in_channels, place.channels, norm=place.norm)]))
register_plug("sam", Plug(after=lambda place: [SAM(place.channels)]))
register_plug(
    "highway",
    Plug(
        before=lambda place: [HighwayEntry(place.in_channels, place.channels)] if place.layer == 0 else [],
        after=lambda place: [MotionHighway()],
    ),
)
register_plug(
    "motion_gru",
    Plug(after=lambda place: [MotionGRU(place.channels, kernel_size=place.kernel_size)], below_top=True),
)
register_plug("mgm", Plug(after=lambda place: [MGM(place.channels, kernel_size=place.kernel_size)], below_top=True))
register_plug("gsta", Plug(after=lambda place: [GSTA(place.channels)]))
register_plug("tau", Plug(after=lambda place: [TAU(place.channels)]))
register_plug("vss", Plug(after=lambda place: [VSS(place.channels)]))
register_plug(  # with the gain that keeps a state between prediction and input, whatever stands around it
    "phycell",
    Plug(after=lambda place: [PhyBranch(place.in_channels, place.channels, gain="sigmoid", **place.options)]),
)
