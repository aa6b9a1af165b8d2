"""The kernels of the selective scan in Triton: a program for a chunk of one sequence and a block of its channels.

A sequence is a batch item and a group. States stay in the registers of a warp, all N of a channel. Lengths of chunks
are constants of compilation and steps past the end are masked, so that loops have fixed bounds.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-def"

import triton
import triton.language as tl

jit = triton.jit(do_not_specialize=["state_step"])


@triton.jit
def step_size(raw, inside, SOFTPLUS: tl.constexpr):
    """softplus, with what rounding 1 + e^x took away; above 20 it is the identity to rounding; 0 outside."""
    if SOFTPLUS:
        power = tl.exp(tl.minimum(raw, 20.0))
        one_more = 1.0 + power
        lost = ((one_more - 1.0) - power) / one_more
        raw = tl.where(raw > 20.0, raw, tl.log(one_more) - lost)
    return tl.where(inside, raw, 0.0)


@triton.jit
def block(
    A, bias, sequences, groups, width, states, u_batch, u_channel, state_step,
    CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """This program's chunk and sequence, its item and group, channels d and states n; which of these there are, and its
    entries of (B, D, N) and (K, B, G, N, d); A, the bias, and where its channels begin in (B, D, L).

    `state_step` is 1, which the compiler is not to know: where states lie side by side it deals them out to threads in
    one way, where channels do in another, and moves them from the one to the other at every step.
    """
    chunk = tl.program_id(0) // sequences
    sequence = (tl.program_id(0) % sequences).to(tl.int64)
    d = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    n = tl.arange(0, STATES)
    item, group = sequence // groups, sequence % groups
    real = d < width
    inside = (n < states)[:, None] & real[None, :]
    weights = (group * width + d)[None, :] * states + n[:, None] * state_step
    entries = (sequence * width + d)[None, :] * states + n[:, None] * state_step
    borders = ((chunk * sequences + sequence) * states + n[:, None]) * width + d[None, :]
    rate = tl.load(A + weights, inside, 0.0)
    shift = tl.load(bias + group * width + d, real, 0.0)
    row = item * u_batch + (group * width + d) * u_channel
    return chunk, sequence, item, group, d, n, real, inside, entries, borders, rate, shift, row


@triton.jit
def position(step, length, sequence, groups, reverse, period):
    """Where a step lies in memory, from the end in groups that run backwards, and whether there is such a step."""
    backwards = (reverse >> ((sequence % groups) % period)) & 1
    inside = step < length
    at = tl.where(backwards == 1, length - 1 - step, step)
    return tl.where(inside, at, 0).to(tl.int64), inside


@jit
def walk(
    u, delta, A, B, C, D, bias, initial, starts, y, ends, spans, final,
    sequences, groups, width, states, length, chunks, reverse, period,
    u_batch, u_channel, u_step, B_batch, B_group, B_state, B_step, C_batch, C_group, C_state, C_step, state_step,
    LAST: tl.constexpr, ALONE: tl.constexpr,
    SOFTPLUS: tl.constexpr, STEPS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """A chunk from its start to its end.

    `LAST` walks from the state before the chunk and writes outputs, and the final state; else the start is zero, and
    written are the state at the end and the sum of all step sizes, from which the decay of the whole chunk follows.
    The state before the only chunk (`ALONE`) is the initial one.
    """
    chunk, sequence, item, group, d, n, real, inside, entries, borders, rate, shift, row = block(
        A, bias, sequences, groups, width, states, u_batch, u_channel, state_step, CHANNELS, STATES
    )
    kind = A.dtype.element_ty
    column_B = item * B_batch + group * B_group + n * B_state
    column_C = item * C_batch + group * C_group + n * C_state
    skip = tl.load(D + group * width + d, real, 0.0)
    if ALONE:
        h = tl.load(initial + entries, inside, 0.0)
        tl.store(starts + borders, h, inside)
    elif LAST:
        h = tl.load(starts + borders, inside, 0.0)
    else:
        h = tl.zeros_like(rate)
    total = tl.zeros_like(shift)
    for t in range(STEPS):
        at, now = position(chunk * STEPS + t, length, sequence, groups, reverse, period)
        here = row + at * u_step
        x = tl.load(u + here, d < now * width, 0.0).to(kind)
        dt = step_size(tl.load(delta + here, d < now * width, 0.0).to(kind) + shift, now, SOFTPLUS)
        B_t = tl.load(B + column_B + at * B_step, n < now * states, 0.0).to(kind)
        h = tl.exp(dt[None, :] * rate) * h + (dt * x)[None, :] * B_t[:, None]
        if LAST:
            C_t = tl.load(C + column_C + at * C_step, n < now * states, 0.0).to(kind)
            tl.store(y + here, tl.sum(h * C_t[:, None], 0) + skip * x, d < now * width)
        else:
            total += dt
    if LAST:
        if chunk == chunks - 1:
            tl.store(final + entries, h, inside)
    else:
        tl.store(ends + borders, h, inside)
        tl.store(spans + (chunk * sequences + sequence) * width + d, total, real)


@triton.jit
def _then(decay, x, decay_later, x_later):
    """Two steps of a linear recurrence as one."""
    return decay * decay_later, x * decay_later + x_later


@triton.jit
def carry(
    A, first, ends, spans, starts,
    sequences, groups, width, states, chunks,
    BACK: tl.constexpr, ROUNDS: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """From the ends of all chunks to their starts, for one state of a block of channels; backwards, for dL/dh.

    The starts follow the recurrence start_k = decay_(k-1) start_(k-1) + end_(k-1), which is associative: ROWS at once.
    """
    sequence, n = (tl.program_id(0) // states).to(tl.int64), tl.program_id(0) % states
    d = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    real = d < width
    rate = tl.load(A + ((sequence % groups) * width + d) * states + n, real, 0.0)
    h = tl.load(first + (sequence * width + d) * states + n, real, 0.0)
    row = tl.arange(0, ROWS)
    for round in range(ROUNDS):
        order = round * ROWS + row
        this, before = order, order - 1
        if BACK:
            this, before = chunks - 1 - order, chunks - order
        known = (order > 0) & (order < chunks)
        at = before.to(tl.int64) * sequences + sequence
        mask = known[:, None] & real[None, :]
        span = tl.load(spans + at[:, None] * width + d[None, :], mask, 0.0)
        end = tl.load(ends + (at[:, None] * states + n) * width + d[None, :], mask, 0.0)
        decay, own = tl.associative_scan((tl.exp(span * rate[None, :]), end), 0, _then)
        start = decay * h[None, :] + own
        here = this.to(tl.int64) * sequences + sequence
        mask = (order < chunks)[:, None] & real[None, :]
        tl.store(starts + (here[:, None] * states + n) * width + d[None, :], start, mask)
        h = tl.sum(tl.where((row == ROWS - 1)[:, None], start, 0.0), 0)
