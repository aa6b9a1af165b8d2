"""The selective scan by Triton: chunks side by side, in three passes each way.

First every chunk is walked from zero; then a short associative scan over chunks gives the state before each, or dL/dh
after it; then every chunk is walked from there. A short sequence is one chunk and needs the last pass alone. Sums over
blocks, chunks and batch are left to PyTorch: no atomics, so that results repeat.
"""

# mypy: disable-error-code="import-untyped,import-not-found"

from collections.abc import Sequence
from typing import Any

import torch
import triton
from torch import Tensor

from . import scan_gradients, scan_kernels

_CHANNELS = 32  # of a program: one a thread of a warp
_ROWS = 32  # chunks that one round of `carry` takes
_STRIDE = 4  # steps from one state that backward keeps to the next


def chunk_length(length: int) -> int:
    """Steps of a chunk, a power of two: few for many programs, but enough that the states between them weigh little."""
    if length <= 64:
        return max(8, triton.next_power_of_2(length))
    return 32 if length <= 2048 else 64


def _lay_out(x: Tensor, like: Tensor) -> Tensor:
    """`x` with the strides of `like`."""
    return x if x.stride() == like.stride() else torch.empty_like(like, dtype=x.dtype).copy_(x)


class _Launch:
    """Grids, sizes and constants of the kernels; all (B, D, L) are laid out `like` one of them."""

    def __init__(self, A: Tensor, B: Tensor, C: Tensor, like: Tensor, softplus: bool, reverse: Sequence[int]) -> None:
        if len(reverse) > 62:
            raise ValueError(
                f"reverse must be of at most 62 groups on a GPU, got {len(reverse)}; use backend='blocked'."
            )
        (batch, groups, states, length), channels = B.shape, like.shape[1]
        self.A, self.steps = A, chunk_length(length)
        self.chunks, self.states, width = -(-length // self.steps), states, channels // groups
        self.blocks, self.sequences, self.alone = triton.cdiv(width, _CHANNELS), batch * groups, self.chunks == 1
        self.sizes = (self.sequences, groups, width, states)
        self.ways = (sum(way << index for index, way in enumerate(reverse)), len(reverse))
        self.u, self.B, self.C = like.stride(), B.stride(), C.stride()
        self.length, self.border = length, (batch, groups, states, width)
        per_warp = max(1, triton.next_power_of_2(states) // 16)
        self.constants = {
            "SOFTPLUS": softplus,
            "STEPS": self.steps,
            "CHANNELS": _CHANNELS,
            "STATES": triton.next_power_of_2(states),
            "num_warps": min(8, per_warp),
        }

    def empty(self, *shape: int) -> Tensor:
        return self.A.new_empty(shape)

    def over_chunks(self, kernel: Any, *arguments: Any, **constants: Any) -> None:
        """Run a kernel on all chunks of all sequences."""
        with torch.cuda.device_of(self.A):
            kernel[self.chunks * self.sequences, self.blocks](*arguments, state_step=1, **constants, **self.constants)

    def carry(self, first: Tensor, ends: Tensor, spans: Tensor, back: bool) -> Tensor:
        """What stands before each chunk, or after it, from what stands before or after all."""
        starts = torch.empty_like(ends)
        rounds, grid = triton.cdiv(self.chunks, _ROWS), (self.sequences * self.states, self.blocks)
        constants = {"BACK": back, "ROUNDS": rounds, "ROWS": _ROWS, "CHANNELS": _CHANNELS, "num_warps": 4}
        with torch.cuda.device_of(self.A):
            scan_kernels.carry[grid](self.A, first, ends, spans, starts, *self.sizes, self.chunks, **constants)
        return starts


def forward(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    h: Tensor,
    softplus: bool,
    reverse: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs, final state, and the states (K, B, G, N, D / G) before each chunk."""
    y = torch.empty_like(u)
    u, delta = _lay_out(u, y), _lay_out(delta, y)
    A, D, bias, h = (x.contiguous() for x in (A, D, bias, h))
    launch = _Launch(A, B, C, y, softplus, reverse)
    final, ends = torch.empty_like(h), launch.empty(launch.chunks, *launch.border)
    starts, spans = ends, launch.empty(launch.chunks, *u.shape[:2])

    def walk(last: bool) -> None:
        launch.over_chunks(
            scan_kernels.walk,
            *(u, delta, A, B, C, D, bias, h, starts, y, ends, spans, final),
            *(*launch.sizes, launch.length, launch.chunks, *launch.ways, *launch.u, *launch.B, *launch.C),
            LAST=last,
            ALONE=launch.alone,
        )

    if not launch.alone:
        walk(last=False)
        starts = launch.carry(h, ends, spans, back=False)
    walk(last=True)
    return y, final, starts


def backward(
    grad_y: Tensor,
    grad_h: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    borders: Tensor,
    softplus: bool,
    reverse: Sequence[int],
) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C, D, bias and the initial state."""
    grad_u, grad_delta = torch.empty_like(u), torch.empty_like(u, dtype=delta.dtype)
    grad_y, u, delta = (_lay_out(x, grad_u) for x in (grad_y, u, delta))
    grad_h, A, D, bias, borders = (x.contiguous() for x in (grad_h, A, D, bias, borders))
    launch = _Launch(A, B, C, grad_u, softplus, reverse)
    chunks, (batch, groups, states, _) = launch.chunks, launch.border
    later = borders  # not read by a chunk that is alone
    if not launch.alone:
        ends, spans = torch.empty_like(borders), launch.empty(chunks, *u.shape[:2])
        launch.over_chunks(
            scan_gradients.walk_back,
            *(grad_y, delta, A, C, bias, ends, spans),
            *(*launch.sizes, launch.length, *launch.ways, *launch.u, *launch.C),
        )
        later = launch.carry(grad_h, ends, spans, back=True)
    scratch = launch.empty(chunks * launch.steps // _STRIDE, *launch.border)
    grad_A, grad_initial = launch.empty(chunks * batch, *A.shape), torch.empty_like(grad_h)
    grad_B, grad_C = (launch.empty(launch.blocks, batch, launch.length, groups, states) for _ in range(2))
    grad_D, grad_bias = (launch.empty(chunks * batch, len(D)) for _ in range(2))
    launch.over_chunks(
        scan_gradients.differentiate,
        *(grad_y, grad_h, u, delta, A, B, C, D, bias, borders, later, scratch),
        *(grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_bias, grad_initial),
        *(*launch.sizes, launch.length, *launch.ways, borders[0].numel(), *launch.u, *launch.B, *launch.C),
        ALONE=launch.alone,
        STRIDE=_STRIDE,
    )
    to_B, to_C = torch.empty_like(B), torch.empty_like(C)
    for gradient, parts in ((to_B, grad_B), (to_C, grad_C)):
        gradient.permute(0, 3, 1, 2).copy_(parts.sum(0))
    return grad_u, grad_delta, grad_A.sum(0), to_B, to_C, grad_D.sum(0), grad_bias.sum(0), grad_initial
