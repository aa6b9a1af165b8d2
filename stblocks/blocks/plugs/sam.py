"""SAM: self-attention memory, which lets the hidden state and the memory look at the whole map."""

import torch
from torch import Tensor, nn

from ...borders.checks import check_positive
from ...core.block import Block
from ...core.slot import H, M
from ...ops.attention import attend
from ..layers import blend, side_by_side


class SAM(Block):
    r"""Self-attention memory module.

    Lin et al. (SA-ConvLSTM), AAAI 2020, Sec. 3.2; GMG paper, Eq. 24. With one query from `h` (letters are
    ours),

    $$Z_h = V_h \, \mathrm{softmax}(s K_h^\top Q_h) \qquad Z_m = V_m \, \mathrm{softmax}(s K_m^\top Q_h) \tag{a}$$
    $$Z = W_z * [Z_h, Z_m] \qquad [o', g', i'] = W_m * [Z, H_t] \tag{b}$$
    $$\hat M_t = (1 - \sigma(i')) \circ M_t + \sigma(i') \circ \tanh(g') \qquad
    \hat H_t = \sigma(o') \circ \hat M_t \tag{c}$$

    where all convolutions are 1x1. The matrix of scores, (H W) x (H W), is never kept.

    Args:
        channels: Channels of `h` and `m`.
        attention_channels: Channels of queries and keys.
        scale: s; the papers have 1, not $1 / \sqrt{d}$.

    Shapes:
        h, m: `(B, channels, H, W)`, any `H` and `W`; `m` left out starts from zeros.
        returns: `h, m`.

    Raises:
        ValueError: If `attention_channels` is not positive.
    """

    reads = (H, M)
    writes = (H, M)
    adopts = (M,)
    whole_map = True

    def __init__(self, channels: int, *, attention_channels: int = 32, scale: float = 1.0) -> None:
        super().__init__({H: channels, M: channels})
        check_positive(attention_channels=attention_channels)
        self.query = nn.Conv2d(channels, attention_channels, 1)
        self.key_h = nn.Conv2d(channels, attention_channels, 1)
        self.key_m = nn.Conv2d(channels, attention_channels, 1)
        self.value_h = nn.Conv2d(channels, channels, 1)
        self.value_m = nn.Conv2d(channels, channels, 1)
        self.fuse = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.gates = nn.Conv2d(3 * channels, 3 * channels, 1)
        self.scale = scale

    def forward(self, h: Tensor, m: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`h, m`."""
        h, m = self.take(h, m)
        keys, values = [self.key_h(h), self.key_m(m)], [self.value_h(h), self.value_m(m)]
        z = self.fuse(side_by_side(*attend(self.query(h), keys, values, scale=self.scale)))  # (a, b)
        o, g, i = self.gates(side_by_side(z, h)).chunk(3, dim=1)  # (b)
        m = blend(m, torch.tanh(g), torch.sigmoid(i))  # (c)
        return torch.sigmoid(o) * m, m  # (c)
