"""Attention over the positions of a feature map or of its windows, without keeping the matrix of scores."""

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional


def attend(query: Tensor, keys: list[Tensor], values: list[Tensor], *, scale: float = 1.0) -> list[Tensor]:
    r"""Let every position of a map look at all positions of others: $V \, \mathrm{softmax}(s K^\top Q)$ for each K, V.

    Args:
        query: `(B, A, H, W)`.
        keys: Maps `(B, A, H, W)`.
        values: As many maps `(B, C, H, W)`.
        scale: s; 1 for attention without a scale.

    Returns:
        A map `(B, C, H, W)` for each pair of key and value.
    """
    # The fused kernels, which keep no matrix, need queries, keys and values of one width.
    channels = values[0].shape[1]
    width = max(channels, query.shape[1])
    queries = _tokens([query], width).expand(-1, len(keys), -1, -1)
    looked = functional.scaled_dot_product_attention(queries, _tokens(keys, width), _tokens(values, width), scale=scale)
    return list(looked[..., :channels].transpose(2, 3).unflatten(3, query.shape[2:]).unbind(dim=1))


def _tokens(maps: list[Tensor], width: int) -> Tensor:
    """`(B, len(maps), H W, width)` of maps `(B, C, H, W)`, zeros in what is wider than they are."""
    stacked = torch.stack([each.flatten(2) for each in maps], dim=1).transpose(2, 3)
    return functional.pad(stacked, (0, width - stacked.shape[-1])).contiguous()


def attend_in_windows(query: Tensor, key: Tensor, value: Tensor, side: tuple[int, int]) -> Tensor:
    r"""Attention within windows: $\mathrm{softmax}(Q K^\top) V$ over all tokens of a window, on any H and W.

    Windows at the bottom and the right that reach over the border attend to what they have inside it.

    Args:
        query: `(B, H, W, S, C)`: S tokens at each position.
        key: The same.
        value: The same.
        side: `(height, width)` of a window.

    Returns:
        `(B, H, W, S, C)`.
    """
    height, width, tokens = query.shape[1:4]
    below, right = -height % side[0], -width % side[1]
    cut = "b (i r) (j w) s c -> b (i j) (r w s) c"
    sides = {"r": side[0], "w": side[1]}

    def windows(maps: Tensor) -> Tensor:
        if below or right:
            maps = functional.pad(maps, (0, 0, 0, 0, 0, right, 0, below))
        return rearrange(maps, cut, **sides)

    inside = None
    if below or right:
        inside = windows(query.new_ones(1, height, width, tokens, 1, dtype=torch.bool)).transpose(2, 3)
    looked = functional.scaled_dot_product_attention(windows(query), windows(key), windows(value), inside, scale=1.0)
    columns = (width + right) // side[1]
    back = rearrange(looked, "b (i j) (r w s) c -> b (i r) (j w) s c", j=columns, s=tokens, **sides)
    return back[:, :height, :width]
