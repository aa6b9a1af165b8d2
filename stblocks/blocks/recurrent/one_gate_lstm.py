"""OneGateLSTM: the cell that VMRNN and SwinLSTM share, an LSTM whose three gates are one and have no weights."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...borders.checks import check_positive, check_rate
from ...core.block import Block
from ...core.slot import C, H, O, X


class OneGateLSTM(Block):
    r"""Base of LSTMs whose gates and candidate are one map, made of `x` and `h` by a chain of blocks.

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
        ValueError: If a shape is not as said here.
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


class LinearProjection(nn.Linear):
    r"""LP of Eq. 4: two maps, normed alike, made one: $W [\mathrm{LN}(x), \mathrm{LN}(h)] + b$.

    Args:
        channels: Of each map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(2 * channels, channels)

    def forward(self, x: Tensor, h: Tensor, norm: nn.Module) -> Tensor:  # type: ignore[override]
        """All `(B, H, W, channels)`."""
        return super().forward(torch.cat([norm(x), norm(h)], dim=-1))


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
