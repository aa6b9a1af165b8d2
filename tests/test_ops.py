"""Kernels against plain float64 formulas."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.dispatched import dispatched
from stblocks.ops.attention import attend
from stblocks.ops.deformable import deformable_conv2d, warp
from stblocks.ops.map_norm import by_groups, by_rows, map_norm

sides = st.integers(1, 6)


def plain_deformable(x, offset, mask, weight):
    """The definition, position by position: bilinear weights of the pixels around each moved tap, zero outside."""
    batch, _, height, width = x.shape
    kernel = weight.shape[-1]
    y = x.new_zeros(batch, weight.shape[0], height, width)
    rows, columns = torch.arange(height, dtype=x.dtype), torch.arange(width, dtype=x.dtype)
    for tap in range(kernel**2):
        for i in range(height):
            for j in range(width):
                row = i + tap // kernel - kernel // 2 + offset[:, tap, i, j]
                column = j + tap % kernel - kernel // 2 + offset[:, kernel**2 + tap, i, j]
                near_row = (1 - (row[:, None] - rows).abs()).clamp(min=0)
                near_column = (1 - (column[:, None] - columns).abs()).clamp(min=0)
                value = torch.einsum("bchw,bh,bw->bc", x, near_row, near_column)
                y[:, :, i, j] += mask[:, tap, i, j, None] * value @ weight[:, :, tap // kernel, tap % kernel].T
    return y


@settings(max_examples=15)
@given(
    size=st.tuples(sides, sides),
    kernel=st.sampled_from([1, 3, 5]),
    spread=st.sampled_from([0.3, 20]),
    seed=st.integers(0, 99),
)
@pytest.mark.parametrize("backend", ["grid_sample", "torchvision"])
def test_deformable_agrees_with_its_definition(backend, size, kernel, spread, seed):
    torch.manual_seed(seed)
    taps, options = kernel**2, {"dtype": torch.float64, "requires_grad": True}
    x, weight = torch.randn(2, 3, *size, **options), torch.randn(4, 3, kernel, kernel, **options)
    offset = torch.randn(2, 2 * taps, *size, dtype=torch.float64).mul(spread).requires_grad_()
    mask = torch.rand(2, taps, *size, **options)
    ours, plain = deformable_conv2d(x, offset, mask, weight, backend=backend), plain_deformable(x, offset, mask, weight)
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9)
    probe, inputs = torch.randn_like(ours), (x, offset, mask, weight)
    for a, b in zip(torch.autograd.grad(ours, inputs, probe), torch.autograd.grad(plain, inputs, probe), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@settings(max_examples=10)
@given(size=st.tuples(sides, sides), links=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_warp_is_deformable_taps_side_by_side(size, links, seed):
    torch.manual_seed(seed)
    x, flow = torch.randn(2, 3, *size).double(), torch.randn(2, 2 * links, *size).double()
    each = torch.eye(3, dtype=x.dtype)[:, :, None, None]
    maps = [
        plain_deformable(x, flow[:, [link, links + link]], torch.ones_like(x[:, :1]), each) for link in range(links)
    ]
    torch.testing.assert_close(warp(x, flow), torch.cat(maps, 1))


def test_a_warp_moves_by_whole_pixels():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    flow = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)])[None]  # from the right neighbour
    assert warp(x, flow).equal(torch.tensor([[[[1.0, 2.0, 0.0], [4.0, 5.0, 0.0]]]]))
    with pytest.raises(ValueError, match=r"flow must be \(1, 2 L, 2, 3\) for x .*, got \(1, 3, 2, 3\)"):
        warp(x, torch.zeros(1, 3, 2, 3))
    assert warp(x, 9 * flow, padding="border").equal(torch.tensor([[[[2.0, 2.0, 2.0], [5.0, 5.0, 5.0]]]]))
    with pytest.raises(ValueError, match="padding must be one of zeros, border, got 'reflection'"):
        warp(x, flow, padding="reflection")


def test_deformable_errors():
    x, weight = torch.zeros(1, 2, 4, 5), torch.zeros(2, 2, 3, 3)
    offset, mask = torch.zeros(1, 18, 4, 5), torch.zeros(1, 9, 4, 5)
    with pytest.raises(ValueError, match=r"offset must be \(1, 18, 4, 5\).*got \(1, 9, 4, 5\)"):
        deformable_conv2d(x, mask, mask, weight)
    with pytest.raises(ValueError, match=r"mask must be \(1, 9, 4, 5\)"):
        deformable_conv2d(x, offset, offset, weight)
    for wrong in (torch.zeros(2, 3, 3, 3), torch.zeros(2, 2, 2, 2), torch.zeros(2, 2, 3, 1)):
        with pytest.raises(ValueError, match=r"weight must be \(C', 2, k, k\) with k odd"):
            deformable_conv2d(x, offset, mask, wrong)
    with pytest.raises(ValueError, match="backend must be one of auto, grid_sample, torchvision, got 'cuda'"):
        deformable_conv2d(x, offset, mask, weight, backend="cuda")


@settings(max_examples=20)
@given(
    size=st.tuples(sides, sides), width=st.integers(1, 5), channels=st.integers(1, 7), maps=st.integers(1, 3),
    scale=st.sampled_from([1.0, 0.3]), seed=st.integers(0, 99),
)  # fmt: skip
def test_attention_agrees_with_its_formula(size, width, channels, maps, scale, seed):
    torch.manual_seed(seed)
    options = {"dtype": torch.float64, "requires_grad": True}
    query = torch.randn(2, width, *size, **options)
    keys = [torch.randn(2, width, *size, **options) for _ in range(maps)]
    values = [torch.randn(2, channels, *size, **options) for _ in range(maps)]
    ours = torch.stack(attend(query, keys, values, scale=scale))
    plain = torch.stack(
        [
            (v.flatten(2) @ torch.softmax(scale * k.flatten(2).mT @ query.flatten(2), dim=1)).unflatten(2, size)
            for k, v in zip(keys, values, strict=True)
        ]
    )
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9)
    probe, inputs = torch.randn_like(ours), (query, *keys, *values)
    for a, b in zip(torch.autograd.grad(ours, inputs, probe), torch.autograd.grad(plain, inputs, probe), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


def test_attention_keeps_no_matrix_of_scores():
    """Of 24x24 positions the scores would be 576 x 576; nothing near that is kept for backward."""
    kept = []
    query = torch.randn(1, 4, 24, 24, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        attend(query, [query], [query])
    assert max(kept) <= 4 * 576


@given(size=st.tuples(sides, sides, sides, sides), channels_last=st.booleans(), seed=st.integers(0, 2**16))
def test_norms_of_maps_are_layer_norm(size, channels_last, seed):
    generator = torch.Generator().manual_seed(seed)
    maps, weight, bias, up = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in (size, size[1:], size[1:], size)
    )
    maps = 3 + 5 * (maps.contiguous(memory_format=torch.channels_last) if channels_last else maps)
    inputs = [value.requires_grad_() for value in (maps, weight, bias)]

    def plain(maps, weight, bias, eps):
        mean, variance = maps.mean((1, 2, 3), keepdim=True), maps.var((1, 2, 3), correction=0, keepdim=True)
        return (maps - mean) / (variance + eps).sqrt() * weight + bias

    results = []
    for form in (plain, by_rows, by_groups, map_norm):
        made = form(*inputs, 1e-3)
        results.append([made, *torch.autograd.grad((made * up).sum(), inputs)])
    for each in results[1:]:
        torch.testing.assert_close(each, results[0])


def test_the_form_of_a_norm_goes_by_the_device():
    maps, weight = torch.empty(2, 3, 4, 5, device="meta"), torch.empty(3, 4, 5, device="meta")
    found = dispatched(lambda: map_norm(maps, weight, weight, 1e-5))
    assert (found.counts["native_group_norm"], found.counts["native_layer_norm"]) == (1, 0)
    with pytest.raises(
        ValueError, match=r"maps must be of the shape of weight, \(B, 3, 4, 5\), got shape \(2, 3, 4, 4\)"
    ):
        map_norm(maps[..., :4], weight, weight, 1e-5)
