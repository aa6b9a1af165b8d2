"""Networks of gated recurrent units: ConvGRU and TrajGRU."""

from ..blocks import ConvGRU, TrajGRU
from ..core import register_model
from .base import Base, register_base
from .patch_frame import PatchFrame


@register_model(frame=PatchFrame, paper="Ballas et al., ICLR 2016", kernel_size=3)
@register_base
def convgru(frame: PatchFrame) -> Base:
    """A stack of ConvGRUs, without the encoder and decoder of any one paper. A GRU has neither a cell state nor an
    output gate, so that `hybrid` refuses the plugs `se` and `highway` here.
    """
    return Base(lambda place: [ConvGRU(place.in_channels, place.channels, **place.options)])


@register_model(frame=PatchFrame, paper="Shi et al., NeurIPS 2017", channels=64, num_layers=3, kernel_size=3)
@register_base
def trajgru(frame: PatchFrame, *, links: int = 13, flow_channels: int = 32, flow_kernel_size: int = 5) -> Base:
    """A stack of TrajGRUs; the paper's own network has three, on maps of falling size in an encoder and a forecaster.

    `kernel_size` is that of the kernel on `x`. As with `convgru`, the plugs `se` and `highway` do not fit.

    Args:
        frame: See `PatchFrame`.
        links: See `TrajGRU`.
        flow_channels: See `TrajGRU`.
        flow_kernel_size: See `TrajGRU`.
    """
    return Base(
        lambda place: [
            TrajGRU(
                place.in_channels,
                place.channels,
                links=links,
                flow_channels=flow_channels,
                flow_kernel_size=flow_kernel_size,
                **place.options,
            )
        ]
    )
