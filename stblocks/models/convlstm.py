"""ConvLSTM, and what the papers build around it: SA-ConvLSTM and CMS-LSTM."""

from collections.abc import Sequence

from ..blocks import CE, SAM, SE, ConvLSTM
from ..core import TIME, register_model, register_variant
from ..core.slot import M
from .base import Base, register_base
from .patch_frame import PatchFrame


@register_model(
    frame=PatchFrame,
    paper="Shi et al., NeurIPS 2015",
    dataset="Moving MNIST",
    parameters=11_675_648,
    flops=56_790_351_872,
)
@register_base
def convlstm(frame: PatchFrame, *, forget_bias: float = 0.0) -> Base:
    """A stack of ConvLSTMs. The published 15.08 M parameters count 3.41 M that never take part: not created here."""
    return Base(lambda place: [ConvLSTM(place.in_channels, place.channels, forget_bias=forget_bias, **place.options)])


register_variant(
    "convlstm_s", convlstm, paper="Tan et al., SimVPv2, 2025", dataset="Moving MNIST", parameters=2_970_624,
    flops=14_449_115_136, channels=64,
)  # fmt: skip
register_variant(
    "convlstm_l", convlstm, paper="Tan et al., SimVPv2, 2025", dataset="Moving MNIST", parameters=26_115_072,
    flops=127_023_710_208, channels=192,
)  # fmt: skip


@register_model(frame=PatchFrame, paper="Lin et al., AAAI 2020", dataset="Moving MNIST", channels=64)
@register_base
def sa_convlstm(frame: PatchFrame, *, attention_channels: int = 32, forget_bias: float = 0.0) -> Base:
    """SA-ConvLSTM: a self-attention memory after every ConvLSTM, kept by each layer for itself."""
    return Base(
        lambda place: [
            ConvLSTM(place.in_channels, place.channels, forget_bias=forget_bias, **place.options),
            SAM(place.channels, attention_channels=attention_channels),
        ],
        routes={M: TIME},
    )


@register_model(
    frame=PatchFrame,
    paper="Chai et al., CMS-LSTM, ICME 2022",
    dataset="Moving MNIST",
    parameters=7_967_568,
    flops=38_320_799_744,
    channels=64,
    kernel_size=3,
    norm="layer",
)
@register_base
def cms_lstm(
    frame: PatchFrame, *, iterations: int = 5, scales: Sequence[int] = (1, 2, 4), forget_bias: float = 1.0
) -> Base:
    """CMS-LSTM (paper, Fig. 1): context embedding, ConvLSTM, multi-scale expression; patches are embedded first.

    The kernel of the published parameter count is 3; the text says 5, and Table 2 has a row with 7.
    """
    return Base(
        lambda place: [
            CE(place.in_channels, place.channels, iterations=iterations, **place.options),
            ConvLSTM(place.in_channels, place.channels, forget_bias=forget_bias, cell_norm=place.norm, **place.options),
            SE(place.channels, scales=scales, norm=place.norm),
        ],
        embed=True,
    )
