"""The selective scan as two fused Triton kernels: a program for a block of channels of one sequence, step after step.

States stay in registers. Backward starts every chunk from the state kept before it and writes the states of that one
chunk to a scratch buffer. Sums over blocks and batch are left to PyTorch: no atomics, so that results repeat.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-def"

import torch
import triton
import triton.language as tl
from torch import Tensor

from .scan_blocked import chunk_length

_CHANNELS = 16  # of a program


@triton.jit
def _step_size(raw, SOFTPLUS: tl.constexpr):
    """softplus, with what rounding 1 + e^x took away; above 20 it is the identity to rounding."""
    if SOFTPLUS:
        power = tl.exp(tl.minimum(raw, 20.0))
        one_more = 1.0 + power
        lost = ((one_more - 1.0) - power) / one_more
        return tl.where(raw > 20.0, raw, tl.log(one_more) - lost)
    return raw


@triton.jit
def _block(groups, width, states, CHANNELS: tl.constexpr, STATES: tl.constexpr):
    """This program's sequence (batch item and group), its channels, its entries of (G, d, N) and of (B, G, N, d)."""
    sequence = tl.program_id(0).to(tl.int64)
    d = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    n = tl.arange(0, STATES)
    inside = (d < width)[:, None] & (n < states)[None, :]
    weights = ((sequence % groups) * width + d)[:, None] * states + n[None, :]
    entries = (sequence * states + n[None, :]) * width + d[:, None]
    return sequence, d, n, inside, weights, entries


