"""E3D-LSTM: layers that see windows of frames and recall their own past."""

from typing import Any

from ..blocks import E3DLSTM
from ..blocks.layers import MapNorm
from ..borders.checks import choose
from ..core import Block, register_model
from .base import Base, Place, register_base
from .patch_frame import PatchFrame


@register_model(
    frame=PatchFrame,
    paper="Wang et al., E3D-LSTM, ICLR 2019",
    dataset="Moving MNIST",
    parameters=51_347_456,
    channels=256,
    memory_norm="layer",
)
@register_base
def e3d_lstm(
    frame: PatchFrame,
    *,
    window: int = 2,
    recall: int = 20,
    time_padding: str = "zeros",
    tokens: str = "positions",
    memory: str = "carried",
    output_gate: str = "sigmoid",
    memory_norm: str = "group",
    forget_bias: float = 1.0,
) -> Base:
    """E3D-LSTM (paper, Fig. 1b): a stack of `E3DLSTM`, whose second memory zigzags through the layers.

    `channels` are those of all frames of a window: twice the published 128. `memory_norm="layer"`, as published, has a
    weight at each position and binds the model to `image_size`; `"group"` has one per channel, for any size.

    Args:
        frame: See `PatchFrame`.
        window: See `E3DLSTM`.
        recall: See `E3DLSTM`. Its cost grows with it, however few steps there have been; 20 is all that 10 frames to
            10 have.
        time_padding: See `E3DLSTM`.
        tokens: See `E3DLSTM`.
        memory: See `E3DLSTM`.
        output_gate: See `E3DLSTM`.
        memory_norm: `"layer"` or `"group"`.
        forget_bias: See `E3DLSTM`.
    """
    bound = choose("memory_norm", memory_norm, ("layer", "group")) == "layer"
    options: dict[str, Any] = {
        "window": window, "recall": recall, "time_padding": time_padding, "tokens": tokens, "memory": memory,
        "output_gate": output_gate, "forget_bias": forget_bias,
        "memory_norm": (lambda channels: MapNorm(channels, *frame.feature_size)) if bound else None,
    }  # fmt: skip

    def cell(place: Place) -> list[Block]:
        return [E3DLSTM(place.in_channels, place.channels, first=place.layer == 0, **options, **place.options)]

    return Base(cell, bound=bound)
