"""VMRNN: one cell on embedded patches (B), or cells in the shape of a U (D)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from ..blocks import VMRNN
from ..blocks.maps.ss2d import DIRECTIONS
from ..blocks.recurrent.one_gate_lstm import OneGateLSTM
from ..core import Cell, RecurrentForecaster, register_model
from .base import Base, register_base
from .embed_frame import EmbedFrame
from .patch_frame import PatchFrame


@dataclass(frozen=True, kw_only=True)
class ScanFrame(EmbedFrame):
    """The frame of VMRNN, with the options of its scans.

    Args:
        in_channels: See `EmbedFrame`.
        image_size: See `EmbedFrame`.
        out_channels: See `EmbedFrame`.
        channels: See `EmbedFrame`.
        patch_size: See `EmbedFrame`.
        drop_path: See `EmbedFrame`.
        checkpointing: See `EmbedFrame`.
        state_dim: See `VMRNN`.
        expand: See `VMRNN`.
        kernel_size: See `VMRNN`.
        convolution: See `VMRNN`.
        dt_rank: See `VMRNN`.
        directions: See `VMRNN`.
    """

    state_dim: int = 16
    expand: float = 2
    kernel_size: int = 3
    convolution: str = "depthwise"
    dt_rank: int | str = "auto"
    directions: Sequence[str] = DIRECTIONS

    def cell(self, channels: int, depth: int, drop_path: float | Sequence[float]) -> Cell:
        """A cell of VSS blocks."""
        return Cell(
            VMRNN(
                channels,
                depth=depth,
                drop_path=drop_path,
                state_dim=self.state_dim,
                expand=self.expand,
                kernel_size=self.kernel_size,
                convolution=self.convolution,
                dt_rank=self.dt_rank,
                directions=self.directions,
            )
        )


@register_model(
    frame=ScanFrame, paper="Tang et al., VMRNN, 2024", dataset="TaxiBJ", parameters=2_218_114, flops=903_878_976
)
def vmrnn_b(frame: ScanFrame, *, depth: int = 12) -> RecurrentForecaster:
    """VMRNN-B (paper, Fig. 3a, Table 1): one cell on patches, for frames in [0, 1], as the last layer is a sigmoid.

    Defaults are for TaxiBJ, with `in_channels=2, image_size=(32, 32)`; for KTH it is `depth=6, patch_size=2`. The
    published 2.58 M parameters count 0.36 M that never take part: not created here.

    Args:
        frame: See `ScanFrame`.
        depth: See `VMRNN`.
    """
    return frame.build([frame.cell(frame.channels, depth, frame.drop_path)])


@register_model(frame=ScanFrame, paper="Tang et al., VMRNN, 2024", dataset="Moving MNIST", patch_size=2)
def vmrnn_d(
    frame: ScanFrame, *, depths_down: Sequence[int] = (2, 6), depths_up: Sequence[int] = (6, 2)
) -> RecurrentForecaster:
    """VMRNN-D (paper, Fig. 3b, Table 1): a U of VMRNN cells, (2, 6, 6, 2) blocks deep, for frames in [0, 1].

    The released code reads its upward depths backwards: `depths_up=(2, 6)` is its network, of 15.27 M parameters less
    1.87 M that never take part: not created here.

    Args:
        frame: See `ScanFrame`.
        depths_down: Blocks of each cell on the way to coarse maps.
        depths_up: The same for the way back, from coarse to fine.
    """
    return frame.u_shape(lambda width, level, rates: frame.cell(width, len(rates), rates), depths_down, depths_up)


@register_base
def vmrnn(frame: PatchFrame) -> Base:
    """Layers of VMRNN cells, each of two blocks, for `hybrid`."""
    return Base(lambda place: [VMRNN(place.channels)], embed=True)


@register_base
def projection_lstm(frame: PatchFrame) -> Base:
    """VMRNN's layers without their VSS blocks, for `hybrid`: the linear projection alone makes the gate."""
    return Base(lambda place: [OneGateLSTM(place.channels, lambda channels: nn.Identity())], embed=True)
