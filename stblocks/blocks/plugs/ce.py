"""CE: context embedding, which lets the input and the hidden state weigh each other before the gates see them."""

import torch
from torch import Tensor

from ...core.block import Block
from ...core.slot import H, X
from ..layers import Norm, conv


class CE(Block):
    r"""Context embedding: input and hidden state rescale each other in turn, with shared weights.

    CMS-LSTM paper, Sec. 2.2, Eq. 2:

    $$X_t \leftarrow s \, \sigma(W_H * H_{t-1}) \circ X_t \qquad
    H_{t-1} \leftarrow s \, \sigma(W_X * X_t) \circ H_{t-1} \tag{2}$$

    Each half is one iteration, that of `x` first: the paper's n stacked blocks are `iterations=2 * n`, the released
    model has 5. Biases are the norm's, as released.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `h`.
        kernel_size: Side of the kernels, odd.
        iterations: Number of updates, at least 1; $W_X$ exists from 2 on.
        scale: s.
        norm: Channels to a norm, applied to each convolution's result.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h: `(B, channels, H, W)`.
        returns: `x, h`.

    Raises:
        ValueError: If `kernel_size` is even, or `iterations` below 1.
    """

    reads = (X, H)
    writes = (X, H)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int = 5,
        iterations: int = 5,
        scale: float = 2.0,
        norm: Norm | None = None,
    ) -> None:
        super().__init__({X: in_channels, H: channels})
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {iterations}; leave CE out of the cell for none.")
        self.weigh_x = conv(channels, in_channels, kernel_size, norm=norm, bias=norm is None)
        self.weigh_h = (
            conv(in_channels, channels, kernel_size, norm=norm, bias=norm is None) if iterations > 1 else None
        )
        self.iterations, self.scale = iterations, scale

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """`x, h`."""
        x, h = self.take(x, h)
        for iteration in range(self.iterations):
            if iteration % 2 == 0:
                x = self.scale * torch.sigmoid(self.weigh_x(h)) * x  # (2), first line
            elif self.weigh_h is not None:
                h = self.scale * torch.sigmoid(self.weigh_h(x)) * h  # (2), second line
        return x, h
