"""Forecasters: any horizon, any size, teacher forcing, streaming, checkpointing."""

from contextlib import nullcontext
from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from stblocks import GSTA, Cell, ConvLSTM, RecurrentForecaster, RecurrentStack, Rollout, Translator, create_model

SMALL = {"channels": 4, "num_layers": 2, "patch_size": 2, "kernel_size": 3}
NAMES = ("gmg_l", "gmg_m", "gmg_s", "predrnn", "predrnnv2", "motionrnn", "convlstm")


def model(name="gmg_l", **options):
    torch.manual_seed(0)
    return create_model(name, **SMALL | options).eval()


def video(batch=2, steps=4, channels=1, size=(6, 7), seed=0):
    return torch.rand(batch, steps, channels, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(
    batch=st.integers(1, 3), steps=st.integers(1, 4), horizon=st.integers(1, 4), channels=st.integers(1, 2),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)  # fmt: skip
def test_any_shape(name, batch, steps, horizon, channels, size):
    net, past = model(name, in_channels=channels), video(batch, steps, channels, size)
    future = net(past, horizon)
    assert future.shape == (batch, horizon, channels, *size)
    assert torch.equal(net(past, horizon), future)  # keeps nothing
    if horizon > 1:  # a shorter forecast is the beginning of a longer one
        assert torch.equal(net(past, 1), future[:, :1])
    torch.testing.assert_close(net(past[:1], horizon), future[:1])


def test_rollout_is_aligned_and_feeds_what_the_mask_says():
    net, whole = model("predrnn"), video(2, 7)
    past, future = whole[:, :3], whole[:, 3:]
    mask = torch.tensor([[True, False, True, True, False, True], [True, True, False, False, True, False]])
    frames, state = [], None
    for t in range(6):
        fed = torch.stack([whole[b, t] if mask[b, t] else frames[-1][b] for b in range(2)])
        frame, state = net.step(fed, state)
        frames.append(frame)
    rollout = net.rollout(past, 4, future, mask)
    assert rollout.first == 1
    torch.testing.assert_close(rollout.frames, torch.stack(frames, 1))
    default = net.rollout(past, 4)
    assert torch.equal(default.frames[:, 2:], net(past, 4))
    explicit = net.rollout(past, 4, teacher_mask=torch.tensor([[True] * 3 + [False] * 3] * 2))
    assert torch.equal(default.frames, explicit.frames)


def test_streaming_is_the_rollout():
    net, past = model(), video(steps=5)
    state = None
    for t in range(5):
        frame, state = net.step(past[:, t], state)
    assert torch.equal(frame, net(past, 1)[:, 0])


def test_padding_repeats_the_border_and_is_cropped():
    net, past = model("convlstm", patch_size=4), video(size=(6, 7))
    padded = torch.nn.functional.pad(past.flatten(0, 1), (0, 1, 0, 2), mode="replicate").unflatten(0, past.shape[:2])
    assert torch.equal(net(past, 1), net(padded, 1)[..., :6, :7])


def test_checkpointing_changes_nothing():
    past, future = video(steps=3), video(steps=3, seed=1)
    grads = []
    for checkpointing in (False, True):
        net = model(checkpointing=checkpointing)
        out = net.rollout(past, 3, future)
        out.frames.square().sum().backward()
        grads.append([out.frames.detach(), *(p.grad for p in net.parameters())])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


#: Steps that are recomputed, and within them a block that is.
NESTED = Translator(1, 1, 1, num_layers=1, block=lambda layer, channels: GSTA(channels), checkpointing=True)


@pytest.mark.parametrize("stem", [nn.Identity(), NESTED])
def test_checkpointing_shows_batch_norms_each_step_once(stem):
    past, seen = video(steps=3, size=(4, 4)), []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        stack = RecurrentStack([Cell(ConvLSTM(1, 4, kernel_size=3), GSTA(4, mlp_ratio=1.0))])
        net = RecurrentForecaster(deepcopy(stem), stack, nn.Conv2d(4, 1, 1), checkpointing=checkpointing)
        for _ in range(2):
            net.rollout(past, 2).frames.square().sum().backward()
        norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
        assert [norm.momentum for norm in norms] == [0.1] * len(norms)
        assert [norm.num_batches_tracked.item() for norm in norms] == [8] * len(norms)
        seen.append(list(net.buffers()))
    torch.testing.assert_close(*seen)


def test_other_channels_out_need_feedback():
    def build(**options):
        stack = RecurrentStack([Cell(ConvLSTM(3, 4, kernel_size=3))])
        return RecurrentForecaster(nn.Identity(), stack, nn.Conv2d(4, 1, 1), in_channels=3, out_channels=1, **options)

    past = video(channels=3)
    assert build()(past, 1).shape == (2, 1, 1, 6, 7)
    with pytest.raises(ValueError, match=r"forecasts have 1 channels but inputs 3.* set model\.feedback = "):
        build()(past, 2)
    assert build(feedback=lambda frame: frame.repeat(1, 3, 1, 1))(past, 4).shape == (2, 4, 1, 6, 7)


def test_every_parameter_learns():
    for name in NAMES:
        net = model(name)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
        out = net.rollout(video(size=(8, 8)), 3)
        (out.frames.square().sum() + sum(value.sum() for value in out.aux.values())).backward()
        idle = [
            n for n, p in net.named_parameters() if (p.grad is None or not p.grad.any()) and not n.endswith("h.bias")
        ]
        assert not idle, (name, idle)


def test_autocast_stays_close():
    net, past = model(), video()
    with torch.autocast("cpu", torch.bfloat16):
        rough = net(past, 3)
    torch.testing.assert_close(rough.float(), net(past, 3), rtol=0, atol=0.02)


MASK = torch.tensor([[True, True, True, True, False]] * 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net(video(), 0), "horizon must be an integer >= 1, got 0"),
        (lambda net: net(video(), 2.0), "horizon must be an integer"),
        (lambda net: net(video()[0], 1), r"past must be \(B, T, 1, H, W\) with T >= 1, got shape \(4, 1, 6, 7\)"),
        (lambda net: net(video()[:0], 1), r"past must hold a sequence at least, and pixels, got shape \(0, "),
        (lambda net: net(video(channels=3), 1), r"past must be \(B, T, 1, H, W\)"),
        (lambda net: net(video().int(), 1), "past must hold floating-point values"),
        (lambda net: net(video().numpy(), 1), r"past must be a tensor, got ndarray; write torch\.from_numpy"),
        (
            lambda net: net(video().double(), 1),
            r"past must be torch.float32 as the weights are, got torch.float64; wri",
        ),
        (lambda net: net.step(video()[:, 0].half()), r"frame must be torch.float32 as the weights are, got torch.floa"),
        (lambda net: net(video().to("meta"), 1), r"past must be where the model is, on cpu, got meta; write past\.to"),
        (
            lambda net: net(video().where(video() > 0.1, torch.nan), 1),
            "past must be known everywhere, got NaN.*missing=",
        ),
        (
            lambda net: net.rollout(video(), 2, teacher_mask=MASK[:, :4]),
            r"shape \(B, T \+ horizon - 1\) = \(2, 5\), got",
        ),
        (lambda net: net.rollout(video(), 2, teacher_mask=MASK.float()), "teacher_mask must be booleans.*float32"),
        (lambda net: net.rollout(video(), 2, teacher_mask=~MASK), "teacher_mask must be True at step 0"),
        (
            lambda net: net.rollout(video(), 2, teacher_mask=MASK | True),
            "feeds true frame 4, but past and future hold 4",
        ),
        (lambda net: net.rollout(video(), 2, teacher_mask=MASK.tolist()), "teacher_mask must be a tensor, got list"),
        (lambda net: net.rollout(video(), 2, video(size=(5, 5))), "future must be"),
        (
            lambda net: net.rollout(video(), 2, video().byte()),
            "future must hold floating-point values, got torch.uint8",
        ),
        (lambda net: net.rollout(video(), 2, video().double()), "future must be torch.float32 as the weights are"),
        (lambda net: net.rollout(video(), 2, video().numpy()), "future must be a tensor, got ndarray"),
    ],
)
def test_wrong_calls_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call(model())


