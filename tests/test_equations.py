"""Blocks against the papers' equations, written out plainly."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, leaky_relu

from stblocks import GFM, MGM, ConvGRU, ConvLSTM, SimpleGFM, STConvLSTM, TrajGRU
from stblocks.blocks.maps.gsta import GatedAttention
from stblocks.blocks.plugs.mgm import GrowthDecay
from stblocks.testing import example

sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))


@settings(max_examples=25)
@given(size=sizes, focus=st.sampled_from(["spatial", "pooled"]), seed=st.integers(0, 99))
def test_gfm(size, focus, seed):
    gfm, (x, h) = example(lambda: GFM(3, 4, focus=focus), size=size, seed=seed)
    pooled = torch.relu(gfm.local(x)).mean((2, 3))  # (1)
    overall = torch.relu(gfm.linear(pooled))[:, :, None, None].expand_as(h)  # (2)
    gate = torch.sigmoid(conv2d(torch.cat([h, overall], 1), gfm.gate.weight, gfm.gate.bias, padding=1))  # (3)
    expected = h * gate + overall * (1 - gate)  # (4)
    weights = dict(gfm.focus.named_parameters())
    parts = [conv2d(x, weights[f"weight{k}"], weights[f"bias{k}"], padding=k // 2) for k in (1, 3, 5)]
    focus_map = sum(parts)  # (5)
    expected = expected * (focus_map.mean((2, 3), keepdim=True) if focus == "pooled" else focus_map)  # (6)
    torch.testing.assert_close(gfm(x, h), expected)


@settings(max_examples=10)
@given(size=sizes, seed=st.integers(0, 99))
def test_simple_gfm(size, seed):
    gfm, (x, h) = example(lambda: SimpleGFM(3, 4), size=size, seed=seed)
    torch.testing.assert_close(gfm(x, h), h * conv2d(x, gfm.focus.weight, padding=2))


@settings(max_examples=10)
@given(bias=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 99))
def test_convlstm(bias, seed):
    cell, (x, h, c0) = example(lambda: ConvLSTM(3, 4, kernel_size=3, forget_bias=bias), seed=seed)

    def gate(k):
        own = slice(4 * k, 4 * k + 4)
        return conv2d(x, cell.conv_x.weight[own], padding=1) + conv2d(h, cell.conv_h.weight[own], padding=1)

    c = torch.sigmoid(gate(1) + bias) * c0 + torch.sigmoid(gate(0)) * torch.tanh(gate(2))
    o = torch.sigmoid(gate(3))
    for ours, expected in zip(cell(x, h, c0), (o * torch.tanh(c), c, o), strict=True):
        torch.testing.assert_close(ours, expected)


@settings(max_examples=10)
@given(size=sizes, seed=st.integers(0, 99))
def test_conv_gru(size, seed):
    cell, (x, h) = example(lambda: ConvGRU(3, 4), size=size, seed=seed)
    of_x, of_h = cell.conv_x.weight.split(4), cell.conv_h.weight.split(4)
    z, r, before = (
        conv2d(x, weight, bias, padding=1) for weight, bias in zip(of_x, cell.conv_x.bias.split(4), strict=True)
    )
    z = torch.sigmoid(z + conv2d(h, of_h[0], padding=1))  # (5)
    r = torch.sigmoid(r + conv2d(h, of_h[1], padding=1))  # (6)
    candidate = torch.tanh(before + conv2d(r * h, cell.candidate.weight, padding=1))  # (7)
    torch.testing.assert_close(cell(x, h), (1 - z) * h + z * candidate)  # (8)


def looked_up(h, rows, columns):
    """Eq. 4 of TrajGRU as printed: a sum over all positions of the map for each one of the result."""
    height, width = h.shape[-2:]
    warped = torch.zeros_like(h)
    for i in range(height):
        for j in range(width):
            near_rows = (1 - (i + rows[:, i, j, None] - torch.arange(height)).abs()).clamp_min(0)
            near_columns = (1 - (j + columns[:, i, j, None] - torch.arange(width)).abs()).clamp_min(0)
            warped[:, :, i, j] = torch.einsum("bchw,bh,bw->bc", h, near_rows, near_columns)
    return warped


@settings(max_examples=6)
@given(size=sizes, seed=st.integers(0, 99))
def test_traj_gru(size, seed):
    cell, (x, h) = example(lambda: TrajGRU(3, 4, links=2, flow_channels=3), size=size, seed=seed)
    flow = cell.flow(torch.cat([x, h], 1))
    links = [looked_up(h, flow[:, link], flow[:, 2 + link]) for link in range(2)]  # (4)
    inputs = conv2d(x, cell.conv_x.weight, cell.conv_x.bias, padding=1).chunk(3, 1)
    states = sum(conv2d(s, w) for s, w in zip(links, cell.links.weight.split(4, 1), strict=True))
    states = (states + cell.links.bias.view(-1, 1, 1)).chunk(3, 1)
    z, r = (torch.sigmoid(inputs[k] + states[k]) for k in (0, 1))
    candidate = leaky_relu(inputs[2] + r * states[2], 0.2)
    torch.testing.assert_close(cell(x, h), (1 - z) * candidate + z * h)  # (3)


@settings(max_examples=10)
@given(bias=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 99))
def test_st_convlstm(bias, seed):
    cell, (x, h, c0, m0) = example(lambda: STConvLSTM(3, 4, kernel_size=3, forget_bias=bias), seed=seed)

    def part(conv, values, k):
        return conv2d(values, conv.weight[4 * k : 4 * k + 4], padding=1)

    i, f, g = (part(cell.conv_x, x, k) + part(cell.conv_h, h, k) for k in range(3))
    c = torch.sigmoid(f + bias) * c0 + torch.sigmoid(i) * torch.tanh(g)  # (26-29)
    i, f, g = (part(cell.conv_x, x, k + 3) + part(cell.conv_m, m0, k) for k in range(3))
    m = torch.sigmoid(f + bias) * m0 + torch.sigmoid(i) * torch.tanh(g)  # (30-33)
    both = torch.cat([c, m], 1)
    o = torch.sigmoid(part(cell.conv_x, x, 6) + part(cell.conv_h, h, 3) + part(cell.conv_o, both, 0))  # (34)
    expected = (o * torch.tanh(conv2d(both, cell.conv_last.weight)), c, m, o)  # (35)
    for ours, each in zip(cell(x, h, c0, m0), expected, strict=True):
        torch.testing.assert_close(ours, each)


@pytest.mark.parametrize("growth", ["product", "head"])
def test_trend_decays_with_elapsed_steps(growth):
    """Without growth, what a trend was k steps ago weighs exp(-beta k), wherever the sample stands in the batch."""
    torch.manual_seed(0)
    rule = GrowthDecay(4, growth=growth)
    with torch.no_grad():
        rule.alpha_linear.weight.zero_()
        rule.alpha_linear.bias.fill_(-60.0)  # alpha_d = 0
        rule.alpha.zero_()
    x, d = torch.randn(3, 4, 5, 5), torch.randn(3, 18, 5, 5)
    beta = 0.5 * (torch.sigmoid(rule.beta_linear(x.mean((2, 3)))) + rule.beta)
    after = d
    for _ in range(3):
        after = rule(x, after)
    torch.testing.assert_close(after, torch.exp(-3 * beta)[:, :, None, None] * d)


def test_batch_decay_is_the_released_quirk():
    rule = GrowthDecay(2, time_decay="batch")
    x, d = torch.ones(3, 2, 1, 1), torch.ones(3, 2, 1, 1)
    factor = rule(x, d)[:, 0, 0, 0].tolist()
    rise, beta = factor[0] - 1, factor[1] - (factor[0] - 1)
    assert math.isclose(factor[2] - rise, beta**2, rel_tol=1e-5)
    assert MGM(8, time_decay="batch").motion.trend.by_batch


def test_the_second_half_gates_in_gsta():
    attention, maps = GatedAttention(4, kernel_size=5, dilation=2), torch.randn(2, 4, 5, 3)
    kept, gate = attention.split(attention.large(maps)).split(4, dim=1)  # (12), (13)
    torch.testing.assert_close(attention(maps), torch.sigmoid(gate) * kept)  # (14)