@triton.jit
def _forward(
    u, delta, A, B, C, D, bias, initial, y, final, borders,
    groups, width, states, length, steps, stride, batch_step, channel_step, time_step,
    SOFTPLUS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    sequence, d, n, inside, weights, entries = _block(groups, width, states, CHANNELS, STATES)
    kind = A.dtype.element_ty
    real, valid = d < width, n < states
    decay_rate = tl.load(A + weights, inside, 0.0)
    skip = tl.load(D + (sequence % groups) * width + d, real, 0.0)
    shift = tl.load(bias + (sequence % groups) * width + d, real, 0.0)
    last = (sequence * width + d)[:, None] * states + n[None, :]
    h = tl.load(initial + last, inside, 0.0)
    row = (sequence // groups) * batch_step + ((sequence % groups) * width + d) * channel_step
    column = (sequence * states + n) * length
    for t in range(length):
        here = row + tl.cast(t, tl.int64) * time_step
        if t % steps == 0:
            tl.store(borders + tl.cast(t // steps, tl.int64) * stride + entries, h, inside)
        x = tl.load(u + here, real, 0.0).to(kind)
        dt = _step_size(tl.load(delta + here, real, 0.0).to(kind) + shift, SOFTPLUS)
        B_t = tl.load(B + column + t, valid, 0.0).to(kind)
        C_t = tl.load(C + column + t, valid, 0.0).to(kind)
        h = tl.exp(dt[:, None] * decay_rate) * h + (dt * x)[:, None] * B_t[None, :]
        tl.store(y + here, tl.sum(h * C_t[None, :], 1) + skip * x, real)
    tl.store(final + last, h, inside)


@triton.jit
def _backward(
    grad_y, grad_h, u, delta, A, B, C, D, bias, borders, scratch,
    grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_bias, grad_initial,
    groups, width, states, length, steps, stride, batch_step, channel_step, time_step, sequences,
    SOFTPLUS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    sequence, d, n, inside, weights, entries = _block(groups, width, states, CHANNELS, STATES)
    kind = A.dtype.element_ty
    real, valid = d < width, n < states
    decay_rate = tl.load(A + weights, inside, 0.0)
    skip = tl.load(D + (sequence % groups) * width + d, real, 0.0)
    shift = tl.load(bias + (sequence % groups) * width + d, real, 0.0)
    last = (sequence * width + d)[:, None] * states + n[None, :]
    g = tl.load(grad_h + last, inside, 0.0)
    row = (sequence // groups) * batch_step + ((sequence % groups) * width + d) * channel_step
    column = (sequence * states + n) * length
    partial = (
        column + tl.program_id(1).to(tl.int64) * sequences * states * length
    )  # grad_B and grad_C of this block of channels
    sum_A, sum_D, sum_bias = tl.zeros_like(decay_rate), tl.zeros_like(skip), tl.zeros_like(skip)
    chunks = tl.cdiv(length, steps)
    for back in range(chunks):
        start = (chunks - 1 - back) * steps
        stop = tl.minimum(start + steps, length)
        h = tl.load(borders + tl.cast(start // steps, tl.int64) * stride + entries, inside, 0.0)
        for t in range(start, stop):
            here = row + tl.cast(t, tl.int64) * time_step
            tl.store(scratch + tl.cast(t - start, tl.int64) * stride + entries, h, inside)
            x = tl.load(u + here, real, 0.0).to(kind)
            dt = _step_size(tl.load(delta + here, real, 0.0).to(kind) + shift, SOFTPLUS)
            B_t = tl.load(B + column + t, valid, 0.0).to(kind)
            h = tl.exp(dt[:, None] * decay_rate) * h + (dt * x)[:, None] * B_t[None, :]
        tl.debug_barrier()  # threads may read what others of the program wrote
        for ahead in range(stop - start):
            t = stop - 1 - ahead
            here = row + tl.cast(t, tl.int64) * time_step
            x = tl.load(u + here, real, 0.0).to(kind)
            raw = tl.load(delta + here, real, 0.0).to(kind) + shift
            dt = _step_size(raw, SOFTPLUS)
            B_t = tl.load(B + column + t, valid, 0.0).to(kind)
            C_t = tl.load(C + column + t, valid, 0.0).to(kind)
            gy = tl.load(grad_y + here, real, 0.0).to(kind)
            decay = tl.exp(dt[:, None] * decay_rate)
            decayed = decay * tl.load(scratch + tl.cast(t - start, tl.int64) * stride + entries, inside, 0.0)
            h = decayed + (dt * x)[:, None] * B_t[None, :]
            g += gy[:, None] * C_t[None, :]  # dL/dh
            tl.store(grad_C + partial + t, tl.sum(h * gy[:, None], 0), valid)
            tl.store(grad_B + partial + t, tl.sum(g * (dt * x)[:, None], 0), valid)
            grad_drive = tl.sum(g * B_t[None, :], 1)
            grad_exponent = g * decayed  # dL/d(dt A)
            grad_dt = tl.sum(grad_exponent * decay_rate, 1) + grad_drive * x
            if SOFTPLUS:
                grad_dt = grad_dt / (1.0 + tl.exp(-raw))
            sum_A += grad_exponent * dt[:, None]
            sum_D += gy * x
            sum_bias += grad_dt
            tl.store(grad_u + here, grad_drive * dt + gy * skip, real)
            tl.store(grad_delta + here, grad_dt, real)
            g = g * decay
        tl.debug_barrier()  # before the next chunk overwrites the scratch buffer
    tl.store(grad_initial + last, g, inside)
    tl.store(grad_A + last, sum_A, inside)
    tl.store(grad_D + sequence * width + d, sum_D, real)
    tl.store(grad_bias + sequence * width + d, sum_bias, real)


def _launch(B: Tensor, like: Tensor, softplus: bool) -> tuple[tuple[int, int], tuple[int, ...], dict[str, int | bool]]:
    """Grid, sizes and constants of both kernels; all (B, D, L) are laid out `like` one of them."""
    (batch, groups, states, length), channels = B.shape, like.shape[1]
    width = channels // groups
    sizes = (groups, width, states, length, chunk_length(length), batch * channels * states, *like.stride())
    constants = {
        "SOFTPLUS": softplus,
        "CHANNELS": _CHANNELS,
        "STATES": triton.next_power_of_2(states),
        "num_warps": 1,
        "enable_fp_fusion": True,
    }
    return (batch * groups, triton.cdiv(width, _CHANNELS)), sizes, constants


def _lay_out(x: Tensor, like: Tensor) -> Tensor:
    """`x` with the strides of `like`."""
    return x if x.stride() == like.stride() else torch.empty_like(like, dtype=x.dtype).copy_(x)


def forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor, h: Tensor, softplus: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs, final state, and the states (K, B, G, N, D / G) before each chunk."""
    y, final = torch.empty_like(u), torch.empty_like(h, memory_format=torch.contiguous_format)
    grid, sizes, constants = _launch(B, y, softplus)
    inputs = [*(_lay_out(x, y) for x in (u, delta)), *(x.contiguous() for x in (A, B, C, D, bias, h))]
    chunks = triton.cdiv(B.shape[3], chunk_length(B.shape[3]))
    borders = A.new_empty(chunks, *B.shape[:3], u.shape[1] // B.shape[1])
    with torch.cuda.device_of(u):
        _forward[grid](*inputs, y, final, borders, *sizes, **constants)
    return y, final, borders


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
) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C, D, bias and the initial state."""
    grad_u, grad_delta = torch.empty_like(u), torch.empty_like(u, dtype=delta.dtype)
    grid, sizes, constants = _launch(B, grad_u, softplus)
    grad_y, u, delta = (_lay_out(x, grad_u) for x in (grad_y, u, delta))
    inputs = [grad_y, grad_h.contiguous(), u, delta, *(x.contiguous() for x in (A, B, C, D, bias, borders))]
    scratch = A.new_empty(chunk_length(B.shape[3]), *borders.shape[1:])
    grad_A, grad_initial = torch.empty_like(inputs[1]), torch.empty_like(inputs[1])
    grad_B, grad_C = A.new_empty(2, grid[1], *B.shape)
    grad_D, grad_bias = A.new_empty(2, *u.shape[:2])
    results = (grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_bias, grad_initial)
    with torch.cuda.device_of(u):
        _backward[grid](*inputs, scratch, *results, *sizes, grid[0], **constants)
    return (
        grad_u,
        grad_delta,
        grad_A.sum(0),
        grad_B.sum(0).to(B.dtype),
        grad_C.sum(0).to(C.dtype),
        grad_D.sum(0),
        grad_bias.sum(0),
        grad_initial,
    )