def test_a_future_frame_with_missing_cells_is_not_fed():
    model, frames = create_model("convlstm", channels=4, num_layers=1, patch_size=2), torch.rand(2, 5, 1, 8, 8)
    past, future = frames[:, :3], frames[:, 3:].clone()
    future[1, 0, 0, 2, 2] = torch.nan
    mask = torch.tensor([[True, True, True, True], [True, True, True, False]])
    assert model.rollout(past, 2, future, mask).frames.isfinite().all()
    mask[1, 3] = True
    with pytest.raises(ValueError, match="future must be known where teacher_mask feeds it, got NaN"):
        model.rollout(past, 2, future, mask)
    mask[:, 3:] &= ~future[:, :-1].isnan().flatten(2).any(2)  # as the message says
    assert model.rollout(past, 2, future, mask).frames.isfinite().all()


def test_a_horizon_may_be_an_integer_of_numpy():
    net, past = model("convlstm"), video()
    assert torch.equal(net(past, np.int64(3)), net(past, 3))
    with pytest.raises(ValueError, match=r"horizon must be an integer >= 1, got np\.float64\(3\.0\)|got 3\.0"):
        net(past, np.float64(3))
    with pytest.raises(ValueError, match="horizon must be an integer >= 1, got True"):
        net(past, True)


