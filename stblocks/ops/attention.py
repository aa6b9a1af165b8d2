"""Attention over the positions of a feature map, without keeping the matrix of scores."""

import torch
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
    # Zero channels change neither scores nor results; with equal widths the fused kernels apply, which keep no matrix.
    width = max(query.shape[1], values[0].shape[1])

    def tokens(maps: list[Tensor]) -> Tensor:  # (B, len(maps), H W, width): each pair is one head
        stacked = torch.stack([each.flatten(2) for each in maps], dim=1).transpose(2, 3)
        return functional.pad(stacked, (0, width - stacked.shape[-1]))

    heads = functional.scaled_dot_product_attention(
        tokens([query] * len(keys)), tokens(keys), tokens(values), scale=scale
    )
    maps = heads[..., : values[0].shape[1]].transpose(2, 3).unflatten(3, query.shape[2:])
    return list(maps.unbind(dim=1))
