"""Memory in memory: the forget gate of an LSTM becomes two recurrent modules, for what changes and for what stays."""

import torch
from torch import Tensor, nn

from ...borders.checks import check_image_size
from ...core.block import Block
from ...core.slot import DIFF, PREVIOUS, STARTED, C, H, K, M, N, O, S, X
from ..layers import Norm, conv, side_by_side


class PeepholeLSTM(nn.Module):
    r"""A ConvLSTM step whose gates see the memory too, each number of it by a weight of its own (letters are ours).

    $$[i, g, f, o] = W_e * E + W_n * N_{t-1} \tag{a}$$
    $$K_t = \sigma(f + w_f \circ K_{t-1} + b) \circ K_{t-1} + \sigma(i + w_i \circ K_{t-1}) \circ \tanh(g) \tag{b}$$
    $$N_t = \sigma(o + w_o \circ K_t) \circ \tanh(K_t) \tag{c}$$

    Args:
        in_channels: Channels of `e`.
        channels: Channels of `n` and `k`.
        kernel_size: Side of the kernels, odd.
        peephole_size: `(H, W)` of the maps for a weight at each position; `None` for one weight per channel.
        forget_bias: The constant b.
        norm: Channels to a norm, applied to each convolution's result.

    Raises:
        ValueError: If `kernel_size` is even, or `peephole_size` is no height and width.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        peephole_size: tuple[int, int] | None,
        forget_bias: float,
        norm: Norm | None,
    ) -> None:
        super().__init__()
        self.conv_e = conv(in_channels, 4 * channels, kernel_size, norm=norm)
        self.conv_n = conv(channels, 4 * channels, kernel_size, norm=norm)
        if peephole_size is not None:
            check_image_size(peephole_size, "peephole_size")
        self.peephole_size = None if peephole_size is None else tuple(peephole_size)
        size = self.peephole_size or (1, 1)
        self.peephole = nn.Parameter(torch.zeros(2 * channels, *size))  # of input and forget gate
        self.peephole_o = nn.Parameter(torch.zeros(channels, *size))
        self.forget_bias = forget_bias

    def forward(self, e: Tensor, n: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """`n, k`.

        Raises:
            ValueError: If maps are not of the size of the peepholes.
        """
        if self.peephole_size not in (None, tuple(k.shape[-2:])):
            raise ValueError(
                f"maps must be of peephole_size={self.peephole_size}, which the weights are bound to, got "
                f"{tuple(k.shape[-2:])}; take peephole_size=None (a model's peephole='channel') for any size."
            )
        i, g, f, o = (self.conv_e(e) + self.conv_n(n)).chunk(4, dim=1)  # (a)
        to_i, to_f = self.peephole.chunk(2)
        k = torch.sigmoid(f + to_f * k + self.forget_bias) * k + torch.sigmoid(i + to_i * k) * torch.tanh(g)  # (b)
        return torch.sigmoid(o + self.peephole_o * k) * torch.tanh(k), k  # (c)


class MIMN(Block):
    r"""The lowest non-stationary module of MIM: a `PeepholeLSTM` over the changes of its input.

    Wang et al. (Memory In Memory), CVPR 2019, https://arxiv.org/abs/1811.07490, Sec. 3.2 (the letter is ours):

    $$N_t, K_t = \mathrm{LSTM}(X_t - X_{t-1}, N_{t-1}, K_{t-1}) \tag{a}$$

    At the first step of a sequence there is no change: $N_t$ and $K_t$ stay zero.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `n` and `k`.
        kernel_size: See `PeepholeLSTM`.
        peephole_size: See `PeepholeLSTM`.
        forget_bias: See `PeepholeLSTM`.
        norm: See `PeepholeLSTM`.

    Shapes:
        x, previous: `(B, in_channels, H, W)`, `previous` that of the step before.
        n, k: `(B, channels, H, W)`.
        started: `(B, 1, H, W)`, 1 where there was a step before.
        returns: `diff, n, k, started, previous`, `diff` equal to `n`. All but `x` may be left out: no step before.

    Raises:
        ValueError: If `kernel_size` is even or `peephole_size` no height and width, or when called, if maps are not of
            `peephole_size`.
    """

    reads = (X, PREVIOUS, N, K, STARTED)
    writes = (DIFF, N, K, STARTED, PREVIOUS)
    owns = (N, K, STARTED, PREVIOUS)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int = 5,
        peephole_size: tuple[int, int] | None = None,
        forget_bias: float = 1.0,
        norm: Norm | None = None,
    ) -> None:
        inputs = dict.fromkeys((X, PREVIOUS), in_channels)
        super().__init__(inputs | dict.fromkeys((DIFF, N, K), channels) | {STARTED: 1})
        self.lstm = PeepholeLSTM(in_channels, channels, kernel_size, peephole_size, forget_bias, norm)

    def forward(
        self,
        x: Tensor,
        previous: Tensor | None = None,
        n: Tensor | None = None,
        k: Tensor | None = None,
        started: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One step: `diff, n, k, started, previous`."""
        x, previous, n, k, started = self.take(x, previous, n, k, started)
        n, k = (started * new for new in self.lstm(x - previous, n, k))  # (a)
        return n, n, k, torch.ones_like(started), x


