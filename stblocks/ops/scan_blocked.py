"""The selective scan in plain PyTorch: chunk after chunk, with states in a buffer of one chunk."""

import math
from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

_LOG2_E = math.log2(math.e)


def chunk_length(length: int) -> int:
    """Steps of a chunk: about the square root of all, where chunk and chunk borders take the least memory together."""
    return math.isqrt(length - 1) + 1


def _softplus(x: Tensor) -> Tensor:
    """log(1 + e^x), by functions that are quick in every process (docs/scan.md).

    The quotient is what rounding 1 + e^x took away; for large x the maximum is x.
    """
    power = x.clamp(max=64).exp_()
    one_more = 1 + power
    lost = (one_more - 1).sub_(power).div_(one_more)
    return torch.maximum(one_more.log_().sub_(lost), x)


def _turned(x: Tensor, reverse: Sequence[int], out: Tensor | None = None) -> Tensor:
    """`x` (B, G or G d, ..., L) with the groups that run backwards flipped in time: its own inverse.

    It goes to `out`, or to a tensor with time first in memory, whose chunks need no copy any more.
    """
    if out is None:
        out = x.new_empty(x.shape[-1], *x.shape[:-1]).movedim(0, -1)
    start, width = 0, x.shape[1] // len(reverse)
    for backwards, run in groupby(reverse):
        stop = start + width * len(list(run))
        part = x[:, start:stop]
        out[:, start:stop] = part.flip(-1) if backwards else part
        start = stop
    return out


