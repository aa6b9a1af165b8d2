"""Blocks of sequences, the translator that stacks them, and forecasters of sequences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from stblocks import (
    AFNOBlock,
    Conv3DBlock,
    DirectForecaster,
    MapBlock,
    PredFormer,
    PredFormerBlock,
    SequenceForecaster,
    SequenceTranslator,
    create_model,
    testing,
)
from stblocks.blocks.sequences.predformer import PositionCode

FRAMES = 3
BLOCKS = {
    "predformer-time": lambda: PredFormerBlock(4, over="t", num_heads=2, mlp_ratio=1.5),
    "predformer-space": lambda: PredFormerBlock(4, over="s", num_heads=1, drop=0.3, drop_path=0.3),
    "predformer": lambda: PredFormerBlock(4, num_heads=4),
    "conv3d": lambda: Conv3DBlock(4, drop_path=0.5),
    "conv3d-pointwise": lambda: Conv3DBlock(4, kernel_size=1),
    "afno": lambda: AFNOBlock(4, num_blocks=2, drop=0.3),
    "afno-one": lambda: AFNOBlock(4, num_blocks=1, threshold=0.1, mlp_ratio=1.0, drop_path=0.5),
}
name = pytest.mark.parametrize("name", BLOCKS)
sides = st.integers(1, 5)


class Folded(MapBlock):
    """A block of sequences as one of maps that have time in their channels, for the checks of these."""

    def __init__(self, block):
        super().__init__(FRAMES * 4)
        self.block = block

    def forward(self, h):
        (h,) = self.take(h)
        return self.block(h.unflatten(1, (FRAMES, 4))).flatten(1, 2)


@name
def test_a_block_of_sequences_keeps_what_blocks_of_maps_must(name):
    testing.check_block(lambda: Folded(BLOCKS[name]()), sizes=[(4, 4), (1, 3)])


@name
@settings(max_examples=3)
@given(size=st.tuples(sides, sides, sides), seed=st.integers(0, 99))
def test_any_length_and_size(name, size, seed):
    torch.manual_seed(seed)
    x = torch.randn(2, size[0], 4, *size[1:])
    assert BLOCKS[name]().eval()(x).shape == x.shape


@name
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_block_works_in_the_precision_of_its_weights(name, dtype):
    torch.manual_seed(0)
    block, x = BLOCKS[name]().eval(), torch.randn(1, FRAMES, 4, 3, 5)
    expected, found = block(x), block.to(dtype)(x.to(dtype))
    assert found.dtype is dtype
    torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0)


def seen(block, place):
    """Which frames and positions of a sequence the result at one of them looks at."""
    block, x = block.double().eval(), torch.randn(1, 3, 4, 2, 3, dtype=torch.float64, requires_grad=True)
    time, row, column = place
    block(x)[0, time, :, row, column].square().sum().backward()
    return x.grad.abs().sum(dim=2)[0] > 0


def test_what_each_attention_looks_at():
    torch.manual_seed(0)
    everything = torch.ones(3, 2, 3, dtype=torch.bool)
    place, frame = torch.zeros_like(everything), torch.zeros_like(everything)
    place[:, 1, 2], frame[1] = True, True
    for over, expected in (("t", place), ("s", frame), ("f", everything)):
        assert seen(PredFormerBlock(4, over=over, num_heads=2), (1, 1, 2)).equal(expected)


def test_predformer_agrees_with_its_equations():
    torch.manual_seed(0)
    block = PredFormerBlock(4, over="t", num_heads=2).double().eval()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(1, 5, 4, 1, 1, dtype=torch.float64)
    tokens = x[0, :, :, 0, 0]
    q, k, v = (part.unflatten(1, (2, 2)) for part in block.looks(block.norm1(tokens)).chunk(3, dim=1))
    weights = torch.softmax(torch.einsum("ihc,jhc->hij", q, k) / math.sqrt(2), dim=-1)
    y = block.leave(torch.einsum("hij,jhc->ihc", weights, v).flatten(1)) + tokens
    of_gate, of_values = block.widen(block.norm2(y)).chunk(2, dim=1)
    expected = block.narrow(of_gate * torch.sigmoid(of_gate) * of_values) + y
    torch.testing.assert_close(block(x)[0, :, :, 0, 0], expected)


@settings(max_examples=5)
@given(size=st.tuples(sides, sides, sides), seed=st.integers(0, 99))
def test_afno_agrees_with_its_equations(size, seed):
    torch.manual_seed(seed)
    mixer = AFNOBlock(4, num_blocks=2, threshold=0.2).double().filter
    for parameter in mixer.parameters():
        nn.init.normal_(parameter)
    tokens = torch.randn(2, *size, 4, dtype=torch.float64)

    def linear(layer, z):  # a block-diagonal complex matrix, written out
        (a, b), (c, d) = layer.weight, layer.bias
        matrix = torch.block_diag(*torch.complex(a, b))
        return z @ matrix + torch.complex(c, d).flatten()

    def parts(function, z):
        return torch.complex(function(z.real), function(z.imag))

    z = torch.fft.fftn(tokens, dim=(1, 2, 3), norm="ortho")
    z = linear(mixer.second, parts(functional.relu, linear(mixer.first, z)))
    z = parts(lambda each: each.sign() * (each.abs() - 0.2).clamp_min(0), z)
    half = z[..., : size[2] // 2 + 1, :]  # of a real sequence, the other frequencies are these conjugated
    expected = torch.fft.irfftn(half, s=size, dim=(1, 2, 3), norm="ortho") + tokens
    torch.testing.assert_close(mixer(tokens), expected)


def test_places_of_a_sequence_are_all_unlike():
    coded = PositionCode()(torch.zeros(1, 2, 8, 3, 4)).movedim(2, -1).reshape(24, 8)
    torch.testing.assert_close(coded[0], torch.tensor([0.0, 1.0]).repeat(4))
    torch.testing.assert_close(coded[1, :4], torch.tensor([math.sin(1), math.cos(1), math.sin(0.1), math.cos(0.1)]))
    assert torch.cdist(coded, coded).add(torch.eye(24)).min() > 0.01


@pytest.mark.parametrize(("in_frames", "out_frames"), [(3, 3), (4, 2), (2, 5)])
def test_a_translator_of_sequences(in_frames, out_frames):
    torch.manual_seed(0)
    stack = SequenceTranslator(
        3, 4, in_frames, out_frames, num_layers=2, block=lambda layer, width: Conv3DBlock(width, kernel_size=1)
    )
    maps = torch.randn(2, in_frames, 3, 4, 5)
    made = stack(maps)
    assert made.shape == (2, out_frames, 3, 4, 5)
    each = torch.stack([stack.blocks[1](stack.blocks[0](stack.enter(maps[i])[None]))[0] for i in range(2)])
    left = torch.stack([stack.leave(each[i]) for i in range(2)])
    if in_frames == out_frames:
        torch.testing.assert_close(made, left)
    else:
        mixed = torch.einsum("ot,btchw->bochw", stack.frames.weight, left) + stack.frames.bias.view(-1, 1, 1, 1)
        torch.testing.assert_close(made, mixed)


def test_a_socket_for_sequences_and_one_for_maps():
    """The same translator in either: with time as an axis, or in the channels."""

    class Sequences(nn.Module):
        sequences = True

        def forward(self, maps):
            assert maps.shape[1:3] == (3, 2)
            return maps[:, [2, 1]].cumsum(dim=1)

    class Maps(nn.Module):
        def forward(self, maps):
            return Sequences()(maps.unflatten(1, (3, 2))).flatten(1, 2)

    class Ends(nn.Module):
        def forward(self, frames, skip=None):
            return (frames, frames) if skip is None else frames

    past = torch.rand(2, 3, 2, 4, 5)
    models = [DirectForecaster(Ends(), kind(), Ends(), 3, 2) for kind in (Sequences, Maps)]
    assert models[0](past, 3).equal(models[1](past, 3))


def test_a_forecaster_of_sequences_pads_crops_cuts_and_goes_on():
    class Network(nn.Module):
        def forward(self, past):
            assert past.shape[-2:] == (8, 8)
            return past[:, 1:] + 1

    with pytest.raises(ValueError, match=r"network must return \(B, out_frames, C, H, W\) = \(1, 3\) and more"):
        SequenceForecaster(Network(), 3, 3, size_multiple=4)(torch.zeros(1, 3, 1, 8, 8), 1)
    model = SequenceForecaster(Network(), 3, 2, size_multiple=4)
    past = torch.rand(1, 3, 1, 5, 7)
    expected = torch.cat([past[:, 1:] + 1, past[:, 2:] + 2, past[:, 1:2] + 2], dim=1)[:, [0, 1]]
    assert model(past, 2).equal(expected)
    assert model(past, 1).equal(expected[:, :1])
    assert model(past, 5).shape == (1, 5, 1, 5, 7)
    assert model(past, 5)[:, :2].equal(expected)
    with pytest.raises(ValueError, match=r"past must have in_frames=3 frames, got 2"):
        model(past[:, 1:], 2)
    with pytest.raises(ValueError, match="teacher_mask must be None"):
        model.rollout(past, 2, teacher_mask=torch.ones(1, 4, dtype=torch.bool))


def test_the_published_size_of_predformer():
    """25.3 M in Table 2 of the paper, for every variant."""
    for order in ("tsst", "ts", "f"):
        with torch.device("meta"):
            model = create_model("predformer", order=order)
        assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 25.3
    assert [block.over for block in model.network.translator.blocks] == ["f"] * 24


def test_predformer_on_frames_smaller_than_a_patch_and_of_any_horizon():
    options = {"channels": 8, "num_layers": 5, "in_frames": 2, "out_frames": 3}
    model, past = create_model("predformer", 2, (5, 9), **options), torch.rand(1, 2, 2, 5, 9)
    assert [block.over for block in model.network.translator.blocks] == list("tsstt")
    assert model(past, 7).shape == (1, 7, 2, 5, 9)
    torch.testing.assert_close(model(past, 7)[:, :2], model(past, 2))


class Shrinks(nn.Module):
    def forward(self, maps):
        return maps[:, 1:]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PredFormerBlock(8, over="x"), "over must be one of 't', 's', 'f', got 'x'"),
        (lambda: PredFormerBlock(6, num_heads=4), "num_heads must be a divisor of channels=6, got 4"),
        (lambda: PredFormerBlock(6, num_heads="2"), "num_heads must be a divisor of channels=6, got '2'"),
        (lambda: PredFormer(1, 1, 8, 2, 2, order="txs"), r"order must be made of 't' \(time\), 's' .*, got 'txs'"),
        (lambda: PredFormer(1, 1, 8, 2, 2, order=""), "order must be made of .*, got ''"),
        (lambda: PredFormer(1, 1, 8, 2, 2, patch_size=0), "patch_size must be an integer >= 1, got 0"),
        (lambda: PredFormer(1, 1, 8, 0, 2), "in_frames must be an integer >= 1, got 0"),
        (lambda: AFNOBlock(6, num_blocks=4), "num_blocks must be a divisor of channels=6, got 4"),
        (lambda: AFNOBlock(6, num_blocks=0), "num_blocks must be an integer >= 1, got 0"),
        (lambda: AFNOBlock(8, threshold=-1.0), "threshold must be at least 0, got -1.0"),
        (lambda: AFNOBlock(8, threshold=math.nan), "threshold must be at least 0, got nan"),
        (lambda: Conv3DBlock(6, kernel_size=2), "kernel_size must be an odd integer"),
        (
            lambda: SequenceTranslator(1, 1, 2, 2, num_layers=1, block=lambda *_: Shrinks())(
                torch.zeros(1, 2, 1, 3, 3)
            ),
            r"must keep the shape of its sequence, \(1, 2, 1, 3, 3\); Shrinks made \(1, 1, 1, 3, 3\)",
        ),
    ],
)
def test_errors_name_the_argument_and_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()
