"""VMRNN and SwinLSTM: blocks against their equations, patches, models, and plugs of other papers on their cells."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from stblocks import (
    CE,
    GFM,
    GSTA,
    MGM,
    SS2D,
    VMRNN,
    VSS,
    Cell,
    HighwayEntry,
    MotionHighway,
    OneGateLSTM,
    PatchEmbed,
    PatchExpanding,
    PatchInflate,
    PatchMerging,
    RecurrentStack,
    SwinBlock,
    SwinLSTM,
    create_model,
)
from stblocks.blocks.frames.patch import prime_factors
from stblocks.blocks.maps import ss2d
from stblocks.blocks.translators.translator import Translator
from stblocks.testing import check_cell, example

TINY = {"channels": 4, "patch_size": 2, "image_size": (8, 8)}
MODELS = {
    "vmrnn_b": {"depth": 2, "state_dim": 2},
    "vmrnn_d": {"depths_down": [1, 2], "depths_up": [2, 1], "state_dim": 2},
    "swinlstm_b": {"depth": 3, "num_heads": 2, "window_size": 2},
    "swinlstm_d": {"depths_down": [1, 2], "depths_up": [2, 1], "num_heads": [1, 2], "window_size": 2},
}
CELLS = {"vmrnn": partial(VMRNN, state_dim=2), "swin_lstm": partial(SwinLSTM, num_heads=2, window_size=2)}
sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))


def tiny(name, **options):
    torch.manual_seed(0)
    return create_model(name, **TINY | MODELS[name] | options)


def positions(direction, height, width):
    """The order of positions, spelled out."""
    order = [(i, j) for i in range(height) for j in range(width)]
    if "columns" in direction:
        order = [(i, j) for j in range(width) for i in range(height)]
    return order[::-1] if "reversed" in direction else order


@settings(max_examples=20)
@given(
    size=sizes,
    directions=st.lists(st.sampled_from(ss2d.DIRECTIONS), min_size=1, unique=True),
    seed=st.integers(0, 99),
)
def test_ss2d_is_its_equations_position_by_position(size, directions, seed):
    block, (h,) = example(lambda: SS2D(3, state_dim=2, dt_rank=2, directions=directions), size=size, seed=seed)
    weight = block.in_proj.weight.squeeze()
    z, gate = (torch.einsum("bchw,dc->bdhw", h, part) for part in weight.chunk(2))
    z = functional.silu(functional.conv2d(z, block.conv.weight, block.conv.bias, padding=1, groups=6))
    total = torch.zeros_like(z)
    for v, direction in enumerate(directions):
        a, d = (-block.A_log.exp()).unflatten(0, (-1, 6))[v], block.D.unflatten(0, (-1, 6))[v]
        state = torch.zeros(len(h), 6, 2, dtype=h.dtype)
        for i, j in positions(direction, *size):
            now = z[:, :, i, j]
            dt, b, c = (now @ block.x_proj[v].T).split(2, dim=1)
            delta = functional.softplus(dt @ block.dt_proj[v].T + block.dt_bias[v])[:, :, None]
            state = (delta * a).exp() * state + delta * b[:, None] * now[:, :, None]
            total[:, :, i, j] += (state * c[:, None]).sum(-1) + d * now
    normed = functional.layer_norm(total.movedim(1, -1), (6,), block.norm.weight, block.norm.bias).movedim(-1, 1)
    expected = torch.einsum("bdhw,cd->bchw", normed * functional.silu(gate), block.out_proj.weight.squeeze())
    torch.testing.assert_close(block(h), expected)


def test_all_directions_are_groups_of_one_scan(monkeypatch):
    calls = []
    monkeypatch.setattr(ss2d, "selective_scan", lambda u, *rest, **options: calls.append((u, *rest)) or u)
    for directions in (ss2d.DIRECTIONS, ("columns",)):
        SS2D(4, directions=directions)(torch.rand(2, 4, 3, 5))
        u, _, _, b, *_ = calls.pop()
        assert not calls
        assert u.shape == (2, 8 * len(directions), 15)
        assert b.shape == (2, len(directions), 16, 15)


def test_ss2d_starts_as_released():
    torch.manual_seed(0)
    block = SS2D(32)
    assert block.dt_proj.shape == (4, 64, 2)
    assert torch.equal(-block.A_log.exp().round(), -torch.arange(1.0, 17).expand(256, 16))
    assert torch.equal(block.D, torch.ones(256))
    steps = functional.softplus(block.dt_bias)
    assert 1e-3 * 0.999 <= steps.min() < 2e-3
    assert 5e-2 < steps.max() <= 1e-1 * 1.001
    assert 8e-3 < steps.log().mean().exp() < 1.25e-2  # evenly on a logarithmic scale


def test_vss_takes_any_mixer():
    block, (h,) = example(lambda: VSS(4, mixer=GSTA))
    assert type(block.ss2d) is GSTA
    normed = functional.layer_norm(h.movedim(1, -1), (4,), block.norm.weight, block.norm.bias, eps=1e-6)
    torch.testing.assert_close(block(h), h + block.ss2d(normed.movedim(-1, 1)))


def test_vss_adds_a_scan_of_the_normed_map():
    block, (h,) = example(lambda: VSS(4, mixer=partial(SS2D, state_dim=2)))
    normed = functional.layer_norm(h.movedim(1, -1), (4,), block.norm.weight, block.norm.bias, eps=1e-6)
    torch.testing.assert_close(block(h), h + block.ss2d(normed.movedim(-1, 1)))


@pytest.mark.parametrize("name", CELLS)
def test_one_map_is_gate_and_candidate(name):
    cell, (x, h, c) = example(lambda: CELLS[name](4))
    y = cell.features(x.movedim(1, -1), h.movedim(1, -1)).movedim(-1, 1)
    gate = torch.sigmoid(y)  # (4)
    expected = gate * (c + torch.tanh(y))  # (5)
    for ours, theirs in zip(cell(x, h, c), (gate * torch.tanh(expected), expected, gate), strict=True):  # (6)
        torch.testing.assert_close(ours, theirs)


def test_any_map_block_is_the_heart_of_an_lstm():
    gsta_lstm = partial(OneGateLSTM, 4, GSTA, partial(SwinBlock, num_heads=2))
    cell, (x, h, c) = example(gsta_lstm)
    pair = torch.cat([x, h], 1).movedim(1, -1)
    y = (pair @ cell.projection.weight.T + cell.projection.bias).movedim(-1, 1)
    for block, kind in zip(cell.blocks, (GSTA, SwinBlock), strict=True):
        assert type(block) is kind
        y = block(y)
    gate = torch.sigmoid(y)
    expected = gate * (c + torch.tanh(y))
    for ours, theirs in zip(cell(x, h, c), (gate * torch.tanh(expected), expected, gate), strict=True):
        torch.testing.assert_close(ours, theirs)
    check_cell(Cell(gsta_lstm()))


def test_vmrnn_projects_both_maps_and_adds_to_the_first():
    cell, (x, h, _) = example(lambda: VMRNN(4, state_dim=2, depth=2))
    first, second = cell.blocks
    tokens = [functional.layer_norm(each.movedim(1, -1), (4,), first.norm.weight, first.norm.bias) for each in (x, h)]
    fused = (torch.cat(tokens, -1) @ cell.projection.weight.T + cell.projection.bias).movedim(-1, 1)
    expected = second(x + first.ss2d(fused))
    torch.testing.assert_close(cell.features(x.movedim(1, -1), h.movedim(1, -1)), expected.movedim(1, -1))


def test_swin_lstm_shifts_odd_blocks_and_projects_in_even_ones():
    cell, (x, h, _) = example(lambda: SwinLSTM(4, depth=4, num_heads=2, window_size=2))
    assert [block.shift for block in cell.blocks] == [False, True, False, True]
    x, h = x.movedim(1, -1), h.movedim(1, -1)
    expected = x
    for index, block in enumerate(cell.blocks):
        normed = block.norm1(expected)
        if index % 2 == 0:
            pair = torch.cat([normed, block.norm1(x if index else h)], -1)
            projection = cell.projections[index // 2]
            normed = pair @ projection.weight.T + projection.bias
        expected = block.mix(expected, normed)
    torch.testing.assert_close(cell.features(x, h), expected)


def test_stochastic_depth_rises_towards_the_coarsest_maps():
    def rates(model):
        return [[block.drop_path.p for block in layer.stages[0].blocks] for layer in model.stack.layers[::2]]

    expected = [[0.0], [0.3, 0.6], [0.2, 0.4, 0.6], [0.0]]
    assert rates(tiny("vmrnn_d", depths_up=[3, 1], drop_path=0.6)) == [pytest.approx(each) for each in expected]
    expected[2].reverse()  # within cells too, as released
    assert rates(tiny("swinlstm_d", depths_up=[3, 1], drop_path=0.6)) == [pytest.approx(each) for each in expected]
    assert rates(tiny("vmrnn_d", depths_down=[1], depths_up=[1], drop_path=0.6)) == [[0.0], [0.0]]
    assert rates(tiny("swinlstm_b", drop_path=0.3)) == [[0.3] * 3]


@pytest.mark.parametrize("name", MODELS)
def test_training_leaves_branches_out_and_evaluation_does_not(name):
    model, past = tiny(name, drop_path=0.5), torch.rand(4, 2, 1, 8, 8)
    assert not torch.equal(model(past, 1), model(past, 1))
    model.eval()
    assert torch.equal(model(past, 1), model(past, 1))


@settings(max_examples=10)
@given(size=sizes, patch=st.integers(1, 12), seed=st.integers(0, 99))
def test_patches_of_any_side(size, patch, seed):
    torch.manual_seed(seed)
    embed, inflate = PatchEmbed(2, 6, patch_size=patch), PatchInflate(6, 2, patch_size=patch)
    frames = torch.rand(3, 2, *(side * patch for side in size))
    features = embed(frames)
    assert features.shape == (3, 6, *size)
    torch.testing.assert_close(embed(frames[:, :, :patch, :patch]), features[:, :, :1, :1])
    assert inflate(features).shape == frames.shape
    torch.testing.assert_close(inflate(features[[2, 0, 1]]), inflate(features)[[2, 0, 1]])


@pytest.mark.parametrize("patch", [1, 2, 3, 5, 6, 7, 8, 11])
def test_inflated_patches_have_no_gaps(patch):
    inflate = PatchInflate(4, 1, patch_size=patch)
    conv = inflate.conv
    with torch.no_grad():
        conv.weight.fill_(1.0)
        conv.bias.zero_()
        assert (conv(torch.ones(1, 4, 3, 2)) > 0).all()
    assert len(inflate.grow) == 3 * max(len(prime_factors(patch)) - 1, 0)


def test_prime_factors():
    assert [prime_factors(number) for number in (1, 2, 8, 12, 30, 7)] == [[], [2], [2, 2, 2], [3, 2, 2], [5, 3, 2], [7]]


@settings(max_examples=10)
@given(size=sizes, seed=st.integers(0, 99))
def test_merging_and_expanding(size, seed):
    torch.manual_seed(seed)
    merge, expand = PatchMerging(3), PatchExpanding(6)
    x = torch.rand(3, 3, *(2 * side for side in size))
    coarse = merge(x)
    assert coarse.shape == (3, 6, *size)
    torch.testing.assert_close(merge(x[:, :, :2, :2]), coarse[:, :, :1, :1])  # each four positions for themselves
    fine = expand(coarse)
    assert fine.shape == x.shape
    torch.testing.assert_close(expand(coarse[:, :, -1:, -1:]), fine[:, :, -2:, -2:])
    torch.testing.assert_close(expand(merge(x[[2, 0, 1]])), fine[[2, 0, 1]])


def test_patches_lie_channels_last_where_their_maps_do():
    x = torch.rand(2, 4, 6, 4).to(memory_format=torch.channels_last)
    for layer in (PatchMerging(4), PatchExpanding(4), VSS(4), VMRNN(4)):
        y = layer(x) if not isinstance(layer, VMRNN) else layer(x)[0]
        assert y.is_contiguous(memory_format=torch.channels_last), layer


@pytest.mark.parametrize("name", MODELS)
def test_models_take_any_size_and_horizon(name):
    model = tiny(name).eval()
    for size, length, horizon in (((8, 8), 2, 3), ((7, 5), 1, 1), ((1, 9), 3, 2)):
        past = torch.rand(3, length, 1, *size)
        with torch.no_grad():
            forecast = model(past, horizon)
            assert forecast.shape == (3, horizon, 1, *size)
            assert 0 < forecast.min() <= forecast.max() < 1
            torch.testing.assert_close(model(past[[2, 0, 1]], horizon), forecast[[2, 0, 1]])


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_takes_part(name):
    model = tiny(name, checkpointing=True)
    model.rollout(torch.rand(2, 3, 1, 8, 8), 2).frames.square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", MODELS)
def test_streaming_equals_the_rollout(name):
    model, frames, state = tiny(name).eval(), torch.rand(1, 3, 1, 8, 8), None
    with torch.no_grad():
        whole = model.rollout(frames, 1).frames
        for step in range(3):
            forecast, state = model.step(frames[:, step], state)
            torch.testing.assert_close(forecast, whole[:, step])


def test_the_u_is_stateless_layers_between_cells():
    model = tiny("vmrnn_d")
    kinds = [type(layer).__name__ for layer in model.stack.layers]
    assert kinds == ["Cell", "PatchMerging"] * 2 + ["Cell", "PatchExpanding"] * 2
    assert [layer.in_channels for layer in model.stack.layers] == [4, 4, 8, 8, 16, 16, 8, 8]
    assert model.size_multiple == 8
    _, state = model.stack(torch.zeros(1, 4, 8, 12))
    assert [tuple(own["h"].shape[1:]) for own in state["layers"][::2]] == [(4, 8, 12), (8, 4, 6), (16, 2, 3), (8, 4, 6)]


@pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize(
    "plug",
    [
        lambda cell: Cell(cell, GFM(8, 8)),
        lambda cell: Cell(cell, MGM(8, kernel_size=3)),
        lambda cell: Cell(CE(8, 8, kernel_size=3), cell),
        lambda cell: Cell(HighwayEntry(8, 8), cell, GFM(8, 8), MotionHighway(), MGM(8, kernel_size=3)),
        lambda cell: Cell(cell, VSS(8, mixer=partial(SS2D, state_dim=2))),
    ],
    ids=["gfm", "mgm", "ce", "gmg", "vss"],
)
def test_plugs_of_other_papers(make, plug):
    check_cell(plug(make(8)), size=(5, 6), steps=3)


def test_hybrids_in_the_u_learn():
    torch.manual_seed(0)
    stack = RecurrentStack(
        [
            Cell(CE(4, 4, kernel_size=3), VMRNN(4, state_dim=2), GFM(4, 4)),
            PatchMerging(4),
            Cell(SwinLSTM(8, num_heads=2, window_size=2), MGM(8, kernel_size=3)),
            PatchExpanding(8),
        ]
    )
    x, target = torch.rand(2, 4, 6, 4), torch.rand(2, 4, 6, 4)
    optimizer, losses = torch.optim.Adam(stack.parameters(), 1e-2), []
    for _ in range(6):
        y, state = stack(x)
        y, _ = stack(x, state)
        losses.append((y - target).square().mean())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]


def test_vss_translates_for_simvp():
    translator = Translator(
        4, 6, 4, num_layers=3, block=lambda layer, channels: VSS(channels, mixer=partial(SS2D, state_dim=2))
    )
    assert translator(torch.rand(2, 4, 3, 5)).shape == (2, 4, 3, 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SS2D(4, directions=()), r"directions must be some of rows, .*, each once, got \(\)"),
        (lambda: SS2D(4, directions="rows"), "directions must be some of rows"),
        (lambda: SS2D(4, directions=("rows", "rows")), "each once"),
        (lambda: SS2D(4, directions=("diagonals",)), "directions must be one of 'rows', .* got 'diagonals'"),
        (lambda: SS2D(4, state_dim=0), "state_dim must be an integer >= 1, got 0"),
        (lambda: SS2D(4, state_dim=True), "state_dim must be an integer >= 1, got True"),
        (lambda: SS2D(4, dt_rank=0), "dt_rank must be an integer >= 1, got 0"),
        (lambda: SS2D(4, dt_rank="half"), "dt_rank must be one of 'auto', got 'half'"),
        (lambda: SS2D(4, expand=0.1), r"expand \* channels must be an integer >= 1, got 0"),
        (lambda: SS2D(4, kernel_size=2), "kernel_size must be an odd integer"),
        (lambda: VMRNN(4, convolution="dense"), "convolution must be one of 'depthwise', 'full', 'large', got 'dense'"),
        (lambda: VMRNN(4, convolution="large", kernel_size=5), 'kernel_size must be left out with convolution="large"'),
        (lambda: VMRNN(4, depth=0), "depth must be an integer >= 1, got 0"),
        (lambda: VMRNN(4, drop_path=[0.1]), r"drop_path must be one rate or one for each of the 2 blocks, got \[0.1\]"),
        (lambda: VMRNN(4, drop_path=1.0), r"drop_path must be a rate in \[0, 1\), got 1.0"),
        (lambda: VMRNN(4, drop_path=[0.1, -0.1]), r"drop_path must be a rate in \[0, 1\), got -0.1"),
        (lambda: VMRNN(4, drop_path=None), r"drop_path must be a rate in \[0, 1\), got None"),
        (lambda: SwinLSTM(4, depth=1, drop_path=float("nan")), r"drop_path must be a rate in \[0, 1\), got nan"),
        (lambda: tiny("vmrnn_d", drop_path=1.5), r"drop_path must be a rate in \[0, 1\), got 1.5"),
        (lambda: tiny("vmrnn_d", drop_path="x"), "drop_path must be a finite number, got 'x'"),
        (lambda: OneGateLSTM(4), r"blocks must be one function or more .* as in OneGateLSTM\(64, GSTA\)"),
        (
            lambda: OneGateLSTM(4, lambda channels: nn.Conv2d(channels, 1, 1))(torch.rand(1, 4, 3, 3)),
            r"must keep the shape of its map, \(1, 4, 3, 3\); Conv2d made \(1, 1, 3, 3\)",
        ),
        (lambda: SwinLSTM(6), "num_heads must be a divisor of channels=6, got 4"),
        (lambda: PatchEmbed(1, 4, patch_size=0), "patch_size must be an integer >= 1, got 0"),
        (lambda: PatchInflate(0, 1), "channels must be an integer >= 1, got 0"),
        (lambda: PatchExpanding(3), "channels must be even, .* got 3"),
        (lambda: PatchMerging(4)(torch.rand(1, 3, 4, 4)), r"x must be \(B, 4, H, W\), got \(1, 3, 4, 4\)"),
        (lambda: PatchMerging(4)(torch.rand(1, 4, 5, 4)), r"multiples of 2, got \(5, 4\); pad to \(6, 4\)"),
        (lambda: PatchEmbed(1, 4)(torch.rand(1, 1, 8, 9)), r"frame must be multiples of 4, .* pad to \(8, 12\)"),
        (lambda: VSS(4)(torch.rand(1, 3, 4, 4)), r"must be a feature map \(1, 4, H, W\)"),
        (lambda: tiny("vmrnn_d", depths_up=[2]), r"depths_down and depths_up must have .* got \[1, 2\] and \[2\]"),
        (lambda: tiny("vmrnn_d", depths_down=[], depths_up=[]), "at least one"),
        (lambda: tiny("swinlstm_d", num_heads=[2]), r"num_heads must have 2 entries, as depths_down has, got \[2\]"),
        (lambda: tiny("vmrnn_b", image_size=[8]), r"image_size must be \(H, W\), got \[8\]"),
        (lambda: tiny("vmrnn_b", image_size=[8, 2.5]), r"image_size must be \(H, W\), got \[8, 2\.5\]"),
        (lambda: tiny("vmrnn_b", image_size=["8", 8]), r"image_size must be \(H, W\), got \['8', 8\]"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
