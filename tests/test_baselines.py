"""Motion is found and carried on: against fields whose motion is known, and where there is none to see."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stblocks import create_model
from stblocks.data import SyntheticRadar
from stblocks.ops.optical_flow import carry, optical_flow, semi_lagrangian
from stblocks.score import evaluate, persistence
from stblocks.train import TrainConfig, fit, report
from tests.tiny import Drifting


def waves(size, times, motion, seed=0, channels=1):
    """A smooth field `(1, T, C, H, W)` that a steady motion of rows and columns a frame carries."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(*(torch.arange(float(side)) for side in size), indexing="ij")
    frames = torch.zeros(1, times, channels, *size)
    for t in range(times):
        for wave in range(12):
            ky, kx, phase = torch.rand(3, generator=generator.manual_seed(100 * seed + wave)) * 2 - 1
            field = torch.cos(0.4 * ky * (y - motion[0] * t) + 0.4 * kx * (x - motion[1] * t) + 3 * phase)
            frames[0, t] += 0.05 * field * torch.linspace(1, 0.5, channels).view(-1, 1, 1)
    return frames + 0.5


@settings(max_examples=10)
@given(st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 5), st.sampled_from([(48, 48), (40, 65)]))
def test_a_steady_motion_is_found_and_carried_on(down, right, seed, size):
    frames = waves(size, 9, (down, right), seed)
    flow = optical_flow(frames[:, :5])
    found = flow.mean(dim=(2, 3))[0]
    torch.testing.assert_close(found, torch.tensor([down, right]), atol=0.15, rtol=0)
    forecast = create_model("advection")(frames[:, :5], 4)
    inside = (slice(None), slice(None), slice(None), slice(16, -16), slice(16, -16))  # 4 steps of up to 3 pixels
    error = (forecast - frames[:, 5:])[inside].square().mean()
    assert error < 0.03 * frames[inside].var() + 1e-6


@given(st.integers(-3, 3), st.integers(-4, 4), st.integers(1, 6), st.integers(1, 7))
def test_whole_pixels_are_carried_as_they_are(down, right, height, width):
    maps = torch.rand(2, 3, height, width)
    moved, inside = carry(maps, torch.tensor([float(down), float(right)]).view(1, 2, 1, 1).expand(2, 2, height, width))
    for i in range(height):
        for j in range(width):
            row, column = i - down, j - right
            assert inside[0, 0, i, j] == (0 <= row < height and 0 <= column < width)
            source = maps[:, :, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            torch.testing.assert_close(moved[:, :, i, j], source)


def test_paths_are_curved_where_the_motion_is():
    """In a solid rotation a blob goes round in a circle."""
    side, turn, steps = 65, 0.1, 20
    y, x = torch.meshgrid(*[torch.arange(float(side)) - side // 2] * 2, indexing="ij")
    flow = turn * torch.stack([x, -y])[None]
    blob = torch.exp(-((y + 16) ** 2 + x**2) / 18)[None, None]
    forecast = semi_lagrangian(blob, flow, steps)[0, :, 0]
    angle = turn * torch.arange(1.0, steps + 1)
    for frame, a in zip(forecast, angle, strict=True):
        mass = frame / frame.sum()
        centre = torch.stack([(mass * y).sum(), (mass * x).sum()])
        torch.testing.assert_close(centre, 16 * torch.stack([-a.cos(), a.sin()]), atol=0.4, rtol=0)


def test_turned_frames_have_the_turned_motion():
    frames = waves((32, 40), 4, (1.5, -2.0), seed=3)
    flow = optical_flow(frames)
    torch.testing.assert_close(
        optical_flow(frames.transpose(-2, -1)), flow.flip(1).transpose(-2, -1), atol=1e-4, rtol=0
    )
    mirrored = flow.flip(-1) * torch.tensor([1.0, -1.0]).view(2, 1, 1)
    torch.testing.assert_close(optical_flow(frames.flip(-1)), mirrored, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 3), (16, 16)])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_where_nothing_moves_nothing_is_moved(size, length):
    model = create_model("advection", 2)
    dry = torch.zeros(1, length, 2, *size)
    assert torch.equal(model(dry, 3), torch.zeros(1, 3, 2, *size))
    still = torch.rand(1, 1, 2, *size).expand(-1, length, -1, -1, -1)
    torch.testing.assert_close(model(still, 3), persistence(still, 3), atol=1e-4, rtol=0)


def test_sequences_do_not_see_each_other_and_channels_move_together():
    one, other = waves((32, 32), 4, (1, 2), seed=1, channels=2), waves((32, 32), 4, (-2, 0), seed=2, channels=2)
    model = create_model("advection", 2, out_channels=1)
    both = model(torch.cat([one, other]), 3)
    assert both.shape == (2, 3, 1, 32, 32)
    torch.testing.assert_close(both[:1], model(one, 3))
    torch.testing.assert_close(both[1:], model(other, 3))
    assert torch.equal(create_model("persistence", 2, out_channels=1)(one, 2), persistence(one, 2, 1))


@pytest.mark.parametrize("name", ["advection", "persistence"])
def test_baselines_are_forecasters_like_any_other(name, tmp_path):
    model, data = create_model(name), SyntheticRadar(3, size=(32, 32))
    past = data[0].past[None]
    rollout = model.rollout(past, 2)
    assert (rollout.first, rollout.frames.shape) == (5, (1, 2, 1, 32, 32))
    assert torch.equal(rollout.frames, model(past, 5)[:, :2])
    assert torch.equal(pickle.loads(pickle.dumps(model))(past, 2), rollout.frames)
    assert model(past.bfloat16(), 1).dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"teacher_mask must be None: no forecast of this model is fed back"):
        model.rollout(past, 2, teacher_mask=torch.ones(1, 6, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"out_channels must be at most in_channels=1, .* got 2"):
        create_model(name, out_channels=2)
    with pytest.raises(ValueError, match=r"model must have weights to train, \w+ has none; score it by evaluate"):
        fit(model, Drifting(), Drifting(), TrainConfig(batch_size=2), tmp_path / "run")


def test_a_baseline_can_be_reported(tmp_path):
    report(create_model("persistence"), SyntheticRadar(2, 2, 1, size=(16, 16)), tmp_path)
    assert (tmp_path / "forecast.gif").exists()


def test_advection_beats_persistence_on_rain_that_moves():
    tables = evaluate(create_model("advection"), SyntheticRadar(6), metrics=("mse@pixel",))
    assert tables["model"].pooled["mse@pixel"] < 0.7 * tables["persistence"].pooled["mse@pixel"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("window", 0, "window must be above 0, got 0"),
        ("ridge", -1.0, "ridge must be above 0, got -1.0"),
        ("iterations", 0, "iterations must be an integer >= 1, got 0"),
    ],
)
def test_options_that_cannot_be(option, value, message):
    with pytest.raises(ValueError, match=message):
        create_model("advection", **{option: value})


@pytest.mark.parametrize("option", [{"window": 2.0}, {"ridge": 0.01}, {"iterations": 1}])
def test_every_option_changes_something(option):
    frames = torch.rand(1, 3, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(create_model("advection", **option)(frames, 2), create_model("advection")(frames, 2))
