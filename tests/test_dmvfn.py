"""DMVFN: voxel flow, routing, and what training sees of every block."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from stblocks import DMVFN, RoutingModule, VoxelFlowBlock, create_model
from stblocks.blocks.sequences.voxel_flow import follow, synthesise
from stblocks.train import Objective

SMALL = {"channels": 8, "scales": [2, 1], "image_size": (16, 16)}


def small(**options):
    torch.manual_seed(0)
    return create_model("dmvfn", **SMALL | options)


def stirred(module):
    """Weights that all matter, in double precision."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return module.double()


def drifting(batch, steps, size=16, seed=0):
    """Smooth patterns, each of which moves by the same whole pixels a frame, around the border."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 1, size // 4, size // 4, generator=generator)
    wrapped = functional.pad(coarse, (1, 1, 1, 1), mode="circular")
    first = functional.interpolate(wrapped, scale_factor=4, mode="bilinear")[..., 4:-4, 4:-4]
    return torch.stack([first.roll((t, 2 * t), dims=(-2, -1)) for t in range(steps)], dim=1)


@settings(max_examples=15)
@given(rows=st.integers(-2, 2), columns=st.integers(-2, 2), mask=st.sampled_from([-40.0, 40.0]))
def test_a_flow_says_where_in_either_frame_a_pixel_comes_from(rows, columns, mask):
    frames = torch.rand(2, 2 * 3, 9, 8, dtype=torch.float64)
    flow = torch.zeros(2, 5, 9, 8, dtype=torch.float64)
    which = 0 if mask > 0 else 1  # a mask that is all for the older frame, or for the newer one
    flow[:, 2 * which], flow[:, 2 * which + 1], flow[:, 4] = rows, columns, mask
    inside = (..., slice(2, -2), slice(2, -2))
    expected = frames.chunk(2, dim=1)[which].roll((-rows, -columns), dims=(-2, -1))
    torch.testing.assert_close(synthesise(follow(frames, flow), flow)[inside], expected[inside])


def test_a_frame_is_made_of_values_of_both():
    """Beyond the border, it is repeated: nothing comes in that was not there."""
    frames, flow = 5 + torch.rand(1, 2, 6, 6), 20 * torch.randn(1, 5, 6, 6)
    made = synthesise(follow(frames, flow), flow)
    assert frames.min() <= made.min()
    assert made.max() <= frames.max()


@settings(max_examples=5)
@given(scale=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_block_is_its_two_paths(scale, seed):
    torch.manual_seed(seed)
    block = stirred(VoxelFlowBlock(2, 8, scale=scale, spatial_channels=3))
    frames, moved, flow = (torch.randn(2, channels, 8 * scale, 4 * scale).double() for channels in (4, 4, 5))

    def conv(part, maps, stride=1):
        maps = functional.conv2d(maps, part[0].weight, part[0].bias, stride, padding=1)
        return functional.prelu(maps, part[1].weight)

    def resized(maps, size):
        return functional.interpolate(maps, size=size, mode="bilinear")

    seen, unit = torch.cat([frames, moved, flow], dim=1), torch.ones(13, 1, 1).double()
    unit[8:12] = scale
    coarse = conv(block.down[1], conv(block.down[0], resized(seen / unit, (8, 4)), 2), 2)
    motion = coarse
    for part in block.motion:
        motion = conv(part, motion)
    motion = resized(conv(block.squeeze, coarse + motion), (4 * scale, 2 * scale))
    spatial = conv(block.spatial[1], conv(block.spatial[0], seen, 2))
    expected = block.leave.bias.view(-1, 1, 1)
    for maps, weight in zip((motion, spatial), block.leave.weight.split([2, 3]), strict=True):
        expected = expected + functional.conv_transpose2d(maps, weight, stride=2, padding=1)
    torch.testing.assert_close(block(frames, moved, flow), expected)


@settings(max_examples=10)
@given(blocks=st.integers(1, 9), beta=st.floats(0.05, 1), seed=st.integers(0, 99))
def test_chances_share_out_so_many_blocks(blocks, beta, seed):
    router = stirred(RoutingModule(2, blocks, 4, beta=beta))
    torch.manual_seed(seed)
    maps = 5 * torch.randn(3, 2, 4, 5).double()
    chances = router.chances(maps)
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (chances.sum(dim=1) <= beta * blocks + 1e-9).all()
    short = (chances < 1).all(dim=1)  # where none is certain, nothing is lost
    torch.testing.assert_close(chances[short].sum(dim=1), torch.full_like(chances[short][:, 0], beta * blocks))
    assert router.eval()(maps).equal((chances >= 0.5).double())
    maps[:, :, -1, -1] += 1  # every position counts
    assert blocks == 1 or not router.chances(maps).equal(chances)


def test_blocks_are_drawn_by_their_chances_in_training_alone():
    router = stirred(RoutingModule(2, 6, 4))
    maps = torch.randn(1, 2, 5, 5).double()
    with torch.no_grad():
        draws = torch.stack([router(maps) for _ in range(1000)]).mean(dim=0)
        torch.testing.assert_close(draws, router.chances(maps), atol=0.06, rtol=0)
        assert router.eval()(maps).equal(router(maps))


@pytest.mark.parametrize("training", [True, False])
def test_a_choice_hands_its_gradient_to_the_chance(training):
    router = stirred(RoutingModule(2, 5, 4)).train(training)
    maps, pull = torch.randn(3, 2, 4, 4).double(), torch.randn(3, 5).double()
    chosen = router(maps)
    assert {*chosen.flatten().tolist()} == {0.0, 1.0}
    (chosen * pull).sum().backward()
    found = [parameter.grad.clone() for parameter in router.parameters()]
    router.zero_grad()
    (router.chances(maps) * pull).sum().backward()
    torch.testing.assert_close(found, [parameter.grad for parameter in router.parameters()])
    assert all(each.abs().max() > 0 for each in found)


def test_weights_that_are_not_finite_draw_nothing_forbidden():
    """A draw from NaN would end a process on a GPU before the trainer can say what happened."""
    router = RoutingModule(2, 3, 4)
    torch.nn.init.constant_(router.score.weight, torch.nan)
    assert router(torch.rand(1, 2, 4, 4)).isnan().all()
    empty = RoutingModule(2, 3, 4)
    torch.nn.init.constant_(empty.score.bias, -1e4)  # all scores round to 0
    assert empty(torch.rand(1, 2, 4, 4)).equal(torch.zeros(1, 3))


def test_a_block_that_is_not_chosen_changes_nothing():
    """One network against another without the block, by the definition."""
    network = stirred(DMVFN(1, 1, 8, scales=[2, 1, 1])).eval()
    network.router.register_forward_hook(lambda *_: torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]).double())
    past = torch.rand(2, 2, 1, 8, 8).double()
    (routed,) = network(past)
    network.router = None
    middle = network.blocks[1]
    (whole,) = network(past)
    network.blocks = torch.nn.ModuleList([network.blocks[0], network.blocks[2]])
    (less,) = network(past)
    torch.testing.assert_close(routed, torch.cat([less[:1], whole[1:]]))
    assert not torch.allclose(less[1:], whole[1:])
    assert middle is not network.blocks[1]


@pytest.mark.parametrize("routing", [True, False])
def test_training_sees_a_forecast_of_every_block(routing):
    model = stirred(small(scales=[2, 1, 1], routing=routing))
    past = torch.rand(2, 2, 1, 13, 16).double()
    rollout = model.rollout(past, 3)
    assert [each.shape for each in rollout.intermediate] == [rollout.frames.shape] * 2
    assert model.eval().rollout(past, 3).intermediate == ()
    first = model.network.train()
    if routing:  # the first block's forecast is of all that it says, chosen or not
        first.router.register_forward_hook(lambda *_: torch.zeros(2, 3).double())
    alone = DMVFN(1, 1, 8, scales=[2], routing=False).double()
    alone.blocks[0] = first.blocks[0]
    padded = functional.pad(past[:, :, 0], (0, 0, 0, 3), mode="replicate").unsqueeze(2)
    torch.testing.assert_close(first(padded)[0], alone(padded)[0])
    if routing:  # with no block chosen, the last forecast is the mean of both frames
        torch.testing.assert_close(first(padded)[-1][:, 0], padded.mean(dim=1))


def learning(model):
    """Which parts of a network get a gradient of the loss, by name."""
    frames = drifting(2, 4).double()
    Objective()(model.rollout(frames[:, :2], 2), frames)["loss"].backward()
    parts = {
        name: {key: parameter.grad for key, parameter in part.named_parameters()} for name, part in parts_of(model)
    }
    return {name for name, grads in parts.items() if all(each.abs().max() > 0 for each in grads.values())}


def parts_of(model):
    blocks = ((str(index), block) for index, block in enumerate(model.network.blocks))
    return [*blocks, *([] if model.network.router is None else [("router", model.network.router)])]


def test_the_loss_reaches_every_weight():
    options = {"channels": 16, "scales": [2, 1, 1]}
    assert learning(stirred(small(routing=False, **options))) == {"0", "1", "2"}
    assert learning(stirred(small(beta=1.0, **options))) == {"0", "1", "2", "router"}
    model = stirred(small(**options))
    model.network.router.register_forward_hook(lambda _, __, made: made - made.detach())
    assert learning(model) == {"0", "1", "router"}, "where none is chosen, all but the last block learn, and the choice"


def test_gradients_are_those_of_differences():
    network = stirred(DMVFN(1, 1, 4, scales=[2, 1], routing=False, spatial_channels=2))
    past = torch.rand(1, 2, 1, 8, 8).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: tuple(network(given)), (past,), fast_mode=True)


@pytest.mark.parametrize("routing", [True, False])
def test_a_translation_is_learned(routing):
    """Thirty steps on patterns that all move alike beat persistence, on patterns that were not seen."""
    model = small(channels=[16, 8], routing=routing, beta=0.9 if routing else 0.5)
    optimizer, objective = torch.optim.Adam(model.parameters(), lr=5e-3), Objective()
    for step in range(30):
        frames = drifting(8, 3, seed=step)
        optimizer.zero_grad()
        objective(model.rollout(frames[:, :2], 1), frames)["loss"].backward()
        optimizer.step()
    past, future = drifting(32, 4, seed=1000).split([2, 2], dim=1)
    with torch.no_grad():
        error = (model.eval()(past, 2) - future).square().mean(dim=(0, 2, 3, 4))
    persistence = (past[:, -1:] - future).square().mean(dim=(0, 2, 3, 4))
    assert (error < 0.5 * persistence).all()


def test_channels_that_are_not_forecast_move_the_others():
    model = small(in_channels=3, out_channels=2).eval()
    past = torch.rand(1, 2, 3, 16, 16)
    made = model(past, 1)
    assert made.shape == (1, 1, 2, 16, 16)
    past[:, :, 2] += 1
    assert not torch.equal(model(past, 1), made)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": []}, r"scales must be a list with the scale of each block, got \[\]"),
        ({"scales": 4}, "scales must be a list of integers, got 4"),
        ({"scales": [2, 0]}, r"scales\[1\] must be an integer >= 1, got 0"),
        ({"channels": [8]}, r"channels must be one width, or one for each of 2 scales, got \[8\]"),
        ({"channels": 6}, "channels must be a multiple of 4, .* got 6"),
        ({"spatial_channels": 0}, "spatial_channels must be an integer >= 1, got 0"),
        ({"beta": 0.0}, r"beta must be a share of the blocks, in \(0, 1\], got 0.0"),
        ({"beta": 1.5}, r"beta must be a share of the blocks, in \(0, 1\], got 1.5"),
        ({"beta": 0.4, "routing": False}, "beta changes nothing without routing; .* got 0.4"),
        ({"out_channels": 2}, "out_channels must be at most in_channels=1, whose first they are, got 2"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.parametrize("shape", [(1, 3, 1, 8, 8), (1, 2, 2, 8, 8), (1, 2, 1, 8, 12), (2, 1, 8, 8)])
def test_a_past_that_does_not_fit(shape):
    with pytest.raises(ValueError, match=r"past must be \(B, 2, 1, H, W\), H and W multiples of 8, got"):
        DMVFN(1, 1, 4, scales=[2])(torch.rand(shape))
