"""PredRNN and the models that grew out of it: PredRNNv2, PredRNN++, MIM, MotionRNN."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from ..blocks import (
    MIM,
    MIMN,
    CausalLSTM,
    DecoupledSTConvLSTM,
    GradientHighway,
    HighwayEntry,
    MotionGRU,
    MotionHighway,
    STConvLSTM,
)
from ..borders.checks import choose
from ..core import Cell, RecurrentForecaster, register_model
from .recurrent import PatchRNN


@register_model(paper="Wang et al., NeurIPS 2017", dataset="CIKM2017", parameters=23_838_720, flops=85_437_972_480)
def predrnn(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 128,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    forget_bias: float = 1.0,
    norm: str | None = None,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """PredRNN: ST-ConvLSTMs whose memory zigzags through the layers."""
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    options: dict[str, Any] = {"kernel_size": kernel_size, "forget_bias": forget_bias, "norm": net.make_norm()}
    return net.build(lambda layer, below, width: Cell(STConvLSTM(below, width, **options)))


@register_model(paper="Wang et al., TPAMI 2022", dataset="Moving MNIST", parameters=23_855_104, flops=116_589_068_288)
def predrnnv2(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 128,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    forget_bias: float = 1.0,
    norm: str | None = None,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """PredRNNv2: PredRNN with the decoupling loss as `rollout(...).aux["decoupling"]`. All layers share its adapter."""
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    options: dict[str, Any] = {"kernel_size": kernel_size, "forget_bias": forget_bias, "norm": net.make_norm()}
    adapter = nn.Conv2d(net.widths[0], net.widths[0], 1, bias=False)
    return net.build(lambda layer, below, width: Cell(DecoupledSTConvLSTM(below, width, adapter=adapter, **options)))


@register_model(paper="Wang et al., ICML 2018", dataset="CIKM2017", parameters=35_307_520, flops=126_542_151_680)
def predrnnpp(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 128,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    forget_bias: float = 1.0,
    norm: str | None = None,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """PredRNN++: Causal LSTMs, and a gradient highway above the bottom one.

    The published 38.58 M parameters count 3.28 M that never take part: not created here.
    """
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    options: dict[str, Any] = {"kernel_size": kernel_size, "norm": net.make_norm()}
    highway = Cell(GradientHighway(net.widths[0], net.widths[0], **options))
    return net.build(
        lambda layer, below, width: Cell(CausalLSTM(below, width, forget_bias=forget_bias, **options)),
        above_bottom=[highway],
    )


@register_model(paper="Wang et al., CVPR 2019", dataset="CIKM2017", parameters=37_945_344, flops=131_365_601_280)
def mim(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 128,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    forget_bias: float = 1.0,
    peephole: str = "map",
    norm: str | None = None,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """Memory in memory on PredRNN: MIM-N and MIM in every layer but the bottom one.

    `peephole="map"`, as published, has a weight at each position and binds the model to `image_size`; `"channel"` has
    one per channel, for any size. The published 38.04 M parameters count 0.10 M that never take part: not created here.
    """
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    bound = choose("peephole", peephole, ("map", "channel")) == "map"
    options: dict[str, Any] = {"kernel_size": kernel_size, "forget_bias": forget_bias, "norm": net.make_norm()}
    peepholes: dict[str, Any] = {"peephole_size": net.feature_size() if bound else None, **options}

    def cell(layer: int, below: int, width: int) -> Cell:
        if layer == 0:
            return Cell(STConvLSTM(below, width, **options))
        return Cell(MIMN(below, width, first=layer == 1, **peepholes), MIM(below, width, **peepholes))

    return net.build(cell, bound=bound)


@register_model(paper="Wu et al., CVPR 2021", dataset="CIKM2017", parameters=26_911_553, flops=94_801_821_184)
def motionrnn(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int | Sequence[int] = 128,
    num_layers: int = 4,
    patch_size: int = 4,
    kernel_size: int = 5,
    warp_kernel_size: int = 3,
    forget_bias: float = 1.0,
    norm: str | None = None,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """MotionRNN on PredRNN: a MotionGRU after every layer but the last, and the motion highway."""
    net = PatchRNN(in_channels, image_size, out_channels, channels, num_layers, patch_size, norm, checkpointing)
    options: dict[str, Any] = {"kernel_size": kernel_size, "forget_bias": forget_bias, "norm": net.make_norm()}

    def cell(layer: int, below: int, width: int) -> Cell:
        entry = [HighwayEntry(below, width)] if layer == 0 else []
        motion = [MotionGRU(width, kernel_size=kernel_size, warp_kernel_size=warp_kernel_size)]
        top = layer == num_layers - 1
        return Cell(*entry, STConvLSTM(below, width, **options), MotionHighway(), *([] if top else motion))

    return net.build(cell)
