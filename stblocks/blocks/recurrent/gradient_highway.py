"""The gradient highway unit: a layer of its own that lets gradients pass through time almost untouched."""

import torch
from torch import Tensor, nn

from ...core.block import Block
from ...core.slot import H, X
from ..layers import Norm, blend, conv


class GradientHighway(Block):
    r"""Gradient highway unit (GHU); its highway is the hidden state of its own layer.

    Wang et al. (PredRNN++), ICML 2018, https://arxiv.org/abs/1804.06300, Sec. 4.2, Eq. 3, with $Z_t$ as $H_t$:

    $$P_t = \tanh(W_{px} * X_t + W_{ph} * H_{t-1}) \qquad S_t = \sigma(W_{sx} * X_t + W_{sh} * H_{t-1})$$
    $$H_t = S_t \circ P_t + (1 - S_t) \circ H_{t-1}$$

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

    def __init__(self, in_channels: int, channels: int, *, kernel_size: int = 5, norm: Norm | None = None) -> None:
        super().__init__({X: in_channels, H: channels})
        self.conv_x = conv(in_channels, 2 * channels, kernel_size, norm=norm)
        self.conv_h = conv(channels, 2 * channels, kernel_size, norm=norm)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.uniform_(part.weight, -0.001, 0.001)  # as released: the highway begins almost open

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """`h`."""
        x, h = self.take(x, h)
        p, s = (self.conv_x(x) + self.conv_h(h)).chunk(2, dim=1)
        return blend(h, torch.tanh(p), torch.sigmoid(s))
