"""The reversible predictive module of CrevNet: of two maps, one is remembered and changes the other."""

import torch
from torch import Tensor, nn

from ...core.block import Block
from ...core.slot import C, H, M, Q, X
from ..layers import Norm, blend, conv, side_by_side
from .st_convlstm import STConvLSTM


class ReversiblePair(Block):
    r"""One step of a reversible predictive module.

    Yu et al. (CrevNet), ICLR 2020, Sec. 3.2 (letters are ours). The input is a pair of maps side by side by channel,
    $X_t = [X^1_t, X^2_t]$. A recurrent cell, here an ST-ConvLSTM, sees the first, and what it remembers is let into the
    second by an attention G:

    $$Q_t, C_t, M_t = \mathrm{STConvLSTM}(X^1_t, Q_{t-1}, C_{t-1}, M^{k-1}_t) \tag{a}$$
    $$G = \sigma(W_2 * \mathrm{ReLU}(W_1 * Q_t)) \tag{b}$$
    $$\hat X^2_t = (1 - G) \circ X^2_t + G \circ Q_t \tag{c}$$
    $$H_t = [\hat X^2_t, X^1_t] \tag{d}$$

    so that the next layer's cell sees the map that has just changed. Nothing is lost: `undo` finds the input again.

    Args:
        channels: Of the pair, even.
        kernel_size: Side of the cell's kernels, odd.
        forget_bias: See `STConvLSTM`.
        norm: See `STConvLSTM`.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W`.
        q, c, m: `(B, channels / 2, H, W)`; left out, they start from zeros.
        returns: `h`, `(B, channels, H, W)`, and `q, c, m`.

    Raises:
        ValueError: If `channels` is odd, or `kernel_size` even.
    """

    reads = (X, Q, C, M)
    writes = (H, Q, C, M)
    owns = (H, Q, C, M)

    def __init__(
        self, channels: int, *, kernel_size: int = 5, forget_bias: float = 1.0, norm: Norm | None = None
    ) -> None:
        super().__init__({X: channels, H: channels} | dict.fromkeys((Q, C, M), max(channels // 2, 1)))
        if channels % 2:
            raise ValueError(f"channels must be even, for a pair of maps, got {channels}.")
        half = channels // 2
        self.lstm = STConvLSTM(half, half, kernel_size=kernel_size, forget_bias=forget_bias, norm=norm)
        self.attention = nn.Sequential(conv(half, half, 3, bias=True), nn.ReLU(), conv(half, half, 3, bias=True))

    def forward(
        self, x: Tensor, q: Tensor | None = None, c: Tensor | None = None, m: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step: `h, q, c, m`."""
        x, q, c, m = self.take(x, q, c, m)
        first, second = x.chunk(2, dim=1)
        q, c, m, _ = self.lstm(first, q, c, m)  # (a)
        second = blend(second, q, torch.sigmoid(self.attention(q)))  # (b, c)
        return side_by_side(second, first), q, c, m  # (d)

    def undo(self, h: Tensor, q: Tensor) -> Tensor:
        """The input of the step that returned these, to rounding."""
        second, first = h.chunk(2, dim=1)
        gate = torch.sigmoid(self.attention(q))
        return side_by_side(first, (second - gate * q) / (1 - gate))
