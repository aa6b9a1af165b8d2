"""The selective scan in plain operators, which exporters that do not know the operator put in its place.

`torch.onnx.export(dynamo=True)` finds it in torch's table of decompositions. Steps are joined in pairs, fours, eights
and so on, so that the graph grows with the logarithm of the length, not with the length; all states are kept.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from . import scan_op as _scan_op  # noqa: F401  (defines the operator)
from .scan_blocked import chunk_length


def in_time(x: Tensor, reverse: Sequence[int]) -> Tensor:
    """`(B, G, ..., L)` with the groups that run backwards flipped: its own inverse."""
    if not any(reverse):
        return x
    return torch.cat([x[:, g : g + 1].flip(-1) if way else x[:, g : g + 1] for g, way in enumerate(reverse)], dim=1)


@torch._decomp.register_decomposition(torch.ops.stblocks.selective_scan.default)
def doubling(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    initial: Tensor,
    softplus: bool,
    reverse: Sequence[int],
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """As the operator; the states before each chunk, which only backward reads, are left zero."""
    groups, length = B.shape[1], B.shape[3]

    def grouped(x: Tensor, axis: int) -> Tensor:
        return x.to(A.dtype).unflatten(axis, (groups, -1))

    x, dt = (
        in_time(grouped(u, 1), reverse),
        in_time(grouped(delta, 1), reverse) + grouped(bias, 0).unsqueeze(-1),
    )  # (B, G, d, L)
    if softplus:
        dt = functional.softplus(dt)
    B, C = (in_time(each.to(A.dtype), reverse).unsqueeze(2) for each in (B, C))  # (B, G, 1, N, L)
    decay = torch.exp(dt.unsqueeze(3) * grouped(A, 0).unsqueeze(-1))  # (B, G, d, N, L)
    h = (dt * x).unsqueeze(3) * B
    h = torch.cat([h[..., :1] + decay[..., :1] * grouped(initial, 1).unsqueeze(-1), h[..., 1:]], dim=-1)
    reach = 1  # h knows of so many steps, its own the last, and decay is over all of them
    while reach < length:
        h = torch.cat([h[..., :reach], h[..., reach:] + decay[..., reach:] * h[..., :-reach]], dim=-1)
        decay = torch.cat([decay[..., :reach], decay[..., reach:] * decay[..., :-reach]], dim=-1)
        reach *= 2
    y = in_time((h * C).sum(3) + grouped(D, 0).unsqueeze(-1) * x, reverse).flatten(1, 2)
    chunks = -(-length // chunk_length(length))
    borders = A.new_zeros(chunks, *h.shape[:2], h.shape[3], h.shape[2])
    return y.to(u.dtype), h[..., -1].flatten(1, 2), borders
