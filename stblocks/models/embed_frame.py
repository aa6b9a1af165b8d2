"""What VMRNN and SwinLSTM share: embedded patches, one cell on them (B) or cells in the shape of a U (D), a sigmoid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from torch import nn

from ..blocks import PatchEmbed, PatchExpanding, PatchInflate, PatchMerging
from ..borders.checks import check_each_positive, check_rate
from ..core import Cell, RecurrentForecaster, RecurrentStack
from .frame import Frame

#: Channels, level (0 is the finest) and a rate of stochastic depth for each block, to a cell.
MakeCell = Callable[[int, int, list[float]], Cell]


@dataclass(frozen=True, kw_only=True)
class EmbedFrame(Frame):
    """The frame of VMRNN and SwinLSTM: patches are embedded, and frames in [0, 1] made of them by a sigmoid.

    Args:
        in_channels: See `Frame`.
        image_size: See `Frame`; any size is taken.
        out_channels: See `Frame`.
        channels: Of the patches; in a D model every merging of them doubles that.
        patch_size: Side of a patch.
        drop_path: Chance that a block's branch is left out for a sample, in training: of every block in a B model; in a
            D model of the coarsest one on either way, from where it falls linearly to 0 at the finest.
        checkpointing: See `RecurrentForecaster`.
    """

    channels: int = 128
    patch_size: int = 4
    drop_path: float = 0.1
    checkpointing: bool = False

    def build(self, layers: Sequence[nn.Module], merges: int = 0) -> RecurrentForecaster:
        """The forecaster of these layers, which merge patches so many times and expand them as often."""
        model = RecurrentForecaster(
            PatchEmbed(self.in_channels, self.channels, patch_size=self.patch_size),
            RecurrentStack(layers),
            nn.Sequential(
                PatchInflate(self.channels, self.forecast_channels, patch_size=self.patch_size), nn.Sigmoid()
            ),
            size_multiple=self.patch_size * 2**merges,
            checkpointing=self.checkpointing,
            in_channels=self.in_channels,
            out_channels=self.forecast_channels,
        )
        model.output_range = (0.0, 1.0)
        return model

    def u_shape(
        self, cell: MakeCell, depths_down: Sequence[int], depths_up: Sequence[int], *, falling: bool = False
    ) -> RecurrentForecaster:
        """Cells, each followed by a merging of patches on the way down and by an expansion on the way up.

        Args:
            cell: See `MakeCell`.
            depths_down: Blocks of each cell, fine to coarse.
            depths_up: The same, coarse to fine.
            falling: Whether on the way up rates fall from block to block of a cell too, and not only from cell to cell.

        Raises:
            ValueError: If there are not as many cells on the way up as on the way down, or none.
        """
        check_each_positive("depths_down", depths_down)
        check_each_positive("depths_up", depths_up)
        merges = len(depths_down)
        if not merges or len(depths_up) != merges:
            raise ValueError(
                f"depths_down and depths_up must have the same number of entries, at least one, "
                f"got {depths_down!r} and {depths_up!r}."
            )
        layers: list[nn.Module] = []
        for level, rates in enumerate(_rates(self.drop_path, depths_down)):
            width = self.channels * 2**level
            layers += [cell(width, level, rates), PatchMerging(width)]
        for level, rates in reversed(list(enumerate(_rates(self.drop_path, depths_up[::-1])))):
            width = self.channels * 2 ** (level + 1)
            layers += [cell(width, level, rates[::-1] if falling else rates), PatchExpanding(width)]
        return self.build(layers, merges)


def _rates(drop_path: float, depths: Sequence[int]) -> list[list[float]]:
    """For each block of each cell, fine to coarse, a rate; they rise linearly to `drop_path`."""
    check_rate("drop_path", drop_path)
    step, index = drop_path / max(sum(depths) - 1, 1), count()
    return [[step * next(index) for _ in range(depth)] for depth in depths]
