"""The selective scan as one operator with a gradient: opaque to `torch.compile` and `torch.export`.

Saved for backward are the inputs and the states before each chunk, nothing of size B D L N.
"""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from .scan_blocked import chunk_length


def _kernels(backend: str) -> Any:
    """The module of a back end, with `forward` and `backward`; Triton is imported by those who ask for it."""
    return import_module(f".scan_{backend}", __package__)


@torch.library.custom_op("stblocks::selective_scan", mutates_args=())
def scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    initial: Tensor,
    softplus: bool,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs `(B, D, L)`, laid out as `u`, final state `(B, D, N)`, and the states before each chunk, for backward."""
    with torch.autocast(u.device.type, enabled=False):
        return _kernels(backend).forward(u, delta, A, B, C, D, bias, initial, softplus)


@scan.register_fake
def _(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, *others: Any) -> tuple[Tensor, Tensor, Tensor]:
    batch, groups, states, length = B.shape
    chunks = -(-int(length) // chunk_length(int(length)))
    borders = A.new_empty(chunks, batch, groups, states, u.shape[1] // groups)
    return torch.empty_like(u), A.new_empty(batch, *A.shape), borders


@torch.library.custom_op("stblocks::selective_scan_backward", mutates_args=())
def scan_backward(
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
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of u, delta (laid out as `u` both), A, B, C, D, bias and the initial state."""
    with torch.autocast(u.device.type, enabled=False):
        return _kernels(backend).backward(grad_y, grad_h, u, delta, A, B, C, D, bias, borders, softplus)


@scan_backward.register_fake
def _(grad_y: Tensor, grad_h: Tensor, u: Tensor, delta: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
    others = (torch.empty_like(x, memory_format=torch.contiguous_format) for x in (*inputs[:5], grad_h))
    return torch.empty_like(u), torch.empty_like(u, dtype=delta.dtype), *others


class SelectiveScan(torch.autograd.Function):
    """`scan` with its gradient."""

    @staticmethod
    def forward(
        u: Tensor,
        delta: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor,
        bias: Tensor,
        initial: Tensor,
        softplus: bool,
        backend: str,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `scan`; written out, as `torch.compile` takes no `*inputs` here."""
        return scan(u, delta, A, B, C, D, bias, initial, softplus, backend)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        """Keep the inputs but the initial state, which is the first of the states kept with them."""
        ctx.save_for_backward(*inputs[:7], output[2])
        ctx.mark_non_differentiable(output[2])
        ctx.options = inputs[8:]

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor, grad_h: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of all tensors."""
        return *_Gradient.apply(grad_y, grad_h, *ctx.saved_tensors, *ctx.options), None, None


class _Gradient(torch.autograd.Function):
    """`scan_backward`, which refuses a gradient of its own also where `once_differentiable` would be silent."""

    @staticmethod
    def forward(
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
        backend: str,
    ) -> tuple[Tensor, ...]:
        return scan_backward(grad_y, grad_h, u, delta, A, B, C, D, bias, borders, softplus, backend)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> None:
        raise RuntimeError("selective_scan has no second derivative: differentiate once, without create_graph=True.")
