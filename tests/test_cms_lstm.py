"""CE and SE against the equations of their paper, on any size of map."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from stblocks import CE, SE, Cell, ConvLSTM
from stblocks.blocks.plugs.se import MultiScaleAttention
from stblocks.testing import example


@settings(max_examples=10)
@given(iterations=st.integers(1, 6), scale=st.sampled_from([1.0, 2.0]), seed=st.integers(0, 99))
def test_ce_updates_in_turn(iterations, scale, seed):
    ce, (x, h) = example(lambda: CE(3, 4, kernel_size=3, iterations=iterations, scale=scale), seed=seed)
    expected_x, expected_h = x, h
    for count in range(1, iterations + 1):  # (2)
        if count % 2:
            weight = torch.sigmoid(conv2d(expected_h, ce.weigh_x.weight, ce.weigh_x.bias, padding=1))
            expected_x = scale * weight * expected_x
        else:
            weight = torch.sigmoid(conv2d(expected_x, ce.weigh_h.weight, ce.weigh_h.bias, padding=1))
            expected_h = scale * weight * expected_h
    for ours, expected in zip(ce(x, h), (expected_x, expected_h), strict=True):
        torch.testing.assert_close(ours, expected)
    assert torch.equal(ce(x, h)[1], h) == (iterations == 1)


def look(z, attention, index, rows, columns):
    """Attention of one scale within one window of both maps, with the matrix of scores written out."""
    height, width = z.shape[2], z.shape[3] // 2
    rows, columns = slice(rows.start, min(rows.stop, height)), slice(columns.start, min(columns.stop, width))
    channels = z.shape[1]
    tokens = torch.cat([half[:, :, rows, columns].flatten(2) for half in z.split(width, dim=3)], dim=2).mT  # (B, L, C)
    own = slice(3 * channels * index, 3 * channels * (index + 1))
    q, k, v = (tokens @ attention.project.weight[own].T + attention.project.bias[own]).chunk(3, dim=-1)
    return rows, columns, (torch.softmax(q @ k.mT, dim=-1) @ v + tokens).mT  # (4)


@settings(max_examples=25)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    scales=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_windows_of_any_size(size, scales, seed):
    scales = [min(scale, *size) for scale in scales]
    torch.manual_seed(seed)
    (height, width), channels = size, 3
    attention = MultiScaleAttention(channels, scales).double()
    z = torch.randn(2, channels, height, 2 * width, dtype=torch.float64)
    ours = attention(z)
    assert ours.shape == (2, len(scales) * channels, height, 2 * width)
    for index, scale in enumerate(scales):
        side = math.ceil(height / scale), math.ceil(width / scale)
        for top in range(0, height, side[0]):
            for left in range(0, width, side[1]):
                window = slice(top, top + side[0]), slice(left, left + side[1])
                rows, columns, expected = look(z, attention, index, *window)
                own = ours[:, channels * index : channels * (index + 1)]
                halves = torch.cat([half[:, :, rows, columns].flatten(2) for half in own.split(width, dim=3)], dim=2)
                torch.testing.assert_close(halves, expected)


@settings(max_examples=10)
@given(size=st.tuples(st.integers(2, 5), st.integers(2, 5)), seed=st.integers(0, 99))
def test_se_gates(size, seed):
    se, (h, c) = example(lambda: SE(4, kernel_size=3, scales=(1, 2)), size=size, seed=seed)
    a_h, a_c = se.express(se.attention(torch.cat([h, c], dim=3))).chunk(2, dim=3)  # (5)
    a = conv2d(torch.cat([a_h, a_c], 1), se.fuse.weight, se.fuse.bias)
    i, g, o = (
        conv2d(a, se.gates_a.weight, se.gates_a.bias, padding=1) + conv2d(h, se.gates_h.weight, padding=1)
    ).chunk(3, 1)  # (6)
    new_c = (1 - torch.sigmoid(i)) * c + torch.sigmoid(i) * torch.tanh(g)  # (7)
    for ours, expected in zip(se(h, c), (torch.sigmoid(o) * new_c, new_c), strict=True):
        torch.testing.assert_close(ours, expected)


def test_no_matrix_of_scores_is_kept():
    """Backward keeps less than one (2 H W)^2 matrix of scores would take."""
    attention = MultiScaleAttention(4, (1,))
    z = torch.randn(1, 4, 32, 64, requires_grad=True)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        attention(z).sum().backward()
    assert max(kept) < (2 * 32 * 32) ** 2 / 8


def test_mistakes():
    with pytest.raises(ValueError, match=r"iterations must be at least 1, got 0; leave CE out"):
        CE(3, 4, iterations=0)
    for scales in ((), (0, 1), 4):
        with pytest.raises(ValueError, match=r"scales must hold at least one number, each at least 1, got"):
            SE(4, scales=scales)
    with pytest.raises(
        ValueError, match=r"scales must be at most the height and width of the map, 3 x 9, got \(1, 4\)"
    ):
        SE(4, scales=(1, 4))(torch.rand(1, 4, 3, 9), torch.rand(1, 4, 3, 9))
    with pytest.raises(ValueError, match=r"SE reads h .*, which no stage starts; add .*ConvLSTM"):
        Cell(SE(4))
    with pytest.raises(ValueError, match="x has 3 channels in CE but 2 in ConvLSTM"):
        Cell(CE(3, 4), ConvLSTM(2, 4))
