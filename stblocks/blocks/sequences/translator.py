"""SequenceTranslator: blocks over whole sequences, which keep time an axis of its own."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...borders.checks import check_positive
from ...ops.recompute import recomputed
from ..layers import Pointwise


class SequenceTranslator(nn.Module):
    """A stack of blocks from sequences of maps to the same, between 1x1 convolutions where the width changes.

    Ours, as `Translator` is a stack of blocks over maps.

    The blocks keep the number of frames. Where more or fewer are to come out than go in, the last step makes each a
    weighted sum of the frames that there are.

    Args:
        in_channels: Of a frame's features, before and after.
        channels: Width of the blocks.
        in_frames: Past frames.
        out_frames: Future frames.
        num_layers: Number of blocks.
        block: The block of a layer, `block(layer, channels)`: any module from `(B, T, channels, H, W)` to the same.
        checkpointing: Recompute each block in backward instead of keeping its activations.

    Shapes:
        maps: `(B, in_frames, in_channels, H, W)`.
        returns: `(B, out_frames, in_channels, H, W)`.

    Raises:
        ValueError: If a number is not positive; when called, if a block does not keep the shape of its sequence.
    """

    sequences = True

    def __init__(
        self,
        in_channels: int,
        channels: int,
        in_frames: int,
        out_frames: int,
        *,
        num_layers: int,
        block: Callable[[int, int], nn.Module],
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels, in_frames=in_frames, out_frames=out_frames)
        check_positive(num_layers=num_layers)
        same = in_channels == channels
        self.enter: nn.Module = nn.Identity() if same else Pointwise(in_channels, channels)
        self.blocks = nn.ModuleList(block(layer, channels) for layer in range(num_layers))
        self.leave: nn.Module = nn.Identity() if same else Pointwise(channels, in_channels)
        self.frames: nn.Module = nn.Identity() if in_frames == out_frames else nn.Linear(in_frames, out_frames)
        self.checkpointing = checkpointing

    def forward(self, maps: Tensor) -> Tensor:
        """Features of the future frames."""
        maps = self._each(self.enter, maps)
        for block in self.blocks:
            again = self.checkpointing and torch.is_grad_enabled()
            mixed = recomputed(block, maps, module=block) if again else block(maps)
            if mixed.shape != maps.shape:
                raise ValueError(
                    f"A translator's block must keep the shape of its sequence, {tuple(maps.shape)}; "
                    f"{type(block).__name__} made {tuple(mixed.shape)} of it."
                )
            maps = mixed
        maps = self._each(self.leave, maps)
        return self.frames(maps.movedim(1, -1)).movedim(-1, 1)

    @staticmethod
    def _each(layer: nn.Module, maps: Tensor) -> Tensor:
        """A layer of maps, on those of every frame."""
        return layer(maps.flatten(0, 1)).unflatten(0, (-1, maps.shape[1]))
