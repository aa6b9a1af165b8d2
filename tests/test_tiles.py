"""predict_tiled: exact where tiles do not matter, smooth where they do, and a word where they must."""

import pytest
import torch
from blocks import BLOCKS, BOUND
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from stblocks import (
    SS2D,
    Ensemble,
    Forecaster,
    RoutingModule,
    SmoothNoise,
    create_model,
    list_models,
    predict_tiled,
    testing,
)
from stblocks.core import Rollout
from stblocks.tiles import felt_afar, whole_map_parts
from tests.test_models import small_options


class Persistence(Forecaster):
    """The last frame again, and a note of what it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def rollout(self, past, horizon, future=None, teacher_mask=None):
        self.asked.append(tuple(past.shape))
        return Rollout(past[:, -1:].expand(-1, horizon, -1, -1, -1), past.shape[1], {}, None)


class Corner(Persistence):
    """All of a tile is the value in its upper left corner."""

    def rollout(self, past, horizon, future=None, teacher_mask=None):
        rollout = super().rollout(past, horizon)
        return rollout._replace(frames=rollout.frames[..., :1, :1].expand_as(rollout.frames))


def field(height, width, batch=2, frames=2, channels=2, seed=0):
    return torch.randn(batch, frames, channels, height, width, generator=torch.Generator().manual_seed(seed)) * 100


@given(*[st.integers(1, 40)] * 2, *[st.integers(1, 12)] * 2, st.floats(0, 0.5), st.integers(1, 3), st.integers(1, 5))
def test_persistence_is_exact_and_tiles_are_as_asked(height, width, tall, wide, share, horizon, batch_size):
    model, frames, overlap = Persistence(), field(height, width), int(share * min(tall, wide))
    found = predict_tiled(model, frames, horizon, (tall, wide), overlap, batch_size=batch_size)
    assert torch.equal(found, frames[:, -1:].expand(-1, horizon, -1, -1, -1))
    assert {shape[-2:] for shape in model.asked} == {(min(tall, height), min(wide, width))}
    assert max(shape[0] for shape in model.asked) <= 2 * batch_size


@given(st.integers(30, 60), st.integers(8, 20), st.integers(0, 8))
def test_neighbours_overlap_by_as_much_as_is_asked(width, tile, overlap):
    overlap = min(overlap, tile // 2)
    frames = torch.arange(float(width)).expand(1, 1, 1, tile, width)
    found = predict_tiled(Corner(), frames, 1, tile, overlap)[0, 0, 0, 0]
    steps = found.diff()
    assert (steps >= 0).all(), "an average of two corners lies between them"
    if overlap:  # no jump, but a rise over the pixels that neighbours share
        corners = len({*found[(found == found.round())].tolist()})
        assert corners >= 2
        assert steps.max() < 0.8 * (tile - overlap) if overlap > 1 else True
    starts = frames[0, 0, 0, 0][: width - tile + 1]
    assert found[0] == starts[0]
    assert found[-1] == starts[-1]


def test_the_blend_is_a_sine_squared():
    """Two tiles of 8 on 12 pixels: corners 0 and 1 are blended by sin^2, whose sum is one."""
    frames = torch.zeros(1, 1, 1, 8, 12)
    frames[..., 4] = 1  # the corner of the second tile, at column 4
    found = predict_tiled(Corner(), frames, 1, 8, 4)[0, 0, 0, 0]
    angle = torch.pi / 2 * (torch.arange(4) + 0.5) / 4
    torch.testing.assert_close(found, torch.cat([torch.zeros(4), torch.sin(angle).square(), torch.ones(4)]))


def test_each_tile_is_forecast_as_if_alone():
    torch.manual_seed(0)
    model = create_model("predrnn", **small_options("predrnn"))
    frames = torch.rand(1, 3, 1, 8, 20)
    found = predict_tiled(model, frames, 3, 8, 2)
    assert model.training
    model.eval()
    with torch.no_grad():
        left, right = model(frames[..., :8], 3), model(frames[..., 12:], 3)
    torch.testing.assert_close(found[..., :6], left[..., :6])
    torch.testing.assert_close(found[..., 14:], right[..., 2:])
    torch.testing.assert_close(found, predict_tiled(model, frames, 3, 8, 2, batch_size=3))
    torch.testing.assert_close(predict_tiled(model, frames, 3, (8, 20), 2), model(frames, 3))


def test_a_wide_overlap_hides_what_a_pixel_does_not_see():
    """A local model whose view is narrower than what tiles share is the same with tiles and without, but at borders."""
    blur = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(blur.weight, 1 / 9)

    class Blur(Persistence):
        def rollout(self, past, horizon, future=None, teacher_mask=None):
            frame, frames = past[:, -1], []
            for _ in range(horizon):
                frames.append(frame := blur(frame))
            return Rollout(torch.stack(frames, 1), past.shape[1], {}, None)

    frames, errors = field(24, 60, channels=1), []
    with torch.no_grad():
        whole = Blur()(frames, 2)
    for overlap in (0, 4, 8):
        errors.append((predict_tiled(Blur(), frames, 2, 24, overlap) - whole).square().mean().sqrt())
    assert errors[0] > 3 * errors[1]
    assert errors[1] > errors[2]


def fades(module):
    """What a scan reads is felt ever less far off, here less than rounding; a router may choose as before."""
    return any(isinstance(part, SS2D | RoutingModule) for part in module.modules())


@pytest.mark.parametrize("name", [name for name in BLOCKS if name not in BOUND])
def test_blocks_say_whether_they_see_the_whole_map(name):
    block, maps = testing.example(BLOCKS[name], size=(90, 3), seed=1)
    said = bool(whole_map_parts(block))

    def written(*given):
        results = block(*given)
        return (results,) if isinstance(results, torch.Tensor) else results

    assert said if fades(block) else said is felt_afar(written, maps)


@pytest.mark.parametrize("name", list_models())
def test_models_say_whether_they_see_the_whole_frame(name):
    torch.manual_seed(0)
    model = create_model(name, image_size=(160, 8), **small_options(name)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    said = bool(whole_map_parts(model))
    frames = field(160, 8, channels=1, batch=1).double() / 100
    assert said if fades(model) else said is felt_afar(lambda past: [model(past, 1)], [frames])


def test_the_warning_names_the_parts():
    model = create_model("gmg_l", **small_options("gmg_l"))
    with pytest.warns(UserWarning, match="GFM, GrowthDecay, SAM in this model look at the whole map"):
        predict_tiled(model, torch.rand(1, 2, 1, 8, 12), 1, 8, 2)


def test_tiles_that_would_all_be_perturbed_alike_are_warned_of():
    model = create_model("persistence")
    whole = Ensemble([model, model], mean=True)
    predict_tiled(whole, torch.rand(1, 2, 1, 8, 12), 1, 8, 2)
    with pytest.warns(UserWarning, match="Ensemble in this model look at the whole map"):
        predict_tiled(Ensemble(model, 2, perturb=SmoothNoise(0.1), mean=True), torch.rand(1, 2, 1, 8, 12), 1, 8, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, (8, 8, 8), 2), r"tile must be \(H, W\) or a side, got \(8, 8, 8\)"),
        ((1, 0, 0), "tile_height must be an integer >= 1, got 0"),
        ((0, 8, 2), "horizon must be an integer >= 1, got 0"),
        ((1, 8.0, 0), r"tile_height must be an integer >= 1, got 8\.0"),
        ((1, (8, 6), 4), "overlap must be an integer from 0 to 3, half a tile, got 4"),
        ((1, 8, -1), "overlap must be an integer from 0 to 4, half a tile, got -1"),
        ((1, 8, 2.5), r"overlap must be an integer from 0 to 4, half a tile, got 2\.5"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        predict_tiled(Persistence(), field(9, 9), *arguments)


def test_frames_that_are_none():
    with pytest.raises(ValueError, match=r"frames must be \(B, T, C, H, W\), got shape \(2, 2, 9, 9\)"):
        predict_tiled(Persistence(), field(9, 9)[0], 1, 8, 2)
    for nothing in (field(9, 9)[:0], field(9, 9)[:, :0], field(9, 0)):
        with pytest.raises(ValueError, match=r"frames must hold a sequence of a frame at least, and pixels, got \(\d"):
            predict_tiled(Persistence(), nothing, 1, 8, 2)
    with pytest.raises(ValueError, match=r"frames must be a tensor, got ndarray; write torch\.from_numpy\(frames\)"):
        predict_tiled(Persistence(), field(9, 9).numpy(), 1, 8, 2)
    with pytest.raises(ValueError, match="batch_size must be an integer >= 1, got 0"):
        predict_tiled(Persistence(), field(9, 9), 1, 8, 2, batch_size=0)
