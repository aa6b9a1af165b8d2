"""The kernels of the selective scan's gradients in Triton, on the same programs as those of the scan."""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-def"

import triton.language as tl

from .scan_kernels import block, jit, position, step_size


@jit
def walk_back(
    grad_y, delta, A, C, bias, ends, spans,
    sequences, groups, width, states, length, reverse, period,
    u_batch, u_channel, u_step, C_batch, C_group, C_state, C_step, state_step,
    SOFTPLUS: tl.constexpr, STEPS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """dL/dh of the state before a chunk as if nothing came from later ones, and the chunk's sum of step sizes."""
    chunk, sequence, item, group, d, n, real, inside, _, borders, rate, shift, row = block(
        A, bias, sequences, groups, width, states, u_batch, u_channel, state_step, CHANNELS, STATES
    )
    kind = A.dtype.element_ty
    column_C = item * C_batch + group * C_group + n * C_state
    g, total = tl.zeros_like(rate), tl.zeros_like(shift)
    for t in range(STEPS):
        at, now = position(chunk * STEPS + t, length, sequence, groups, reverse, period)
        here = row + at * u_step
        gy = tl.load(grad_y + here, d < now * width, 0.0).to(kind)
        total += step_size(tl.load(delta + here, d < now * width, 0.0).to(kind) + shift, now, SOFTPLUS)
        C_t = tl.load(C + column_C + at * C_step, n < now * states, 0.0).to(kind)
        g += tl.exp(total[None, :] * rate) * (gy[None, :] * C_t[:, None])  # decay since the start of the chunk
    tl.store(ends + borders, g, inside)
    tl.store(spans + (chunk * sequences + sequence) * width + d, total, real)


@jit
def differentiate(
    grad_y, grad_h, u, delta, A, B, C, D, bias, borders, later, scratch,
    grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_bias, grad_initial,
    sequences, groups, width, states, length, reverse, period, size,
    u_batch, u_channel, u_step, B_batch, B_group, B_state, B_step, C_batch, C_group, C_state, C_step, state_step,
    ALONE: tl.constexpr, STRIDE: tl.constexpr,
    SOFTPLUS: tl.constexpr, STEPS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """Gradients of a chunk, from its last step to its first, once the state before it and dL/dh after it are known.

    A first walk leaves every STRIDE-th state in `scratch`; from the one before it each step is walked to once more.
    """
    chunk, sequence, item, group, d, n, real, inside, entries, here, rate, shift, row = block(
        A, bias, sequences, groups, width, states, u_batch, u_channel, state_step, CHANNELS, STATES
    )
    kind = A.dtype.element_ty
    skip = tl.load(D + group * width + d, real, 0.0)
    column_B = item * B_batch + group * B_group + n * B_state
    column_C = item * C_batch + group * C_group + n * C_state
    # grad_B and grad_C (blocks, B, L, G, N) are sums over this block's channels
    partial = (tl.program_id(1) * (sequences // groups) + item) * length
    saved = scratch + here + chunk.to(tl.int64) * (STEPS // STRIDE - 1) * size  # `size` entries a state
    h = tl.load(borders + here, inside, 0.0)
    for t in range(STEPS - STRIDE + 1):
        if t % STRIDE == 0:
            tl.store(saved + (t // STRIDE) * size, h, inside)
        at, now = position(chunk * STEPS + t, length, sequence, groups, reverse, period)
        place = row + at * u_step
        x = tl.load(u + place, d < now * width, 0.0).to(kind)
        dt = step_size(tl.load(delta + place, d < now * width, 0.0).to(kind) + shift, now, SOFTPLUS)
        B_t = tl.load(B + column_B + at * B_step, n < now * states, 0.0).to(kind)
        h = tl.exp(dt[None, :] * rate) * h + (dt * x)[None, :] * B_t[:, None]
    tl.debug_barrier()  # threads may read what others of the program wrote
    g = tl.load(grad_h + entries, inside, 0.0) if ALONE else tl.load(later + here, inside, 0.0)
    sum_A, sum_D, sum_bias = tl.zeros_like(rate), tl.zeros_like(skip), tl.zeros_like(skip)
    for back in range(STEPS):
        t = STEPS - 1 - back
        s = t - t % STRIDE
        h = tl.load(saved + (t // STRIDE) * size, inside, 0.0)
        while s < t:  # no range: a bound that is no constant stops the interpreter of some versions
            at, now = position(chunk * STEPS + s, length, sequence, groups, reverse, period)
            place = row + at * u_step
            x = tl.load(u + place, d < now * width, 0.0).to(kind)
            dt = step_size(tl.load(delta + place, d < now * width, 0.0).to(kind) + shift, now, SOFTPLUS)
            B_t = tl.load(B + column_B + at * B_step, n < now * states, 0.0).to(kind)
            h = tl.exp(dt[None, :] * rate) * h + (dt * x)[None, :] * B_t[:, None]
            s += 1
        at, now = position(chunk * STEPS + t, length, sequence, groups, reverse, period)
        place = row + at * u_step
        x = tl.load(u + place, d < now * width, 0.0).to(kind)
        raw = tl.load(delta + place, d < now * width, 0.0).to(kind) + shift
        dt = step_size(raw, now, SOFTPLUS)
        gy = tl.load(grad_y + place, d < now * width, 0.0).to(kind)
        B_t = tl.load(B + column_B + at * B_step, n < now * states, 0.0).to(kind)
        C_t = tl.load(C + column_C + at * C_step, n < now * states, 0.0).to(kind)
        decay = tl.exp(dt[None, :] * rate)
        decayed = decay * h
        drive = dt * x
        g += gy[None, :] * C_t[:, None]  # dL/dh
        sums = ((partial + at) * groups + group) * states + n
        tl.store(grad_B + sums, tl.sum(g * drive[None, :], 1), n < now * states)
        tl.store(grad_C + sums, tl.sum((decayed + drive[None, :] * B_t[:, None]) * gy[None, :], 1), n < now * states)
        grad_drive = tl.sum(g * B_t[:, None], 0)
        grad_exponent = g * decayed  # dL/d(dt A)
        grad_dt = tl.sum(grad_exponent * rate, 0) + grad_drive * x
        if SOFTPLUS:
            grad_dt = grad_dt / (1.0 + tl.exp(-raw))
        grad_dt = tl.where(now, grad_dt, 0.0)
        sum_A += grad_exponent * dt[None, :]
        sum_D += gy * x
        sum_bias += grad_dt
        tl.store(grad_u + place, grad_drive * dt + gy * skip, d < now * width)
        tl.store(grad_delta + place, grad_dt, d < now * width)
        g = g * decay
    at = (chunk.to(tl.int64) * sequences + sequence) * width + d
    tl.store(grad_A + at[None, :] * states + n[:, None], sum_A, inside)
    tl.store(grad_D + at, sum_D, real)
    tl.store(grad_bias + at, sum_bias, real)
    if chunk == 0:
        tl.store(grad_initial + entries, g, inside)