def test_values_are_not_looked_at_where_there_are_none():
    """Under vmap, in fake tensors and under autocast the checks stand aside."""
    net, past = model("convlstm"), video()
    assert torch.vmap(lambda frames: net(frames[None], 2)[0])(past).shape == (2, 2, 1, 6, 7)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert net(torch.empty(past.shape), 2).shape == (2, 2, 1, 6, 7)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(past.bfloat16(), 2).shape == (2, 2, 1, 6, 7)


@pytest.mark.parametrize(
    ("size", "name", "warned"),
    [
        ((513, 512), "vmrnn_b", "VSS|SS2D"),
        ((512, 512), "vmrnn_b", None),
        ((700, 1200), "convlstm", None),
        ((700, 1200), "advection", None),  # it looks at the whole map, in seconds
    ],
)
def test_models_that_look_at_a_large_map_name_tiles(size, name, warned, monkeypatch):
    of_one_cell = {"channels": 4, "depth": 2}
    net = model(name) if name == "convlstm" else create_model(name, **of_one_cell if name == "vmrnn_b" else {})
    monkeypatch.setattr(type(net), "rollout", lambda *_: Rollout(torch.zeros(1, 3, 1, 1, 1), 1, {}, None))
    told = pytest.warns(UserWarning, match=rf"513 x 512, and .*({warned}).*predict_tiled") if warned else nullcontext()
    with told:
        net(torch.zeros(1, 2, 1, *size), 2)


def test_a_size_bound_model_names_image_size():
    net = model("predrnn", norm="layer", image_size=(6, 7))
    assert net(video(), 2).shape == (2, 2, 1, 6, 7)
    with pytest.raises(
        ValueError, match=r"=\(6, 7\).*got \(8, 8\); build one with image_size=\(8, 8\).*info predrnn -"
    ):
        net(video(size=(8, 8)), 1)
    with pytest.raises(ValueError, match=r"frame must have frames of image_size=\(6, 7\).*got \(8, 8\)"):
        net.step(video(size=(8, 8))[:, 0])
    assert model("predrnn", norm="group")(video(size=(8, 8)), 1).shape[-1] == 8


def test_streaming_checks_what_it_is_given():
    net = model("predrnn")
    with pytest.raises(ValueError, match=r"frame must be \(B, 1, H, W\) with no axis of 0, got shape \(2, 3, 6, 7\)"):
        net.step(video(channels=3)[:, 0])
    _, state = net.step(video()[:1, 0])
    with pytest.raises(ValueError, match=r"must be a feature map \(2, 4, 3, 4\), got shape \(1, "):
        net.step(video()[:, 0], state)


def test_construction_errors():
    cell = Cell(ConvLSTM(1, 4))
    with pytest.raises(ValueError, match="stack must be a RecurrentStack, got Cell"):
        RecurrentForecaster(nn.Identity(), cell, nn.Identity())
    with pytest.raises(ValueError, match="size_multiple must be an integer >= 1, got"):
        RecurrentForecaster(nn.Identity(), RecurrentStack([cell]), nn.Identity(), size_multiple=0)
