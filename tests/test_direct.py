"""DirectForecaster: any horizon, any size, other channels out than in."""

from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from stblocks import GSTA, Decoder, DirectForecaster, Encoder, SequenceForecaster, Translator, create_model

SMALL = {"channels": 4, "translator_channels": 12, "num_layers": 2, "mlp_ratio": 2.0, "image_size": (12, 12)}


def small(in_frames=3, out_frames=3, name="simvpv2_s", **options):
    torch.manual_seed(0)
    return create_model(name, in_frames=in_frames, out_frames=out_frames, **{**SMALL, **options}).eval()


@given(
    in_frames=st.integers(1, 5),
    out_frames=st.integers(1, 5),
    short=st.integers(1, 9),
    longer=st.integers(0, 6),
    height=st.integers(4, 9),
    width=st.integers(4, 9),
)
def test_a_forecast_is_the_beginning_of_a_longer_one(in_frames, out_frames, short, longer, height, width):
    model = small(in_frames, out_frames)
    past = torch.rand(2, in_frames, 1, height, width)
    with torch.no_grad():
        forecast, further = model(past, short), model(past, short + longer)
    assert forecast.shape == (2, short, 1, height, width)
    torch.testing.assert_close(further[:, :short], forecast)


def test_a_longer_horizon_feeds_forecasts_back():
    model, past = small(3, 2), torch.rand(1, 3, 1, 8, 8)
    first = model(past, 2)
    second = model(torch.cat([past[:, 2:], first], dim=1), 2)
    torch.testing.assert_close(model(past, 4), torch.cat([first, second], dim=1))


def test_padding_repeats_the_border_and_is_cropped():
    model, past = small(), torch.rand(1, 3, 1, 5, 7)
    padded = nn.functional.pad(past[0], (0, 1, 0, 3), mode="replicate")[None]
    torch.testing.assert_close(model(past, 3), model(padded, 3)[..., :5, :7])


@pytest.mark.parametrize(("in_frames", "out_frames", "seen"), [(3, 3, [0, 1, 2]), (4, 2, [2, 3]), (2, 4, [0, 1, 1, 1])])
def test_each_forecast_gets_the_skip_of_its_past_frame(in_frames, out_frames, seen):
    class Nothing(nn.Module):
        def forward(self, maps):
            return maps.new_zeros(len(maps), out_frames, *maps.shape[2:])

    class Split(nn.Module):
        def forward(self, frames):
            return frames, frames

    class Sum(nn.Module):
        def forward(self, features, skip):
            return features + skip

    model = DirectForecaster(Split(), Nothing(), Sum(), in_frames, out_frames)
    past = torch.rand(2, in_frames, 1, 3, 3)
    torch.testing.assert_close(model(past, out_frames), past[:, seen])


def test_other_channels_out_than_in():
    model, past = small(in_channels=3, out_channels=1), torch.rand(2, 3, 3, 8, 8)
    assert model(past, 3).shape == (2, 3, 1, 8, 8)
    with pytest.raises(ValueError, match=r"1 channels but inputs 3, .* set model\.feedback = .* at most 3\."):
        model(past, 4)
    model.feedback = lambda frames: frames.expand(-1, -1, 3, -1, -1)
    assert model(past, 7).shape == (2, 7, 1, 8, 8)


def test_a_rollout_starts_at_the_first_unseen_frame():
    model, past, future = small(), torch.rand(1, 3, 1, 8, 8), torch.rand(1, 5, 1, 8, 8)
    rollout = model.rollout(past, 5, future)
    assert (rollout.first, rollout.aux, rollout.state) == (3, {}, None)
    torch.testing.assert_close(rollout.frames, model(past, 5))
    with pytest.raises(ValueError, match="teacher_mask must be None"):
        model.rollout(past, 5, future, torch.ones(1, 7, dtype=torch.bool))


class Refining(nn.Module):
    """The mean of the past, then half of what is left to 1, twice."""

    def forward(self, past):
        made = [past.mean(dim=1, keepdim=True).repeat(1, 2, 1, 1, 1)]
        for _ in range(2):
            made.append((1 + made[-1]) / 2)
        return made if self.training else made[-1:]


def test_forecasts_made_in_steps_are_cropped_and_carried_by_the_rollout():
    model, past = SequenceForecaster(Refining(), 3, 2, size_multiple=4), torch.rand(2, 3, 1, 5, 7)
    rollout = model.rollout(past, 3)
    first, second = rollout.intermediate
    assert first.shape == second.shape == rollout.frames.shape == (2, 3, 1, 5, 7)
    torch.testing.assert_close((second, rollout.frames), ((1 + first) / 2, (1 + second) / 2))
    torch.testing.assert_close(first[:, 2], torch.cat([past[:, 2:], rollout.frames[:, :2]], dim=1).mean(dim=1))
    torch.testing.assert_close(model(past, 3), rollout.frames)
    assert model.eval().rollout(past, 3).intermediate == ()
    torch.testing.assert_close(model(past, 3), rollout.frames)
    torch.testing.assert_close(torch.stack([*islice(model.steps(past), 3)], dim=1), rollout.frames)


def test_samples_of_a_batch_do_not_meet():
    model, past = small(), torch.rand(3, 3, 1, 8, 8)
    torch.testing.assert_close(model(past, 4)[[2, 0]], model(past[[2, 0]], 4))


def test_gradients_reach_every_weight_and_frame():
    model, past = small().train(), torch.rand(2, 3, 1, 8, 8, requires_grad=True)
    model(past, 5).square().sum().backward()
    assert past.grad.abs().amin(dim=(0, 2, 3, 4)).min() > 0
    assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters())


def test_by_hand():
    model = DirectForecaster(
        Encoder(1, 4, num_layers=3),
        Translator(8, 6, 12, num_layers=3, block=lambda layer, channels: GSTA(channels, kernel_size=7)),
        Decoder(4, 2, num_layers=3),
        in_frames=2,
        out_frames=3,
        size_multiple=2,
    )
    assert model(torch.rand(2, 2, 1, 6, 5), 3).shape == (2, 3, 2, 6, 5)


@pytest.mark.parametrize(
    ("past", "message"),
    [
        (torch.rand(1, 2, 1, 8, 8), "in_frames=3 frames, got 2; pass more frames"),
        (torch.rand(1, 5, 1, 8, 8), r"got 5; pass past\[:, -3:\]"),
        (torch.rand(1, 3, 1, 8, 3), r"H and W of at least 4, .* got \(8, 3\)"),
        (torch.rand(1, 3, 2, 8, 8), r"past must be \(B, T, 1, H, W\)"),
    ],
)
def test_a_past_that_does_not_fit(past, message):
    with pytest.raises(ValueError, match=message):
        small()(past, 1)


@pytest.mark.parametrize("name", ["in_frames", "out_frames"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_numbers_of_frames(name, value):
    with pytest.raises(ValueError, match=f"{name} must be an integer"):
        DirectForecaster(nn.Identity(), nn.Identity(), nn.Identity(), **{"in_frames": 1, "out_frames": 1, name: value})
    with pytest.raises(ValueError, match=f"{name} must be an integer"):
        small(**{name: value})
