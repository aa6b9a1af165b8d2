"""SwinLSTM: one cell on embedded patches (B), or cells in the shape of a U (D)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..blocks import SwinLSTM
from ..borders.checks import check_each_positive
from ..core import Cell, RecurrentForecaster, register_model
from .base import Base, register_base
from .embed_frame import EmbedFrame
from .patch_frame import PatchFrame


@dataclass(frozen=True, kw_only=True)
class WindowFrame(EmbedFrame):
    """The frame of SwinLSTM, with the options of its windows.

    Args:
        in_channels: See `EmbedFrame`.
        image_size: See `EmbedFrame`.
        out_channels: See `EmbedFrame`.
        channels: See `EmbedFrame`.
        patch_size: See `EmbedFrame`.
        drop_path: See `EmbedFrame`.
        checkpointing: See `EmbedFrame`.
        window_size: See `SwinLSTM`.
        mlp_ratio: See `SwinLSTM`.
    """

    window_size: int = 4
    mlp_ratio: float = 4.0

    def cell(self, channels: int, depth: int, drop_path: float | Sequence[float], num_heads: int) -> Cell:
        """A cell of Swin blocks."""
        return Cell(
            SwinLSTM(
                channels,
                depth=depth,
                num_heads=num_heads,
                drop_path=drop_path,
                window_size=self.window_size,
                mlp_ratio=self.mlp_ratio,
            )
        )


@register_model(
    frame=WindowFrame,
    paper="Tang et al., SwinLSTM, ICCV 2023",
    dataset="TaxiBJ",
    parameters=2_742_066,
    flops=1_315_184_640,
    window_size=8,
)
def swinlstm_b(frame: WindowFrame, *, depth: int = 12, num_heads: int = 4) -> RecurrentForecaster:
    """SwinLSTM-B: one cell on patches, for frames in [0, 1], as the last layer is a sigmoid.

    Defaults are those of the VMRNN paper for TaxiBJ, with `in_channels=2, image_size=(32, 32)`. The published 2.94 M
    parameters count 0.20 M that never take part: not created here.

    Args:
        frame: See `WindowFrame`.
        depth: See `SwinLSTM`.
        num_heads: See `SwinLSTM`.
    """
    return frame.build([frame.cell(frame.channels, depth, frame.drop_path, num_heads)])


@register_model(
    frame=WindowFrame,
    paper="Tang et al., SwinLSTM, ICCV 2023",
    dataset="Moving MNIST",
    parameters=18_845_409,
    flops=69_877_858_304,
    patch_size=2,
)
def swinlstm_d(
    frame: WindowFrame,
    *,
    depths_down: Sequence[int] = (2, 6),
    depths_up: Sequence[int] = (2, 6),
    num_heads: Sequence[int] = (4, 8),
) -> RecurrentForecaster:
    """SwinLSTM-D: a U of SwinLSTM cells, for frames in [0, 1].

    Depths are those of the released code, which reads its upward ones backwards. The published 20.19 M parameters count
    1.35 M that never take part: not created here.

    Args:
        frame: See `WindowFrame`.
        depths_down: Blocks of each cell on the way to coarse maps.
        depths_up: The same for the way back, from coarse to fine.
        num_heads: Heads in each cell on the way to coarse maps; on the way back the same in reverse.
    """
    check_each_positive("num_heads", num_heads)
    check_each_positive("depths_down", depths_down)
    if len(num_heads) != len(depths_down):
        raise ValueError(f"num_heads must have {len(depths_down)} entries, as depths_down has, got {num_heads!r}.")
    return frame.u_shape(
        lambda width, level, rates: frame.cell(width, len(rates), rates, num_heads[level]),
        depths_down,
        depths_up,
        falling=True,
    )


@register_base
def swinlstm(frame: PatchFrame) -> Base:
    """Layers of SwinLSTM cells, each of two blocks, for `hybrid`."""
    return Base(lambda place: [SwinLSTM(place.channels)], embed=True)