class UpperMIMN(Block):
    r"""A non-stationary module of MIM above the lowest: a `PeepholeLSTM` over what the one below it found.

    Wang et al. (Memory In Memory), CVPR 2019, https://arxiv.org/abs/1811.07490, Sec. 3.2, with $N^{l-1}_t$ of the layer
    below in place of the change (the letter is ours):

    $$N_t, K_t = \mathrm{LSTM}(N^{l-1}_t, N_{t-1}, K_{t-1}) \tag{a}$$

    At the first step of a sequence $N_t$ and $K_t$ stay zero.

    Args:
        channels: Channels of `diff`, `n` and `k`.
        kernel_size: See `PeepholeLSTM`.
        peephole_size: See `PeepholeLSTM`.
        forget_bias: See `PeepholeLSTM`.
        norm: See `PeepholeLSTM`.

    Shapes:
        diff: `(B, channels, H, W)`, $N^{l-1}_t$.
        n, k: `(B, channels, H, W)`.
        started: `(B, 1, H, W)`, 1 where there was a step before.
        returns: `diff, n, k, started`, `diff` equal to `n`. All but `diff` may be left out: no step before.

    Raises:
        ValueError: If `kernel_size` is even or `peephole_size` no height and width, or when called, if maps are not of
            `peephole_size`.
    """

    reads = (DIFF, N, K, STARTED)
    writes = (DIFF, N, K, STARTED)
    owns = (N, K, STARTED)

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 5,
        peephole_size: tuple[int, int] | None = None,
        forget_bias: float = 1.0,
        norm: Norm | None = None,
    ) -> None:
        super().__init__(dict.fromkeys((DIFF, N, K), channels) | {STARTED: 1})
        self.lstm = PeepholeLSTM(channels, channels, kernel_size, peephole_size, forget_bias, norm)

    def forward(
        self, diff: Tensor, n: Tensor | None = None, k: Tensor | None = None, started: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step: `diff, n, k, started`."""
        diff, n, k, started = self.take(diff, n, k, started)
        n, k = (started * new for new in self.lstm(diff, n, k))  # (a)
        return n, n, k, torch.ones_like(started)


class MIM(Block):
    r"""The cell of MIM: a spatiotemporal LSTM whose forget gate in time is the stationary module MIM-S.

    Wang et al. (Memory In Memory), CVPR 2019, https://arxiv.org/abs/1811.07490, Sec. 3.2 and 3.3, as released: both
    memories take their gates from one convolution of $X_t$ (letters are ours).
    MIM-S is a `PeepholeLSTM` whose input is $N_t$ of `MIMN` or `UpperMIMN`, whose hidden state is $C_{t-1}$, and whose
    memory is $S_{t-1}$:

    $$T_t, S_t = \mathrm{MIM\text{-}S}(N_t, C_{t-1}, S_{t-1}) \tag{a}$$
    $$C_t = T_t + \sigma(X_i + W_{hi} * H_{t-1}) \circ \tanh(X_g + W_{hg} * H_{t-1}) \tag{b}$$
    $$M_t = \sigma(X_f + W_{mf} * M^{l-1}_t + b) \circ M^{l-1}_t +
    \sigma(X_i + W_{mi} * M^{l-1}_t) \circ \tanh(X_g + W_{mg} * M^{l-1}_t) \tag{c}$$
    $$o_t = \sigma(X_o + W_{ho} * H_{t-1} + W_{mo} * M^{l-1}_t) \tag{d}$$
    $$H_t = o_t \circ \tanh(W_{1 \times 1} * [C_t, M_t]) \tag{e}$$

    with $[X_i, X_g, X_f, X_o] = W_x * X_t$.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of all others.
        kernel_size: See `PeepholeLSTM`.
        peephole_size: See `PeepholeLSTM`.
        forget_bias: See `PeepholeLSTM`.
        norm: See `PeepholeLSTM`.

    Shapes:
        x: `(B, in_channels, H, W)`.
        n: `(B, channels, H, W)`, from a `MIMN` or `UpperMIMN` before it.
        h, c, m, s: `(B, channels, H, W)`; left out, they start from zeros.
        returns: `h, c, m, s, o`, `o` the output gate for stages that follow.

    Raises:
        ValueError: If `kernel_size` is even or `peephole_size` no height and width, or when called, if maps are not of
            `peephole_size`.
    """

    reads = (X, N, H, C, M, S)
    writes = (H, C, M, S, O)
    owns = (H, C, M, S)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int = 5,
        peephole_size: tuple[int, int] | None = None,
        forget_bias: float = 1.0,
        norm: Norm | None = None,
    ) -> None:
        super().__init__({X: in_channels} | dict.fromkeys((N, H, C, M, S, O), channels))
        self.conv_x = conv(in_channels, 4 * channels, kernel_size, norm=norm)
        self.conv_h = conv(channels, 3 * channels, kernel_size, norm=norm)
        self.conv_m = conv(channels, 4 * channels, kernel_size, norm=norm)
        self.conv_last = conv(2 * channels, channels, 1)
        self.stationary = PeepholeLSTM(channels, channels, kernel_size, peephole_size, forget_bias, norm)
        self.forget_bias = forget_bias

    def forward(
        self,
        x: Tensor,
        n: Tensor,
        h: Tensor | None = None,
        c: Tensor | None = None,
        m: Tensor | None = None,
        s: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One step: `h, c, m, s, o`."""
        x, n, h, c, m, s = self.take(x, n, h, c, m, s)
        x_i, x_g, x_f, x_o = self.conv_x(x).chunk(4, dim=1)
        h_i, h_g, h_o = self.conv_h(h).chunk(3, dim=1)
        m_i, m_g, m_f, m_o = self.conv_m(m).chunk(4, dim=1)
        kept, s = self.stationary(n, c, s)  # (a)
        c = kept + torch.sigmoid(x_i + h_i) * torch.tanh(x_g + h_g)  # (b)
        m = torch.sigmoid(x_f + m_f + self.forget_bias) * m + torch.sigmoid(x_i + m_i) * torch.tanh(x_g + m_g)  # (c)
        o = torch.sigmoid(x_o + h_o + m_o)  # (d)
        return o * torch.tanh(self.conv_last(side_by_side(c, m))), c, m, s, o  # (e)
