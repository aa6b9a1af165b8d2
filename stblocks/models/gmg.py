"""GMG and its two smaller variants."""

from collections.abc import Sequence
from typing import Any

from ..blocks import GFM, MGM, SAM, HighwayEntry, MotionHighway, SimpleGFM, STConvLSTM
from ..core import Cell, RecurrentForecaster, register_model, register_variant
from .recurrent import PatchRNN


@register_model(paper="Du et al., GMG, 2025", dataset="CIKM2017", parameters=31_448_973, flops=111_980_338_624)
def gmg_l(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 128,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    attention_channels: int | None = 32,
    warp_kernel_size: int = 3,
    forget_bias: float = 1.0,
    norm: str | None = None,
    simple_focus: bool = False,
    focus: str = "spatial",
    time_decay: str = "elapsed",
    growth: str = "product",
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """GMG-L (paper, Fig. 3): ST-ConvLSTM, GFM, SAM and motion highway in every layer, MGM in all but the last.

    Args:
        in_channels: See `PatchRNN`.
        image_size: See `PatchRNN`.
        out_channels: See `PatchRNN`.
        channels: See `PatchRNN`.
        num_layers: See `PatchRNN`.
        patch_size: See `PatchRNN`.
        norm: See `PatchRNN`.
        checkpointing: See `PatchRNN`.
        kernel_size: Side of the kernels of the ST-ConvLSTM and of MGM's convolution and gate.
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
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    make = net.make_norm()

    def cell(layer: int, below: int, width: int) -> Cell:
        top = layer == num_layers - 1
        motion: dict[str, Any] = {"warp_kernel_size": warp_kernel_size, "time_decay": time_decay, "growth": growth}
        return Cell(
            *([HighwayEntry(below, width)] if layer == 0 else []),
            STConvLSTM(below, width, kernel_size=kernel_size, forget_bias=forget_bias, norm=make),
            SimpleGFM(below, width, norm=make) if simple_focus else GFM(below, width, focus=focus, norm=make),
            *([] if attention_channels is None else [SAM(width, attention_channels=attention_channels)]),
            MotionHighway(),
            *([] if top else [MGM(width, kernel_size=kernel_size, **motion)]),
        )

    return net.build(cell)


register_variant(  # without SAM, for maps of small features
    "gmg_m", gmg_l, paper="Du et al., GMG, 2025", dataset="CIKM2017", parameters=30_412_813, flops=107_106_557_376,
    attention_channels=None,
)  # fmt: skip
register_variant(  # with the simplified GFM, for large data sets
    "gmg_s", gmg_l, paper="Du et al., GMG, 2025", dataset="CIKM2017", parameters=29_227_917, flops=104_263_212_480,
    simple_focus=True,
)  # fmt: skip
