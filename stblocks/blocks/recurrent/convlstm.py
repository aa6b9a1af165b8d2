"""ConvLSTM: an LSTM whose matrix products are convolutions."""

import torch
from torch import Tensor

from ...core.block import Block
from ...core.slot import C, H, O, X
from ..layers import Norm, conv, make_norm


class ConvLSTM(Block):
    r"""One step of a convolutional LSTM.

    Shi et al., NeurIPS 2015, https://arxiv.org/abs/1506.04214, Eq. 3, without peepholes and, by default, biases:

    $$i_t = \sigma(W_{xi} * X_t + W_{hi} * H_{t-1}) \qquad f_t = \sigma(W_{xf} * X_t + W_{hf} * H_{t-1} + b)$$
    $$g_t = \tanh(W_{xg} * X_t + W_{hg} * H_{t-1}) \qquad o_t = \sigma(W_{xo} * X_t + W_{ho} * H_{t-1})$$
    $$C_t = f_t \circ C_{t-1} + i_t \circ g_t \qquad H_t = o_t \circ \tanh(C_t)$$

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `h` and `c`.
        kernel_size: Side of the kernels, odd.
        forget_bias: The constant b.
        bias: Whether the convolutions have biases.
        norm: Channels to a norm, applied to each convolution's result.
        cell_norm: The same, applied to `c` before `h` is taken from it.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h, c: `(B, channels, H, W)`; left out, they start from zeros.
        returns: `h, c, o` as above, `o` the output gate for stages that follow.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    reads = (X, H, C)
    writes = (H, C, O)
    owns = (H, C)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int = 5,
        forget_bias: float = 0.0,
        bias: bool = False,
        norm: Norm | None = None,
        cell_norm: Norm | None = None,
    ) -> None:
        super().__init__({X: in_channels, H: channels, C: channels, O: channels})
        self.conv_x = conv(in_channels, 4 * channels, kernel_size, norm=norm, bias=bias)
        self.conv_h = conv(channels, 4 * channels, kernel_size, norm=norm, bias=False)
        self.cell_norm = None if cell_norm is None else make_norm(cell_norm, channels, "cell_norm")
        self.forget_bias = forget_bias

    def forward(self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """One step: `h, c, o`."""
        x, h, c = self.take(x, h, c)
        i, f, g, o = (self.conv_x(x) + self.conv_h(h)).chunk(4, dim=1)
        c = torch.sigmoid(f + self.forget_bias) * c + torch.sigmoid(i) * torch.tanh(g)
        if self.cell_norm is not None:
            c = self.cell_norm(c)
        o = torch.sigmoid(o)
        return o * torch.tanh(c), c, o
