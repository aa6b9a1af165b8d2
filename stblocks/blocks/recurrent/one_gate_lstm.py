"""OneGateLSTM: an LSTM whose three gates are one and have no weights; VMRNN and SwinLSTM are such."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ...borders.checks import check_positive, check_rate
from ...core.block import Block
from ...core.slot import C, H, O, X


class OneGate(Block):
    r"""Base of LSTMs whose gates and candidate are one map, made of `x` and `h`.

    VMRNN paper, Sec. 3.2; with $Y_t$ what `features` makes of `x` and `h`,

    $$F_t = \sigma(Y_t) \tag{4}$$
    $$C_t = F_t \circ (C_{t-1} + \tanh(Y_t)) \tag{5}$$
    $$H_t = F_t \circ \tanh(C_t) \tag{6}$$

    In print Eq. 5 has $C_{t-1}$ outside the parentheses, where nothing could be forgotten; the ConvLSTM of Eqs. 1-3
    that it is derived from, and the released code, have it inside.

    Args:
        channels: Of `x`, `h` and `c`.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W`.
        h, c: The same; left out, they start from zeros.
        returns: `h, c, o` as above, `o` the gate $F_t$ for stages that follow.

    Raises:
        ValueError: If `channels` is not a positive integer; when called, if a map is of another shape.
    """

    reads = (X, H, C)
    writes = (H, C, O)
    owns = (H, C)

    def __init__(self, channels: int) -> None:
        super().__init__(dict.fromkeys((X, H, C, O), channels))

    def forward(self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """One step: `h, c, o`."""
        x, h, c = self.take(x, h, c)
        y = self.features(x.movedim(1, -1), h.movedim(1, -1)).movedim(-1, 1)
        gate = torch.sigmoid(y)  # (4)
        c = gate * (c + torch.tanh(y))  # (5)
        return gate * torch.tanh(c), c, gate  # (6)

    @abstractmethod
    def features(self, x: Tensor, h: Tensor) -> Tensor:
        """$Y_t$, all `(B, H, W, channels)`; see the subclass."""
        raise NotImplementedError


class OneGateLSTM(OneGate):
    r"""One step of an LSTM whose heart is any chain of map blocks.

    VMRNN paper, Sec. 3.2, with LP a linear projection of two maps to one and $B_1, \dots, B_n$ the blocks:

    $$Y_t = B_n(\dots B_1(\mathrm{LP}(X_t; H_{t-1}))) \qquad F_t = \sigma(Y_t) \tag{4}$$
    $$C_t = F_t \circ (C_{t-1} + \tanh(Y_t)) \qquad H_t = F_t \circ \tanh(C_t) \tag{5, 6}$$

    `VMRNN` and `SwinLSTM` are such LSTMs whose blocks also tell LP how to norm its maps.

    Args:
        channels: Of `x`, `h` and `c`.
        *blocks: The heart, one function `block(channels)` for each block, to any module from maps
            `(B, channels, H, W)` to the same.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W` that the blocks take.
        h, c: The same; left out, they start from zeros.
        returns: `h, c, o` as above, `o` the gate $F_t$ for stages that follow.

    Raises:
        ValueError: If there is no block; when called, if a block does not keep the shape of its map.

    Example:
        >>> gsta_lstm = OneGateLSTM(64, GSTA, partial(GSTA, drop_path=0.1))
    """

    def __init__(self, channels: int, *blocks: Callable[[int], nn.Module]) -> None:
        super().__init__(channels)
        if not blocks:
            raise ValueError("blocks must be one function or more that make a map block, as in OneGateLSTM(64, GSTA).")
        self.projection = LinearProjection(channels)
        self.blocks = nn.ModuleList(block(channels) for block in blocks)

    def features(self, x: Tensor, h: Tensor) -> Tensor:
        """The blocks' map of LP(x; h), all `(B, H, W, channels)`."""
        maps = self.projection(x, h).movedim(-1, 1)
        for block in self.blocks:
            mixed = block(maps)
            if mixed.shape != maps.shape:
                raise ValueError(
                    f"A block of an LSTM must keep the shape of its map, {tuple(maps.shape)}; "
                    f"{type(block).__name__} made {tuple(mixed.shape)} of it."
                )
            maps = mixed
        return maps.movedim(1, -1)


class LinearProjection(nn.Linear):
    r"""LP of Eq. 4: two maps made one, $W [x, h] + b$.

    Args:
        channels: Of each map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(2 * channels, channels)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # type: ignore[override]
        """All `(B, H, W, channels)`."""
        return super().forward(torch.cat([x, h], dim=-1))


def each_block(drop_path: float | Sequence[float], depth: int) -> list[float]:
    """A rate of stochastic depth for each of `depth` blocks, from one for all or a sequence.

    Raises:
        ValueError: If `depth` is not positive, or there are not as many rates, or one is not in [0, 1).
    """
    check_positive(depth=depth)
    rates = drop_path if isinstance(drop_path, Sequence) else [drop_path] * depth
    if len(rates) != depth:
        raise ValueError(f"drop_path must be one rate or one for each of the {depth} blocks, got {drop_path!r}.")
    for rate in rates:
        check_rate("drop_path", rate)
    return list(rates)
