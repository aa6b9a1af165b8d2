"""The selective scan as one operator with a gradient: opaque to `torch.compile` and `torch.export`.

Saved for backward are the inputs and the states before each chunk, nothing of size B D L N. `torch.vmap` of a scan is
one scan too, of more groups.
"""

from importlib import import_module
from typing import Any, Sequence  # noqa: UP035  (the Sequence that torch 2.6 makes a schema of)

import torch
from torch import Tensor


def _kernels(backend: str) -> Any:
    """The module of a back end: `chunk_length`, `forward`, `backward`; Triton is imported by those who ask for it."""
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
    reverse: Sequence[int],
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs `(B, D, L)`, laid out as `u`, final state `(B, D, N)`, and the states before each chunk, for backward.

    `reverse` says which groups run backwards in time. Here values are at hand in eager and compiled calls alike, and
    in none that only traces, so here is where the sign of A is looked at; on a GPU that would wait for it.
    """
    if A.device.type == "cpu" and bool((A > 0).any()):
        raise ValueError(
            f"A must be negative, or states grow without bound; got up to {A.max().item():.3g}. Pass -exp(A_log)."
        )
    with torch.autocast(u.device.type, enabled=False):
        return _kernels(backend).forward(u, delta, A, B, C, D, bias, initial, softplus, reverse)


@scan.register_fake
def _(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, *others: Any) -> tuple[Tensor, Tensor, Tensor]:
    batch, groups, states, length = B.shape
    chunks = -(-int(length) // _kernels(others[-1]).chunk_length(int(length)))
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
    reverse: Sequence[int],
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of u, delta (laid out as `u` both), A, B, C (as B and C), D, bias and the initial state."""
    with torch.autocast(u.device.type, enabled=False):
        return _kernels(backend).backward(grad_y, grad_h, u, delta, A, B, C, D, bias, borders, softplus, reverse)


@scan_backward.register_fake
def _(grad_y: Tensor, grad_h: Tensor, u: Tensor, delta: Tensor, *inputs: Any) -> tuple[Tensor, ...]:
    A, B, C, D, bias = inputs[:5]
    small = (A, D, bias, grad_h)
    grad_A, grad_D, grad_bias, grad_initial = (
        torch.empty_like(x, memory_format=torch.contiguous_format) for x in small
    )
    grad_delta = torch.empty_like(u, dtype=delta.dtype)
    return (
        torch.empty_like(u),
        grad_delta,
        grad_A,
        torch.empty_like(B),
        torch.empty_like(C),
        grad_D,
        grad_bias,
        grad_initial,
    )


# Where the channels or groups of each tensor are, which one axis of `torch.vmap` is folded into.
_INPUTS = (1, 1, 0, 1, 1, 0, 0, 1)  # u, delta, A, B, C, D, bias, initial state; their gradients
_BORDERS = 2


def _folded(size: int, axes: tuple[int, ...], mapped: tuple[int | None, ...], tensors: tuple[Tensor, ...]) -> Any:
    """The tensors with the axis that `torch.vmap` maps, of `size`, folded into channels or groups."""
    for axis, at, x in zip(axes, mapped, tensors, strict=False):
        spread = x.unsqueeze(axis).expand(*x.shape[:axis], size, *x.shape[axis:])
        yield (spread if at is None else x.movedim(at, axis)).flatten(axis, axis + 1)


def _unfolded(size: int, axes: tuple[int, ...], tensors: tuple[Tensor, ...]) -> tuple[Any, tuple[int, ...]]:
    return tuple(x.unflatten(axis, (size, -1)) for axis, x in zip(axes, tensors, strict=True)), axes


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
        reverse: Sequence[int],
        backend: str,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `scan`; written out, as `torch.compile` takes no `*inputs` here."""
        return scan(u, delta, A, B, C, D, bias, initial, softplus, reverse, backend)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        """Keep the inputs but the initial state, which is the first of the states kept with them."""
        ctx.save_for_backward(*inputs[:7], output[2])
        ctx.mark_non_differentiable(output[2])
        ctx.options = inputs[8:]

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor, grad_h: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of all tensors."""
        return *_Gradient.apply(grad_y, grad_h, *ctx.saved_tensors, *ctx.options), None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, tuple[int, ...]]:
        """One scan, of as many times the groups: every member has its own A, D and bias, and its own B and C."""
        tensors = _folded(info.batch_size, _INPUTS, in_dims, inputs[:8])
        outputs = SelectiveScan.apply(*tensors, inputs[8], inputs[9] * info.batch_size, inputs[10])
        return _unfolded(info.batch_size, (1, 1, _BORDERS), outputs)


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
        reverse: Sequence[int],
        backend: str,
    ) -> tuple[Tensor, ...]:
        return scan_backward(grad_y, grad_h, u, delta, A, B, C, D, bias, borders, softplus, reverse, backend)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> None:
        raise RuntimeError("selective_scan has no second derivative: differentiate once, without create_graph=True.")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, tuple[int, ...]]:
        tensors = _folded(info.batch_size, (1, 1, *_INPUTS[:7], _BORDERS), in_dims, inputs[:10])
        outputs = _Gradient.apply(*tensors, inputs[10], inputs[11] * info.batch_size, inputs[12])
        return _unfolded(info.batch_size, _INPUTS, outputs)