class _Chunks:
    """The inputs of a scan, read chunk by chunk as (T, B, G, 1 or N, D / G): channels last, where loops vectorise."""

    def __init__(self, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, bias: Tensor, softplus: bool) -> None:
        self.u, self.delta, self.B, self.softplus = u, delta, B, softplus
        self.dtype, self.groups, self.length = A.dtype, B.shape[1], B.shape[3]
        self.steps = chunk_length(self.length)
        self.A = self.channels_last(A)  # (G, N, d)
        self.rate = self.A * _LOG2_E  # 2^x has faster kernels than e^x
        self.bias = bias.view(self.groups, 1, -1)
        shape = (self.steps, len(B), *self.A.shape)
        self.decay, self.h = A.new_empty(shape), A.new_empty(shape)

    def __len__(self) -> int:
        return -(-self.length // self.steps)

    def span(self, index: int) -> slice:
        return slice(index * self.steps, min((index + 1) * self.steps, self.length))

    def channels_last(self, x: Tensor) -> Tensor:
        """(..., G d, N) to (..., G, N, d)."""
        return x.to(self.dtype).unflatten(-2, (self.groups, -1)).transpose(-1, -2).contiguous()

    def per_channel(self, x: Tensor, span: slice) -> Tensor:
        """(B, G d, L) to (T, B, G, 1, d)."""
        x = x[:, :, span].to(self.dtype).unflatten(1, (self.groups, -1))
        return x.permute(3, 0, 1, 2).contiguous().unsqueeze(3)

    def per_state(self, x: Tensor, span: slice) -> Tensor:
        """(B, G, N, L) to (T, B, G, N, 1)."""
        return x[..., span].to(self.dtype).permute(3, 0, 1, 2).contiguous().unsqueeze(4)

    def scan(self, index: int, h: Tensor) -> tuple[Tensor, ...]:
        """u, delta + bias, dt, dt u, B, exp(dt A) and the states of a chunk that starts from `h`."""
        span = self.span(index)
        u, B = self.per_channel(self.u, span), self.per_state(self.B, span)
        raw = self.per_channel(self.delta, span) + self.bias
        dt = _softplus(raw) if self.softplus else raw
        drive = dt * u
        decay = torch.mul(dt, self.rate, out=self.decay[: len(dt)]).exp2_()
        states = torch.mul(drive, B, out=self.h[: len(dt)])
        for decay_t, h_t in zip(decay.unbind(), states.unbind(), strict=True):
            h = h_t.addcmul_(decay_t, h)
        return u, raw, dt, drive, B, decay, states


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
    reverse: Sequence[int] = (),
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs, final state, and the states (K, B, G, N, D / G) before each chunk."""
    if any(reverse):
        u_, delta, B, C = (_turned(x, reverse) for x in (u, delta, B, C))
        y, h, borders = forward(u_, delta, A, B, C, D, bias, h, softplus)
        return _turned(y, reverse, torch.empty_like(u)), h, borders
    chunks = _Chunks(u, delta, A, B, bias, softplus)
    y = torch.empty_like(u)
    h = chunks.channels_last(h)
    borders = h.new_empty(len(chunks), *h.shape)
    skip = D.view(chunks.groups, 1, -1)
    for index in range(len(chunks)):
        span = chunks.span(index)
        borders[index] = h
        x, *_, states = chunks.scan(index, borders[index])
        out = torch.matmul(chunks.per_state(C, span).mT, states).addcmul_(x, skip)  # (T, B, G, 1, d)
        y[:, :, span] = out.flatten(2).permute(1, 2, 0)
        h = states[-1]
    return y, h.transpose(-1, -2).flatten(1, 2).contiguous(), borders


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
    reverse: Sequence[int] = (),
) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C, D, bias and the initial state: chunks from last to first, states recomputed."""
    if any(reverse):
        u_, delta_, B_, C_, grad_y = (_turned(x, reverse) for x in (u, delta, B, C, grad_y))
        gradients = backward(grad_y, grad_h, u_, delta_, A, B_, C_, D, bias, borders, softplus)
        empty = (torch.empty_like(u), torch.empty_like(u, dtype=delta.dtype), None, *map(torch.empty_like, (B, C)))
        into = (*empty, None, None, None)
        return tuple(x if y is None else _turned(x, reverse, y) for x, y in zip(gradients, into, strict=True))
    chunks = _Chunks(u, delta, A, B, bias, softplus)
    skip = D.view(chunks.groups, 1, -1)
    grad_u, grad_delta = torch.empty_like(u), torch.empty_like(u, dtype=delta.dtype)
    grad_B, grad_C = torch.empty_like(B), torch.empty_like(C)
    grad_A, grad_D, grad_bias = (torch.zeros_like(x) for x in (chunks.A, skip, skip))
    carry = chunks.channels_last(grad_h)
    buffer = torch.empty_like(chunks.h)
    for index in reversed(range(len(chunks))):
        span = chunks.span(index)
        x, raw, dt, drive, B_, decay, states = chunks.scan(index, borders[index])
        gy, C_ = chunks.per_channel(grad_y, span), chunks.per_state(C, span)
        g = torch.mul(C_, gy, out=buffer[: len(dt)])  # becomes dL/dh
        grad_C[..., span] = torch.matmul(states, gy.mT).squeeze(4).permute(1, 2, 3, 0)
        g[-1] += carry
        steps = list(zip(g.unbind(), decay.unbind(), strict=True))
        for (g_t, _), (later, decay_later) in zip(steps[-2::-1], steps[:0:-1], strict=True):
            g_t.addcmul_(decay_later, later)
        grad_B[..., span] = torch.matmul(g, drive.mT).squeeze(4).permute(1, 2, 3, 0)
        grad_drive = torch.matmul(B_.mT, g)
        decay.mul_(g)
        carry = decay[0].clone()
        decay[0].mul_(borders[index])
        decay[1:].mul_(states[:-1])  # dL/d(dt A)
        grad_dt = torch.mul(decay, chunks.A, out=states).sum(3, keepdim=True).addcmul_(grad_drive, x)
        grad_A += decay.mul_(dt).sum((0, 1))
        grad_D += (gy * x).sum((0, 1))
        if softplus:
            grad_dt.mul_(raw.sigmoid_())
        grad_bias += grad_dt.sum((0, 1))
        grad_u[:, :, span] = grad_drive.mul_(dt).addcmul_(gy, skip).flatten(2).permute(1, 2, 0)
        grad_delta[:, :, span] = grad_dt.flatten(2).permute(1, 2, 0)

    def channels_first(x: Tensor) -> Tensor:
        return x.transpose(-1, -2).flatten(-3, -2).contiguous()

    return (
        grad_u,
        grad_delta,
        channels_first(grad_A),
        grad_B,
        grad_C,
        grad_D.flatten(),
        grad_bias.flatten(),
        channels_first(carry),
    )
