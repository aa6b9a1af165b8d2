"""ST-ConvLSTM: a ConvLSTM with a second memory that climbs through the layers."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core.block import Block
from ...core.slot import DECOUPLING, C, H, M, O, Slot, X
from ..layers import Norm, conv, side_by_side


class STConvLSTM(Block):
    r"""One step of a spatiotemporal LSTM, the cell of PredRNN.

    Wang et al., NeurIPS 2017, Sec. 3.1; GMG paper, Eqs. 26-35, without the printed biases by default (the published
    parameter counts have none), and with a constant b in both forget gates:

    $$f_t = \sigma(W_{xf} * X_t + W_{hf} * H_{t-1} + b) \tag{26}$$
    $$i_t = \sigma(W_{xi} * X_t + W_{hi} * H_{t-1}) \tag{27}$$
    $$C_t = f_t \circ C_{t-1} + i_t \circ \tanh(W_{xc} * X_t + W_{hc} * H_{t-1}) \tag{28, 29}$$
    $$f'_t = \sigma(W_{xf'} * X_t + W_{mf'} * M_{t-1} + b) \tag{30}$$
    $$i'_t = \sigma(W_{xi'} * X_t + W_{mi'} * M_{t-1}) \tag{31}$$
    $$M_t = f'_t \circ M_{t-1} + i'_t \circ \tanh(W_{xc'} * X_t + W_{mc'} * M_{t-1}) \tag{32, 33}$$
    $$o_t = \sigma(W_{xo} * X_t + W_{ho} * H_{t-1} + W_{o} * [C_t, M_t]) \tag{34}$$
    $$H_t = o_t \circ \tanh(W_{1 \times 1} * [C_t, M_t]) \tag{35}$$

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `h`, `c` and `m`.
        kernel_size: Side of the kernels, odd.
        forget_bias: The constant b.
        bias: Whether the convolutions of `x` and the 1x1 convolution have biases.
        norm: Channels to a norm, applied to each convolution's result but that of the 1x1.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h, c, m: `(B, channels, H, W)`; left out, they start from zeros.
        returns: `h, c, m, o` as above, `o` the output gate for stages that follow.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    reads = (X, H, C, M)
    writes: tuple[Slot, ...] = (H, C, M, O)
    owns = (H, C, M)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int = 5,
        forget_bias: float = 1.0,
        bias: bool = False,
        norm: Norm | None = None,
    ) -> None:
        super().__init__({X: in_channels, H: channels, C: channels, M: channels, O: channels})
        self.conv_x = conv(in_channels, 7 * channels, kernel_size, norm=norm, bias=bias)
        self.conv_h = conv(channels, 4 * channels, kernel_size, norm=norm)
        self.conv_m = conv(channels, 3 * channels, kernel_size, norm=norm)
        self.conv_o = conv(2 * channels, channels, kernel_size, norm=norm)
        self.conv_last = conv(2 * channels, channels, 1, bias=bias)
        self.forget_bias = forget_bias

    def forward(
        self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None, m: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step: `h, c, m, o`."""
        return self.advance(x, h, c, m)[:4]

    def advance(
        self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None, m: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One step with what was added to the two memories: `h, c, m, o, delta_c, delta_m`."""
        x, h, c, m = self.take(x, h, c, m)
        width = h.shape[1]
        x_c, x_m, x_o = self.conv_x(x).split([3 * width, 3 * width, width], dim=1)
        h_c, h_o = self.conv_h(h).split([3 * width, width], dim=1)
        c, delta_c = self._update(x_c + h_c, c)  # (29)
        m, delta_m = self._update(x_m + self.conv_m(m), m)  # (33)
        memory = side_by_side(c, m)
        o = torch.sigmoid(x_o + h_o + self.conv_o(memory))  # (34)
        return o * torch.tanh(self.conv_last(memory)), c, m, o, delta_c, delta_m  # (35)

    def _update(self, gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Forget part of a memory and add to it; the gates are stacked as input, forget, candidate."""
        i, f, g = gates.chunk(3, dim=1)
        delta = torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(f + self.forget_bias) * memory + delta, delta


class DecoupledSTConvLSTM(STConvLSTM):
    r"""An `STConvLSTM` that says how alike the increments of its two memories are, for a loss that decouples them.

    Wang et al. (PredRNNv2), TPAMI 2022, https://arxiv.org/abs/2103.09504, Sec. 3.3:
    $L = \mathrm{mean}_k \, |\cos(W_d * \Delta C, W_d * \Delta M)_k|$ over channels k, the cosine over positions.

    Args:
        in_channels: See `STConvLSTM`.
        channels: See `STConvLSTM`.
        adapter: $W_d$, a 1x1 convolution that all layers share.
        kernel_size: See `STConvLSTM`.
        forget_bias: See `STConvLSTM`.
        bias: See `STConvLSTM`.
        norm: See `STConvLSTM`.

    Shapes:
        returns: `h, c, m, o` as `STConvLSTM`, and the loss `(B,)`.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    writes = (H, C, M, O, DECOUPLING)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        adapter: nn.Module,
        kernel_size: int = 5,
        forget_bias: float = 1.0,
        bias: bool = False,
        norm: Norm | None = None,
    ) -> None:
        super().__init__(in_channels, channels, kernel_size=kernel_size, forget_bias=forget_bias, bias=bias, norm=norm)
        self.adapter = adapter

    def forward(  # type: ignore[override]
        self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None, m: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One step: `h, c, m, o` and the loss."""
        h, c, m, o, delta_c, delta_m = self.advance(x, h, c, m)
        likeness = functional.cosine_similarity(
            self.adapter(delta_c).flatten(2), self.adapter(delta_m).flatten(2), dim=2
        )
        return h, c, m, o, likeness.abs().mean(dim=1)
