"""ConvGRU: a gated recurrent unit whose matrix products are convolutions."""

import torch
from torch import Tensor

from ...core.block import Block
from ...core.slot import H, X
from ..layers import Norm, blend, conv


class ConvGRU(Block):
    r"""One step of a convolutional GRU.

    Ballas et al., ICLR 2016, https://arxiv.org/abs/1511.06432, Sec. 3.1, with a bias in each:

    $$z_t = \sigma(W_z * x_t + U_z * h_{t-1}) \qquad r_t = \sigma(W_r * x_t + U_r * h_{t-1}) \tag{5, 6}$$
    $$\tilde h_t = \tanh(W * x_t + U * (r_t \circ h_{t-1})) \tag{7}$$
    $$h_t = (1 - z_t) \circ h_{t-1} + z_t \circ \tilde h_t \tag{8}$$

    It has no output gate and no cell state, so that stages which read one of these (`MotionHighway`, `SE`) need another
    cell.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `h`.
        kernel_size: Side of the kernels, odd.
        norm: Channels to a norm, applied to each convolution's result.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h: `(B, channels, H, W)`; left out, it starts from zeros.
        returns: `h`.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    reads = (X, H)
    writes = (H,)
    owns = (H,)

    def __init__(self, in_channels: int, channels: int, *, kernel_size: int = 3, norm: Norm | None = None) -> None:
        super().__init__({X: in_channels, H: channels})
        self.conv_x = conv(in_channels, 3 * channels, kernel_size, norm=norm, bias=True)
        self.conv_h = conv(channels, 2 * channels, kernel_size, norm=norm)
        self.candidate = conv(channels, channels, kernel_size, norm=norm)

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """`h`."""
        x, h = self.take(x, h)
        of_gates, of_candidate = self.conv_x(x).tensor_split([2 * h.shape[1]], dim=1)
        z, r = torch.sigmoid(of_gates + self.conv_h(h)).chunk(2, dim=1)  # (5, 6)
        candidate = torch.tanh(of_candidate + self.candidate(r * h))  # (7)
        return blend(h, candidate, z)  # (8)
