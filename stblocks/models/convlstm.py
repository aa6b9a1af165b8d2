"""ConvLSTM, and what the papers build around it: SA-ConvLSTM and CMS-LSTM."""

from collections.abc import Sequence
from typing import Any

from ..blocks import CE, SAM, SE, ConvLSTM
from ..core import TIME, Cell, M, RecurrentForecaster, register_model
from .recurrent import PatchRNN


@register_model(paper="Shi et al., NeurIPS 2015", dataset="Moving MNIST", parameters=11_675_648, flops=56_790_351_872)
def convlstm(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 128,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    forget_bias: float = 0.0,
    norm: str | None = None,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """A stack of ConvLSTMs. The published 15.08 M parameters count 3.41 M that never take part: not created here."""
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    options: dict[str, Any] = {"kernel_size": kernel_size, "forget_bias": forget_bias, "norm": net.make_norm()}
    return net.build(lambda layer, below, width: Cell(ConvLSTM(below, width, **options)))


@register_model(paper="Lin et al., AAAI 2020", dataset="Moving MNIST")
def sa_convlstm(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 64,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    attention_channels: int = 32,
    forget_bias: float = 0.0,
    norm: str | None = None,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """SA-ConvLSTM: a self-attention memory after every ConvLSTM, kept by each layer for itself."""
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    options: dict[str, Any] = {"kernel_size": kernel_size, "forget_bias": forget_bias, "norm": net.make_norm()}
    return net.build(
        lambda layer, below, width: Cell(
            ConvLSTM(below, width, **options), SAM(width, attention_channels=attention_channels)
        ),
        routes={M: TIME},
    )


@register_model(
    paper="Chai et al., CMS-LSTM, ICME 2022", dataset="Moving MNIST", parameters=7_967_568, flops=38_320_799_744
)
def cms_lstm(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 64,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 3,
    iterations: int = 5,
    scales: Sequence[int] = (1, 2, 4),
    forget_bias: float = 1.0,
    norm: str | None = "layer",
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """CMS-LSTM (paper, Fig. 1): context embedding, ConvLSTM, multi-scale expression; patches are embedded first.

    The kernel of the published parameter count is 3; the text says 5, and Table 2 has a row with 7.
    """
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    own = net.make_norm()
    return net.build(
        lambda layer, below, width: Cell(
            CE(below, width, kernel_size=kernel_size, iterations=iterations, norm=own),
            ConvLSTM(below, width, kernel_size=kernel_size, forget_bias=forget_bias, norm=own, cell_norm=own),
            SE(width, scales=scales, norm=own),
        ),
        embed=True,
    )
