"""SwinLSTM: an LSTM that looks at the map with attention inside windows."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from ..maps.swin import SwinBlock
from .one_gate_lstm import LinearProjection, OneGate, each_block


class SwinLSTM(OneGate):
    r"""One step of a SwinLSTM cell.

    Tang et al., ICCV 2023, https://arxiv.org/abs/2308.09891, with LP a linear projection of two maps after the layer
    norm of a block and STB Swin Transformer blocks, every second one with shifted windows:

    $$Y_t = \mathrm{STB}(\mathrm{LP}(X_t; H_{t-1})) \qquad F_t = \sigma(Y_t)$$
    $$C_t = F_t \circ (C_{t-1} + \tanh(Y_t)) \qquad H_t = F_t \circ \tanh(C_t)$$

    Blocks 0, 2, 4, ... project what they work on together with another map: with $H_{t-1}$ the first, with $X_t$ again
    the others. As in `VMRNN`, a block adds its branch to the one map it was given.

    Args:
        channels: Of `x`, `h` and `c`, a multiple of `num_heads`.
        depth: Number of Swin blocks.
        num_heads: See `SwinBlock`.
        window_size: See `SwinBlock`; a window larger than the map is the map.
        mlp_ratio: See `SwinBlock`.
        drop_path: Chance that a block's branches are left out for a sample, in training: of all blocks, or one of each.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W`.
        h, c: The same; left out, they start from zeros.
        returns: `h, c, o` as above, `o` the gate $F_t$ for stages that follow.

    Raises:
        ValueError: If `num_heads` does not divide `channels`, `depth` or `window_size` is not a positive integer,
            `mlp_ratio` leaves no hidden channel, or `drop_path` is not a rate in [0, 1) or one for each block; when
            called, if a map is of another shape.
    """

    def __init__(
        self,
        channels: int,
        *,
        depth: int = 2,
        num_heads: int = 4,
        window_size: int = 4,
        mlp_ratio: float = 4.0,
        drop_path: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__(channels)
        self.blocks = nn.ModuleList(
            SwinBlock(
                channels,
                num_heads=num_heads,
                window_size=window_size,
                shift=index % 2 == 1,
                mlp_ratio=mlp_ratio,
                drop_path=rate,
            )
            for index, rate in enumerate(each_block(drop_path, depth))
        )
        self.projections = nn.ModuleList(LinearProjection(channels) for _ in range(0, depth, 2))

    def features(self, x: Tensor, h: Tensor) -> Tensor:
        """STB(LP(x; h)), all `(B, H, W, channels)`."""
        y = x
        for index, block in enumerate(cast("list[SwinBlock]", self.blocks)):
            if index % 2 == 0:
                other = x if index else h
                normed = self.projections[index // 2](block.norm1(y), block.norm1(other))
            else:
                normed = block.norm1(y)
            y = block.mix(y, normed)
        return y
