"""The selective scan against a plain loop over steps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from stblocks.ops.selective_scan import selective_scan
from tests.golden import close

DOUBLE = {"dtype": torch.float64}


def loop(u, delta, A, B, C, D=None, delta_bias=None, delta_softplus=True, initial_state=None):
    """The recurrence, step by step."""
    dt = delta if delta_bias is None else delta + delta_bias[:, None]
    dt = functional.softplus(dt) if delta_softplus else dt
    repeats = u.shape[1] // B.shape[1]
    B, C = B.repeat_interleave(repeats, dim=1), C.repeat_interleave(repeats, dim=1)
    h = u.new_zeros(*u.shape[:2], A.shape[1]) if initial_state is None else initial_state
    y = []
    for t in range(u.shape[2]):
        h = torch.exp(dt[..., t, None] * A) * h + (dt * u)[..., t, None] * B[..., t]
        y.append((h * C[..., t]).sum(-1) + (0 if D is None else D * u[..., t]))
    return torch.stack(y, dim=2), h


def draw(batch, per_group, length, states=3, groups=1, seed=0, **kind):
    """u, delta, A, B, C, D, delta_bias, initial_state."""
    torch.manual_seed(seed)
    channels = groups * per_group
    inputs = [torch.randn(batch, channels, length), torch.randn(batch, channels, length)]
    inputs += [-torch.rand(channels, states) * 3, *torch.randn(2, batch, groups, states, length)]
    inputs += [*torch.randn(2, channels), torch.randn(batch, channels, states)]
    return [x.to(**(kind or DOUBLE)).requires_grad_() for x in inputs]


def gradients(outputs, inputs, seed=0):
    torch.manual_seed(seed)
    return torch.autograd.grad(outputs, inputs, [torch.randn_like(x) for x in outputs])


@settings(max_examples=25)
@given(
    batch=st.integers(1, 3),
    groups=st.integers(1, 4),
    per_group=st.integers(1, 5),
    length=st.integers(1, 40),
    states=st.integers(1, 7),
    softplus=st.booleans(),
    seed=st.integers(0, 99),
)
def test_scan_is_the_recurrence(batch, groups, per_group, length, states, softplus, seed):
    inputs = draw(batch, per_group, length, states, groups, seed)
    if not softplus:
        inputs[1].data.abs_()
        inputs[6].data.abs_()
    ours = selective_scan(*inputs[:7], softplus, inputs[7], True)
    plain = loop(*inputs[:7], softplus, inputs[7])
    for a, b in zip((*ours, *gradients(ours, inputs)), (*plain, *gradients(plain, inputs)), strict=True):
        close(a, b, "scan", 1e-10)
