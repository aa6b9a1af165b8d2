"""VMRNN: an LSTM that looks at the map with selective scans."""

from collections.abc import Sequence
from functools import partial
from typing import cast

from torch import Tensor

from ..maps.ss2d import DIRECTIONS, SS2D
from ..maps.vss import VSS
from .one_gate_lstm import OneGateLSTM, each_block


class VMRNN(OneGateLSTM):
    r"""One step of a VMRNN cell.

    VMRNN paper, Sec. 3.2, with LP a linear projection of both maps after the layer norm of the first block, VSB the VSS
    blocks, of which the first adds its branch to $X_t$ alone:

    $$Y_t = \mathrm{VSB}(\mathrm{LP}(X_t; H_{t-1})) \qquad F_t = \sigma(Y_t) \tag{4}$$
    $$C_t = F_t \circ (C_{t-1} + \tanh(Y_t)) \qquad H_t = F_t \circ \tanh(C_t) \tag{5, 6}$$

    Args:
        channels: Of `x`, `h` and `c`.
        depth: Number of VSS blocks.
        state_dim: See `SS2D`.
        expand: See `SS2D`.
        kernel_size: See `SS2D`.
        convolution: See `SS2D`.
        dt_rank: See `SS2D`.
        directions: See `SS2D`.
        drop_path: Chance that a block's branch is left out for a sample, in training: of all blocks, or one of each.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W`.
        h, c: The same; left out, they start from zeros.
        returns: `h, c, o` as above, `o` the gate $F_t$ for stages that follow.

    Raises:
        ValueError: If a number is not positive, `dt_rank` is another word than "auto", a direction is unknown or there
            twice, or `drop_path` is not a rate in [0, 1) or one for each block; when called, if a map is of another
            shape.
    """

    def __init__(
        self,
        channels: int,
        *,
        depth: int = 2,
        state_dim: int = 16,
        expand: float = 2,
        kernel_size: int = 3,
        convolution: str = "depthwise",
        dt_rank: int | str = "auto",
        directions: Sequence[str] = DIRECTIONS,
        drop_path: float | Sequence[float] = 0.0,
    ) -> None:
        mixer = partial(
            SS2D,
            state_dim=state_dim,
            expand=expand,
            kernel_size=kernel_size,
            convolution=convolution,
            dt_rank=dt_rank,
            directions=directions,
        )
        rates = each_block(drop_path, depth)
        super().__init__(channels, *(partial(VSS, mixer=mixer, drop_path=rate, eps=1e-5) for rate in rates))

    def features(self, x: Tensor, h: Tensor) -> Tensor:
        """VSB(LP(x; h)), all `(B, H, W, channels)`."""
        first, *others = cast("list[VSS]", self.blocks)
        x = first.mix(x, self.projection(first.norm(x), first.norm(h)))
        for block in others:
            x = block.mix(x, block.norm(x))
        return x
