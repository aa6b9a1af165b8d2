"""Nowcaster: the forecast at any time is that of all frames pushed, which it does not read again."""

import io
from itertools import islice

import pytest
import torch
from torch import nn

from stblocks import Forecaster, Nowcaster, RecurrentForecaster, RecurrentStack, create_model, list_models
from stblocks.core import Rollout
from tests.test_models import small_options


def build(name, **options):
    torch.manual_seed(0)
    return create_model(name, image_size=(8, 8), **small_options(name) | options).eval()


def video(frames=5, batch=2, channels=1, size=(8, 8)):
    return torch.rand(batch, frames, channels, *size, generator=torch.Generator().manual_seed(1))


def seen(model, frames):
    """What a forecast is made from: all frames, or as many as a direct model takes."""
    return frames[:, -getattr(model, "in_frames", frames.shape[1]) :]


class Mean(Forecaster):
    """A model of no kind known here: the mean of all frames, halved with every step."""

    def rollout(self, past, horizon, future=None, teacher_mask=None):
        mean = past.mean(1, keepdim=True)
        return Rollout(torch.cat([mean / 2**k for k in range(horizon)], 1), past.shape[1], {}, None)


#: Of every kind; all others when asked for.
FEW = ("gmg_l", "predrnnv2", "mim", "vmrnn_d", "simvpv2_s", "mean")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in (*list_models(), "mean")]
)
@torch.no_grad()
def test_it_forecasts_what_the_model_does(name):
    model = Mean() if name == "mean" else build(name)
    frames, live = video(), Nowcaster(model)
    for t in range(5):
        live.push(frames[:, t])
        past = seen(model, frames[:, : t + 1])
        if past.shape[1] == getattr(model, "in_frames", past.shape[1]):
            for horizon in (3, 1):
                assert torch.equal(live.forecast(horizon), model(past, horizon))
            assert torch.equal(torch.stack([*islice(model.steps(past), 5)], 1), model(past, 5))
    assert live.pushed == 5


@pytest.mark.parametrize("name", ["gmg_l", "simvpv2_s"])
def test_frames_are_padded_as_the_model_does(name):
    model, frames = build(name), video(2, size=(7, 5))
    live = Nowcaster(model.train())
    for frame in frames.unbind(1):
        live.push(frame)
    forecast = live.forecast(3)
    assert not model.training
    assert not forecast.requires_grad
    assert torch.equal(forecast, model(frames, 3))


@pytest.mark.parametrize("name", ["predrnn", "simvpv2_s"])
def test_a_saved_state_goes_on(name):
    model, frames, file = build(name), video(6), io.BytesIO()
    live = Nowcaster(model)
    for t in range(3):
        live.push(frames[:, t])
    torch.save(live.state_dict(), file)
    file.seek(0)
    other = Nowcaster(build(name))
    other.load_state_dict(torch.load(file, weights_only=True))
    other.push(frames[:, 3])
    assert torch.equal(other.forecast(2), model(seen(model, frames[:, :4]), 2))
    assert (live.pushed, other.pushed) == (3, 4)
    assert torch.equal(live.forecast(2), model(seen(model, frames[:, :3]), 2))
    with pytest.raises(ValueError, match=r"frame must be \(2, 1, 8, 8\) like the 4 frames before it"):
        other.push(frames[:1, 4])
    other.load_state_dict(Nowcaster(model).state_dict())
    with pytest.raises(ValueError, match="none has been pushed"):
        other.forecast(1)


def test_a_direct_model_keeps_the_last_frames_alone():
    live = Nowcaster(build("simvpv2_s"))
    for frame in video(7).unbind(1):
        live.push(frame)
    assert live.state_dict()["memory"]["frames"].shape[1] == 2


def test_persistence_keeps_the_last_frame_alone():
    live = Nowcaster(build("persistence"))
    for frame in video(7).unbind(1):
        live.push(frame)
    assert torch.equal(live.state_dict()["memory"]["frames"][:, 0], video(7)[:, -1])
    assert live.state_dict()["memory"]["frames"].shape[1] == 1


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in (*list_models(), "mean")]
)
@torch.no_grad()
def test_frames_and_forecasts_are_the_callers_to_change(name):
    """A buffer that is filled anew for each frame, and forecasts that go to physical units in place."""
    model, frames = Mean() if name == "mean" else build(name), video()
    live, buffer = Nowcaster(model), torch.empty_like(frames[:, 0])
    for frame in frames.unbind(1):
        live.push(buffer.copy_(frame))
    buffer.zero_()
    expected = model(seen(model, frames), 4)
    for steps in (live.steps(), live.steps(), model.steps(seen(model, frames))):
        for k, frame in enumerate(islice(steps, 4)):
            assert torch.equal(frame, expected[:, k])
            frame.mul_(95).sub_(10)


def test_a_model_without_weights_takes_frames_of_any_dtype():
    live = Nowcaster(build("persistence"))
    live.push(video()[:, 0].double())
    again = Nowcaster(build("persistence"))
    again.load_state_dict(live.state_dict())
    assert torch.equal(again.forecast(1), video()[:, :1].double())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_state_of_autocast_goes_on_under_it(dtype):
    model = build("simvpv2_s")
    live, again = Nowcaster(model), Nowcaster(model)
    with torch.autocast("cpu", torch.bfloat16):
        for frame in video(3).to(dtype).unbind(1):
            live.push(frame)
        again.load_state_dict(live.state_dict())
        assert torch.equal(again.forecast(2), live.forecast(2))
    other = Nowcaster(build("simvpv2_s").double())
    other.load_state_dict(live.state_dict())
    with pytest.raises(ValueError, match=rf"past must be .*float64.*, got .*{dtype}"):
        other.forecast(1)


