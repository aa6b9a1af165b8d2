"""SE: multi-scale spatiotemporal expression, which rewrites both states of an LSTM after a look at each other."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...core.block import Block
from ...core.slot import C, H
from ...ops.attention import attend_in_windows
from ..layers import Norm, blend, conv, make_norm, side_by_side


class SE(Block):
    r"""Multi-scale spatiotemporal expression.

    CMS-LSTM paper, Sec. 2.3, Eqs. 3-7. At each scale s, hidden state and memory are cut into windows, s along each side
    of the map, in which every token of either looks at all tokens of both (`MultiScaleAttention`). Then, with the maps
    of all scales laid side by side, `h` on the left and `c` on the right,

    $$[A_H, A_C] = W_Z * \hat Z + b_Z \qquad A = W_A * [A_H, A_C] + b_A \tag{5}$$
    $$[i, g, o] = W_a * A + W_h * H_t \tag{6}$$
    $$\hat C_t = (1 - \sigma(i)) \circ C_t + \sigma(i) \circ \tanh(g) \qquad
    \hat H_t = \sigma(o) \circ \hat C_t \tag{7}$$

    The 1x1 convolution $W_A$ and the norm of $\hat C_t$ before it is used are the released code's.

    Args:
        channels: Channels of `h` and `c`.
        scales: How many windows lie along each side of the map, for each scale.
        kernel_size: Side of the kernels $W_Z$, $W_a$, $W_h$, odd.
        norm: Channels to a norm, applied to the results of these, and to $\hat C_t$. $A_H$ and $A_C$ have one together.

    Shapes:
        h, c: `(B, channels, H, W)`, any `H` and `W` of at least the largest scale. Where a scale does not divide a
            side, windows have $\lceil H / s \rceil$ rows and the last is cut off at the border.
        returns: `h, c`.

    Raises:
        ValueError: If `kernel_size` is even, or there is no scale or one below 1, or when called, if a scale is larger
            than a side.
    """

    reads = (H, C)
    writes = (H, C)

    def __init__(
        self, channels: int, *, scales: Sequence[int] = (1, 2, 4), kernel_size: int = 5, norm: Norm | None = None
    ) -> None:
        super().__init__({H: channels, C: channels})
        self.attention = MultiScaleAttention(channels, scales)
        self.express = conv(len(scales) * channels, channels, kernel_size, bias=True)
        self.express_norm = None if norm is None else make_norm(norm, 2 * channels)
        self.fuse = nn.Conv2d(2 * channels, channels, 1)
        self.gates_a = conv(channels, 3 * channels, kernel_size, norm=norm, bias=norm is None)
        self.gates_h = conv(channels, 3 * channels, kernel_size, norm=norm)
        self.memory_norm = None if norm is None else make_norm(norm, channels)

    def forward(self, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """`h, c`."""
        h, c = self.take(h, c)
        looked = self.express(self.attention(torch.cat([h, c], dim=3)))  # (3-5)
        a = side_by_side(*looked.chunk(2, dim=3))  # (5)
        if self.express_norm is not None:
            a = self.express_norm(a)
        i, g, o = (self.gates_a(self.fuse(a)) + self.gates_h(h)).chunk(3, dim=1)  # (6)
        c = blend(c, torch.tanh(g), torch.sigmoid(i))  # (7), first line
        if self.memory_norm is not None:
            c = self.memory_norm(c)
        return torch.sigmoid(o) * c, c  # (7), second line


class MultiScaleAttention(nn.Module):
    r"""Attention within windows of several sizes, over two maps laid side by side (CMS-LSTM paper, Eqs. 3 and 4).

    $\hat z = \mathrm{softmax}(Q K^\top) V + z$ in each window, $Q$, $K$, $V$ linear in $z$ with biases; no matrix of
    scores is kept.

    Args:
        channels: Channels of the maps.
        scales: How many windows lie along each side of a map, for each scale.

    Shapes:
        z: `(B, channels, H, 2 W)`.
        returns: `(B, len(scales) * channels, H, 2 W)`, scale by scale.

    Raises:
        ValueError: If there is no scale, one is below 1, or one is larger than `H` or `W`.
    """

    whole_map = True

    def __init__(self, channels: int, scales: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(scales, Sequence) or not scales or min(scales) < 1:
            raise ValueError(f"scales must hold at least one number, each at least 1, got {scales!r}.")
        self.scales = tuple(scales)
        self.project = nn.Linear(channels, 3 * len(self.scales) * channels)  # query, key, value of the first scale, ...

    def forward(self, z: Tensor) -> Tensor:
        """The maps after a look at their windows, one for each scale."""
        height, width = z.shape[2], z.shape[3] // 2
        if max(self.scales) > min(height, width):
            raise ValueError(
                f"scales must be at most the height and width of the map, {height} x {width}, got {self.scales}; "
                f"leave the largest out, or use smaller patches."
            )
        tokens = z.permute(0, 2, 3, 1).unflatten(2, (2, width)).transpose(2, 3)  # (B, H, W, 2, C)
        looked = []
        for scale, projected in zip(self.scales, self.project(tokens).chunk(len(self.scales), dim=-1), strict=True):
            query, key, value = projected.chunk(3, dim=-1)
            side = (-(-height // scale), -(-width // scale))
            looked.append(attend_in_windows(query, key, value, side) + tokens)  # (3, 4)
        return torch.cat(looked, dim=-1).transpose(2, 3).flatten(2, 3).permute(0, 3, 1, 2)
