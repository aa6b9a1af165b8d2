"""Attention inside the windows of a map."""

import torch
from einops import rearrange
from torch import Tensor, nn

from ..starts import SPREAD


class WindowAttention(nn.Module):
    r"""Multi-head attention over the positions of a window, with a bias for every relative position.

    Liu et al., ICCV 2021, Eq. 4, for each head of width d:

    $$\mathrm{Attention}(Q, K, V) = \mathrm{SoftMax}(Q K^\top / \sqrt d + B) V \tag{4}$$

    with B read from a table of $(2 w - 1)^2$ rows, row offset before column offset, for windows of side w.

    Args:
        channels: Of the tokens, a multiple of `num_heads`.
        num_heads: Heads of attention.
        window_size: Side w of a window.
        drop: Dropout after the projection.

    Shapes:
        windows: `(B * windows of a map, w * w, channels)`, positions row by row.
        mask: `(windows of a map, w * w, w * w)`, added to the scores.
        returns: Of the shape of `windows`.
    """

    def __init__(self, channels: int, num_heads: int, *, window_size: int, drop: float = 0.0) -> None:
        super().__init__()
        self.num_heads, self.window_size = num_heads, window_size
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window_size - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=SPREAD)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.drop = nn.Dropout(drop)

    def forward(self, windows: Tensor, mask: Tensor | None = None) -> Tensor:
        """`windows`, each position having looked at the others of its window."""
        split = "b p (three heads d) -> three b heads p d"
        query, key, value = rearrange(self.qkv(windows), split, three=3, heads=self.num_heads)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1) + self.bias()
        if mask is not None:
            scores = (scores.unflatten(0, (-1, len(mask))) + mask[:, None]).flatten(0, 1)
        return self.drop(self.proj(rearrange(scores.softmax(-1) @ value, "b heads p d -> b p (heads d)")))

    def bias(self) -> Tensor:
        """B, `(num_heads, w * w, w * w)`; its index is made here, since a buffer is what a state dict could lack."""
        table = self.relative_position_bias_table.unflatten(0, (2 * self.window_size - 1, -1))
        position = torch.arange(self.window_size, device=table.device)
        offset = position[:, None] - position + self.window_size - 1  # from a key to a query, along one axis
        seen = table[offset[:, None, :, None], offset[:, None, :]]
        return rearrange(seen, "row column key_row key_column heads -> heads (row column) (key_row key_column)")