def test_each_frame_is_one_step():
    model, steps = build("predrnn"), []
    model.stack.register_forward_hook(lambda *_: steps.append(1))
    live = Nowcaster(model)
    for frame in video(4).unbind(1):
        live.push(frame)
    assert len(steps) == 4
    live.forecast(3)
    assert len(steps) == 6, "the first frame of a forecast is that of the last step"


def test_forecasts_begun_before_a_frame_go_on_without_it():
    model, frames = build("convlstm"), video(3)
    live = Nowcaster(model)
    live.push(frames[:, 0])
    live.push(frames[:, 1])
    steps, unread = live.steps(), live.steps()
    first = next(steps)
    live.push(frames[:, 2])
    assert torch.equal(torch.stack([first, next(steps)], 1), model(frames[:, :2], 2))
    assert torch.equal(torch.stack([*islice(unread, 2)], 1), model(frames[:, :2], 2)), "begun, though not yet read"
    assert not next(live.steps()).requires_grad
    live.reset()
    live.push(frames[:1, 2])
    assert torch.equal(live.forecast(2), model(frames[:1, 2:], 2))


@pytest.mark.parametrize("name", ["gmg_l", "simvpv2_s"])
def test_memory_goes_where_the_model_is(name):
    live = Nowcaster(build(name))
    live.push(video()[:, 0])
    live.push(video()[:, 1])
    assert live.to("meta") is live
    assert live.device.type == "meta"
    assert live.forecast(3).is_meta
    live.push(video()[:, 2])
    assert live.forecast(1).is_meta


def test_other_channels_need_feedback():
    model = build("convlstm", in_channels=3, out_channels=1)
    live, frames = Nowcaster(model), video(channels=3)
    live.push(frames[:, 0])
    assert live.forecast(1).shape == (2, 1, 1, 8, 8)
    with pytest.raises(ValueError, match=r"forecasts have 1 channels but inputs 3.* set model\.feedback = "):
        live.forecast(2)
    model.feedback = lambda frame: frame.expand(-1, 3, -1, -1)
    assert torch.equal(live.forecast(3), model(frames[:, :1], 3))


class Bag(nn.Module):
    """A cell of one's own: adds up what it sees."""

    in_channels = out_channels = 1

    def init_state(self, x):
        return (torch.zeros_like(x),)

    def forward(self, x, state=None):
        total = x + (self.init_state(x) if state is None else state)[0]
        return total, (total,)


def test_a_cell_of_ones_own():
    model = RecurrentForecaster(nn.Identity(), RecurrentStack([Bag()]), nn.Identity(), in_channels=1)
    live, frames = Nowcaster(model), video(3)
    for frame in frames.unbind(1):
        live.push(frame)
    torch.testing.assert_close(live.forecast(1)[:, 0], frames.sum(1))


def test_errors():
    with pytest.raises(ValueError, match=r"model must be a Forecaster, got Identity; see create_model"):
        Nowcaster(nn.Identity())
    live = Nowcaster(build("predrnn"))
    with pytest.raises(ValueError, match=r"none has been pushed; push\(frame\) first"):
        live.forecast(1)
    with pytest.raises(ValueError, match="horizon must be an integer >= 1, got 0"):
        live.forecast(0)
    for model in (live, Nowcaster(build("simvpv2_s"))):
        with pytest.raises(ValueError, match=r"frame must be \(B, 1, H, W\) with no axis of 0, got shape \(2, 5, 1, 8"):
            model.push(video())
    hole = video()[:, 0].index_fill(3, torch.tensor(2), torch.nan)
    for each in (live, model):
        with pytest.raises(ValueError, match=r"frame must be a tensor, got ndarray; write torch\.from_numpy\(frame\)"):
            each.push(video()[:, 0].numpy())
        with pytest.raises(ValueError, match=r"frame must be known everywhere, got NaN, .* by frame\.nan_to_num"):
            each.push(hole)
        assert each.pushed == 0
        with pytest.raises(ValueError, match="past must be known everywhere, got NaN"):
            next(each.model.steps(hole.unsqueeze(1).expand(-1, 2, -1, -1, -1)))
    model.push(video()[:, 0])
    with pytest.raises(ValueError, match="past must have in_frames=2 frames, got 1; pass more frames"):
        model.forecast(1)
    with pytest.raises(ValueError, match="past must have in_frames=2 frames, got 1"):
        next(model.model.steps(video(1)))
    with pytest.raises(ValueError, match=r"state must be of a model that remembers state, forecast, .* got frames"):
        live.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="none has been pushed"):
        live.steps()  # before it is read
    live = Nowcaster(build("gmg_l"))
    live.push(video()[:, 0])
    for other in (build("gmg_l", num_layers=3), build("predrnn"), build("gmg_l", channels=8), build("gmg_l").double()):
        with pytest.raises(ValueError, match=r"state must be of the same model, whose memory has .*, got .*; load it"):
            Nowcaster(other).load_state_dict(live.state_dict())
    with pytest.raises(ValueError, match=r"state must be what state_dict\(\) of a Nowcaster returned, with .* got we"):
        live.load_state_dict({"weight": 1})
