"""Causal LSTM: two LSTM stages one after the other, which makes the path between memories longer and deeper."""

import torch
from torch import Tensor

from ...core.block import Block
from ...core.slot import C, H, M, O, X
from ..layers import Norm, conv, side_by_side


class CausalLSTM(Block):
    r"""One step of a Causal LSTM, the cell of PredRNN++.

    Wang et al., ICML 2018, https://arxiv.org/abs/1804.06300, Sec. 4.1, Eq. 2, with a constant b in the forget gates:

    $$[g_t, i_t, f_t] = [\tanh, \sigma, \sigma](W_1 * [X_t, H_{t-1}, C_{t-1}] + [0, 0, b])$$
    $$C_t = f_t \circ C_{t-1} + i_t \circ g_t$$
    $$[g'_t, i'_t, f'_t] = [\tanh, \sigma, \sigma](W_2 * [X_t, C_t, M^{k-1}_t] + [0, 0, b])$$
    $$M_t = f'_t \circ \tanh(W_3 * M^{k-1}_t) + i'_t \circ g'_t$$
    $$o_t = \tanh(W_4 * [X_t, H_{t-1}, C_t, M_t]) \qquad H_t = o_t \circ \tanh(W_5 * [C_t, M_t])$$

    As released, $g'_t$ sees $X_t$ and $C_t$ alone, and $o_t$, which is a tanh, sees $H_{t-1}$ too.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `h`, `c` and `m`.
        kernel_size: Side of the kernels, odd; that of $W_5$ is 1.
        forget_bias: The constant b.
        norm: Channels to a norm, applied to each convolution's result but that of $W_5$.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h, c, m: `(B, channels, H, W)`; left out, they start from zeros.
        returns: `h, c, m, o` as above, `o` the output gate for stages that follow.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    reads = (X, H, C, M)
    writes = (H, C, M, O)
    owns = (H, C, M)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int = 5,
        forget_bias: float = 1.0,
        norm: Norm | None = None,
    ) -> None:
        super().__init__({X: in_channels, H: channels, C: channels, M: channels, O: channels})
        self.conv_x = conv(in_channels, 7 * channels, kernel_size, norm=norm)
        self.conv_h = conv(channels, 4 * channels, kernel_size, norm=norm)
        self.conv_c = conv(channels, 3 * channels, kernel_size, norm=norm)
        self.conv_m = conv(channels, 3 * channels, kernel_size, norm=norm)
        self.conv_c_new = conv(channels, 4 * channels, kernel_size, norm=norm)
        self.conv_m_new = conv(channels, channels, kernel_size, norm=norm)
        self.conv_last = conv(2 * channels, channels, 1)
        self.forget_bias = forget_bias

    def forward(
        self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None, m: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step: `h, c, m, o`."""
        x, h, c, m = self.take(x, h, c, m)
        width = h.shape[1]
        x_c, x_m, x_o = self.conv_x(x).split([3 * width, 3 * width, width], dim=1)
        h_c, h_o = self.conv_h(h).split([3 * width, width], dim=1)
        i, f, g = (x_c + h_c + self.conv_c(c)).chunk(3, dim=1)
        c = self._forget(f) * c + torch.sigmoid(i) * torch.tanh(g)

        (x_i, x_f, x_g), (m_i, m_f, m_new) = x_m.chunk(3, dim=1), self.conv_m(m).chunk(3, dim=1)
        c_i, c_g, c_f, c_o = self.conv_c_new(c).chunk(4, dim=1)
        m = self._forget(x_f + m_f + c_f) * torch.tanh(m_new) + torch.sigmoid(x_i + m_i + c_i) * torch.tanh(x_g + c_g)

        o = torch.tanh(x_o + h_o + c_o + self.conv_m_new(m))
        return o * torch.tanh(self.conv_last(side_by_side(c, m))), c, m, o

    def _forget(self, gate: Tensor) -> Tensor:
        return torch.sigmoid(gate + self.forget_bias)
