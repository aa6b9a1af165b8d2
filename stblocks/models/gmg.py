"""GMG and its two smaller variants."""

from collections.abc import Sequence

from ..blocks import GFM, MGM, SAM, HighwayEntry, MotionHighway, SimpleGFM, STConvLSTM
from ..core import Cell, RecurrentForecaster, register_model, register_variant
from .recurrent import layer_widths, make_norm, patch_forecaster


@register_model(paper="Du et al., GMG, 2025", dataset="CIKM2017", parameters=31_448_973, flops=111_980_338_624)
def gmg_l(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    channels: int = 128,
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
    """GMG-L (GMG paper, Fig. 3): ST-ConvLSTM, GFM, SAM and motion highway in every layer, MGM in every layer but the last.

    Args:
        in_channels: Channels of a frame.
        image_size: `(H, W)` of a frame; binding only with `norm="layer"`.
        channels: Width of every layer.
        num_layers: Number of layers.
        patch_size: Side of the patches that frames are cut into.
        kernel_size: Side of the kernels of the ST-ConvLSTM and of MGM's convolution and gate.
        attention_channels: Channels of SAM's queries and keys; `None` leaves SAM out.
        warp_kernel_size: Side of MGM's deformable kernel.
        forget_bias: Constant in the forget gates.
        norm: `"layer"`, `"group"` or `None`.
        simple_focus: Take the simplified GFM.
        focus: See `GFM`.
        time_decay, growth: See `MGM`.
        checkpointing: See `RecurrentForecaster`.
    """
    if simple_focus and focus != "spatial":
        raise ValueError(
            f"focus belongs to the full GFM, but simple_focus=True asks for the simplified one; got {focus!r}."
        )
    make = make_norm(norm, image_size, patch_size)

    def cell(below: int, width: int, *, bottom: bool, top: bool) -> Cell:
        gfm = SimpleGFM(below, width, norm=make) if simple_focus else GFM(below, width, focus=focus, norm=make)
        sam = [] if attention_channels is None else [SAM(width, attention_channels=attention_channels)]
        mgm = (
            []
            if top
            else [
                MGM(
                    width,
                    kernel_size=kernel_size,
                    warp_kernel_size=warp_kernel_size,
                    time_decay=time_decay,
                    growth=growth,
                )
            ]
        )
        return Cell(
            *([HighwayEntry(below, width)] if bottom else []),
            STConvLSTM(below, width, kernel_size=kernel_size, forget_bias=forget_bias, norm=make),
            gfm,
            *sam,
            MotionHighway(),
            *mgm,
        )

    widths = layer_widths(in_channels, patch_size, channels, num_layers)
    cells = [cell(*pair, bottom=i == 0, top=i == num_layers - 1) for i, pair in enumerate(widths)]
    return patch_forecaster(
        cells,
        in_channels=in_channels,
        image_size=image_size,
        patch_size=patch_size,
        norm=norm,
        checkpointing=checkpointing,
    )


register_variant(  # without SAM, for maps of small features
    "gmg_m", gmg_l, paper="Du et al., GMG, 2025", dataset="CIKM2017", parameters=30_412_813, flops=107_106_557_376,
    attention_channels=None,
)  # fmt: skip
register_variant(  # with the simplified GFM, for large data sets
    "gmg_s", gmg_l, paper="Du et al., GMG, 2025", dataset="CIKM2017", parameters=29_227_917, flops=104_263_212_480,
    simple_focus=True,
)  # fmt: skip
