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
    UpperMIMN,
)
from ..borders.checks import choose
from ..core import Block, Cell, register_model
from .base import Base, Place, register_base
from .patch_frame import PatchFrame


@register_model(
    frame=PatchFrame,
    paper="Wang et al., NeurIPS 2017",
    dataset="CIKM2017",
    parameters=23_838_720,
    flops=85_437_972_480,
)
@register_base
def predrnn(frame: PatchFrame, *, forget_bias: float = 1.0) -> Base:
    """PredRNN: ST-ConvLSTMs whose memory zigzags through the layers."""
    return Base(lambda place: [STConvLSTM(place.in_channels, place.channels, forget_bias=forget_bias, **place.options)])


@register_model(
    frame=PatchFrame,
    paper="Wang et al., TPAMI 2022",
    dataset="Moving MNIST",
    parameters=23_855_104,
    flops=116_589_068_288,
)
@register_base
def predrnnv2(frame: PatchFrame, *, forget_bias: float = 1.0) -> Base:
    """PredRNNv2: PredRNN with the decoupling loss as `rollout(...).aux["decoupling"]`. All layers share its adapter."""
    options: dict[str, Any] = {
        "adapter": nn.Conv2d(frame.widths[0], frame.widths[0], 1, bias=False),
        "forget_bias": forget_bias,
    }
    return Base(lambda place: [DecoupledSTConvLSTM(place.in_channels, place.channels, **options, **place.options)])


@register_model(
    frame=PatchFrame,
    paper="Wang et al., ICML 2018",
    dataset="CIKM2017",
    parameters=35_307_520,
    flops=126_542_151_680,
)
@register_base
def predrnnpp(frame: PatchFrame, *, forget_bias: float = 1.0) -> Base:
    """PredRNN++: Causal LSTMs, and a gradient highway above the bottom one.

    The published 38.58 M parameters count 3.28 M that never take part: not created here.
    """
    bottom = frame.widths[0]
    highway = Cell(GradientHighway(bottom, bottom, kernel_size=frame.kernel_size, norm=frame.make_norm()))
    return Base(
        lambda place: [CausalLSTM(place.in_channels, place.channels, forget_bias=forget_bias, **place.options)],
        above_bottom=[highway],
    )


@register_model(
    frame=PatchFrame,
    paper="Wang et al., CVPR 2019",
    dataset="CIKM2017",
    parameters=37_945_344,
    flops=131_365_601_280,
    peephole="map",
)
@register_base
def mim(frame: PatchFrame, *, forget_bias: float = 1.0, peephole: str = "channel") -> Base:
    """Memory in memory on PredRNN: MIM-N and MIM in every layer but the bottom one.

    `peephole="map"`, as published, has a weight at each position and binds the model to `image_size`; `"channel"` has
    one per channel, for any size. The published 38.04 M parameters count 0.10 M that never take part: not created here.
    """
    bound = choose("peephole", peephole, ("map", "channel")) == "map"
    peephole_size = frame.feature_size if bound else None

    def cell(place: Place) -> Sequence[Block]:
        widths, options = (place.in_channels, place.channels), {"forget_bias": forget_bias, **place.options}
        if place.layer == 0:
            return [STConvLSTM(*widths, **options)]
        options["peephole_size"] = peephole_size
        changes = MIMN(*widths, **options) if place.layer == 1 else UpperMIMN(place.channels, **options)
        return [changes, MIM(*widths, **options)]

    return Base(cell, bound=bound)


@register_model(
    frame=PatchFrame,
    paper="Wu et al., CVPR 2021",
    dataset="CIKM2017",
    parameters=26_911_553,
    flops=94_801_821_184,
)
@register_base
def motionrnn(frame: PatchFrame, *, warp_kernel_size: int = 3, forget_bias: float = 1.0) -> Base:
    """MotionRNN on PredRNN: a MotionGRU after every layer but the last, and the motion highway."""

    def cell(place: Place) -> Sequence[Block]:
        below, width = place.in_channels, place.channels
        blocks: list[Block] = [HighwayEntry(below, width)] if place.layer == 0 else []
        blocks += [STConvLSTM(below, width, forget_bias=forget_bias, **place.options), MotionHighway()]
        if not place.top:
            blocks.append(MotionGRU(width, kernel_size=place.kernel_size, warp_kernel_size=warp_kernel_size))
        return blocks

    return Base(cell)
