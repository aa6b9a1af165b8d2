"""GMG and its two smaller variants."""

from collections.abc import Sequence
from typing import Any

from ..blocks import GFM, MGM, SAM, HighwayEntry, MotionHighway, SimpleGFM, STConvLSTM
from ..core import Block, register_model, register_variant
from .base import Base, Place, register_base
from .patch_frame import PatchFrame


@register_model(
    frame=PatchFrame,
    paper="Du et al., GMG, 2025",
    dataset="CIKM2017",
    parameters=31_448_973,
    flops=111_980_338_624,
)
@register_base
def gmg_l(
    frame: PatchFrame,
    *,
    attention_channels: int | None = 32,
    warp_kernel_size: int = 3,
    forget_bias: float = 1.0,
    simple_focus: bool = False,
    focus: str = "spatial",
    time_decay: str = "elapsed",
    growth: str = "product",
) -> Base:
    """GMG-L (paper, Fig. 3): ST-ConvLSTM, GFM, SAM and motion highway in every layer, MGM in all but the last.

    The kernels of `kernel_size` are those of the ST-ConvLSTM and of MGM's convolution and gate.

    Args:
        frame: See `PatchFrame`.
        attention_channels: Channels of SAM's queries and keys; `None` leaves SAM out.
        warp_kernel_size: Side of MGM's deformable kernel.
        forget_bias: Constant in the forget gates.
        simple_focus: Take the simplified GFM.
        focus: See `GFM`.
        time_decay: See `MGM`.
        growth: See `MGM`.
    """
    if simple_focus and focus != "spatial":
        raise ValueError(f"focus belongs to the full GFM; with simple_focus=True leave it out, got {focus!r}.")

    def cell(place: Place) -> Sequence[Block]:
        below, width, norm = place.in_channels, place.channels, place.norm
        motion: dict[str, Any] = {"warp_kernel_size": warp_kernel_size, "time_decay": time_decay, "growth": growth}
        return [
            *([HighwayEntry(below, width)] if place.layer == 0 else []),
            STConvLSTM(below, width, forget_bias=forget_bias, **place.options),
            SimpleGFM(below, width, norm=norm) if simple_focus else GFM(below, width, focus=focus, norm=norm),
            *([] if attention_channels is None else [SAM(width, attention_channels=attention_channels)]),
            MotionHighway(),
            *([] if place.top else [MGM(width, kernel_size=place.kernel_size, **motion)]),
        ]

    return Base(cell)


register_variant(  # without SAM, for maps of small features
    "gmg_m", gmg_l, paper="Du et al., GMG, 2025", dataset="CIKM2017", parameters=30_412_813, flops=107_106_557_376,
    attention_channels=None,
)  # fmt: skip
register_variant(  # with the simplified GFM, for large data sets
    "gmg_s", gmg_l, paper="Du et al., GMG, 2025", dataset="CIKM2017", parameters=29_227_917, flops=104_263_212_480,
    simple_focus=True,
)  # fmt: skip
