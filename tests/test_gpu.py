"""What only a GPU can show: true CUDA graphs, and the forms that are chosen there.

`pytest tests/test_gpu.py && python -m benchmarks.gpu` is all that a machine with a GPU is needed for.
"""

import logging
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from torch import nn

from stblocks import create_model
from stblocks.blocks.layers import Dilated
from stblocks.ops.map_norm import map_norm
from stblocks.runtime.graph import Graphed
from stblocks.runtime.recorder import Cuda
from stblocks.score import evaluate
from stblocks.train import Objective, graphed
from stblocks.train.objective import Losses
from tests.test_models import TRAINED, small_options
from tests.test_resume import Breaking, interrupt
from tests.tiny import Drifting, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

DEVICE, RECORDER = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu"), Cuda
#: Ways through the code that the small models do not take by themselves.
MORE = [
    ("gmg_l", {"norm": "layer"}),
    ("predrnn", {"checkpointing": True}),
    ("simvpv2_s", {"out_frames": 3}),
    ("tau", {"checkpointing": True}),
]


@pytest.fixture(autouse=True)
def exact():
    """Float32 as it is, so that rounding is small."""
    kept = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.set_float32_matmul_precision(kept[0])
    torch.backends.cudnn.allow_tf32 = kept[1]


def small(name, **options):
    torch.manual_seed(0)
    return create_model(name, **{"image_size": (8, 8)} | small_options(name) | options)


def close(ours, theirs, **tolerance):
    torch.testing.assert_close(ours, theirs, **{"rtol": 1e-3, "atol": 1e-4} | tolerance)


@pytest.mark.parametrize(("name", "options"), [(name, {}) for name in TRAINED] + MORE)
def test_a_step_by_graph_makes_the_gradients_of_an_eager_one(name, options):
    losses = Losses(small(name, **options), Objective()).to(DEVICE).train()
    for norm in losses.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 0.0  # so that every call finds the same statistics

    def step(past, future, mask):
        losses.zero_grad(set_to_none=False)
        found = losses(past, future, mask)
        found["loss"].backward()
        return {name: value.detach() for name, value in found.items()}

    once = Graphed(step, losses, gradients=True, recorder=RECORDER)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        past, future = torch.rand(2, 5, 1, 8, 8, generator=generator).to(DEVICE).split([2, 3], dim=1)
        future[0, 1, :, :2] = torch.nan
        mask = torch.rand(2, 4, generator=generator) < torch.tensor([1, 0.5, 0.5, 0.5])
        mask = None if hasattr(losses.model, "in_frames") else mask.to(DEVICE)
        torch.manual_seed(seed)  # of drop_path
        expected = step(past, future, mask)
        gradients = {name: value.grad.clone() for name, value in losses.named_parameters() if value.grad is not None}
        torch.manual_seed(seed)
        close(once(past, future, mask), expected)
        close({name: value.grad for name, value in losses.named_parameters() if value.grad is not None}, gradients)


#: Settings of runs that take different ways through the trainer.
RUNS = {
    "plain": ("convlstm", {}, {}),
    "all": ("gmg_l", {}, {"accumulate": 2, "augment": True, "sampling": "scheduled", "ema_decay": 0.6}),
    "reverse": ("predrnn", {"checkpointing": True}, {"sampling": "reverse", "weight_decay": 0.1}),
    "random": ("simvpv2_s", {"in_frames": 3, "out_frames": 2, "drop_path": 0.5, "drop": 0.5}, {"accumulate": 2}),
    "bf16": ("vmrnn_b", {"drop_path": 0.3}, {"precision": "bf16"}),
    "fp16": ("convlstm", {}, {"precision": "fp16"}),
}


@pytest.mark.parametrize("run", RUNS)
def test_a_run_by_graphs_is_the_run_to_rounding(run, tmp_path):
    name, options, settings = RUNS[run]
    settings = {"epochs": 2, "lr": 1e-3} | settings
    eager, graph = (
        train(tmp_path / str(way), model=small(name, **options), graph=way, **settings) for way in (False, True)
    )
    rough = {"rtol": 0.05, "atol": 2e-3} if "precision" in settings else {}
    for one, other in zip(eager.records, graph.records, strict=True):
        if "loss" in one:
            close(torch.tensor(other["loss"]), torch.tensor(one["loss"]), **rough)
    if not rough:
        close(graph.model.state_dict(), eager.model.state_dict())


def test_a_run_goes_on_with_the_random_numbers_it_would_have_drawn(tmp_path):
    options = {"in_frames": 3, "out_frames": 2, "drop": 0.5}
    settings = {"epochs": 2, "lr": 1e-3, "graph": True}
    whole = train(tmp_path / "whole", model=small("simvpv2_s", **options), **settings)
    broken = partial(train, tmp_path / "broken", model=small("simvpv2_s", **options), **settings)
    with pytest.raises(KeyboardInterrupt):
        broken(data=Breaking(Drifting(), 4, interrupt))
    close(broken(resume=True).model.state_dict(), whole.model.state_dict())


def test_forecasts_streams_and_scores_by_graph():
    model = small("gmg_l").to(DEVICE).eval()
    past, other = torch.rand(2, 2, 3, 1, 8, 8, device=DEVICE)
    with torch.no_grad():
        forecast = graphed(model, past, 4, recorder=RECORDER)
        for frames in (past, other, past[:1]):
            close(forecast(frames, 4), model(frames, 4))
        _, expected = model.step(past[:, 0])
        step, state = graphed(model.step, past[:, 0], expected, recorder=RECORDER), expected
        for frame in (*past.unbind(1)[1:], *other.unbind(1)):
            ours, state = step(frame, state)
            theirs, expected = model.step(frame, expected)
            close(ours, theirs)
        close(state, expected)
    both = [evaluate(model, Drifting(7), batch_size=3, graph=graph)["model"].pooled for graph in (False, True)]
    assert both[1] == pytest.approx(both[0], rel=1e-3)


class Reading(nn.Module):
    """Looks at a value, always or while it is recorded."""

    def __init__(self, always):
        super().__init__()
        self.always = always

    def forward(self, x):
        if self.always or torch.cuda.is_current_stream_capturing():
            assert float(x.detach().abs().sum()) >= 0
        return x


@contextmanager
def said(caplog, what):
    with caplog.at_level(logging.WARNING, "stblocks"):
        yield
    (record,) = caplog.records
    assert record.getMessage().startswith("Not run as a CUDA graph, but kernel by kernel: ")
    assert what in record.getMessage()


@pytest.mark.parametrize("always", [True, False])
def test_what_cannot_be_recorded_runs_without_or_is_refused(always, tmp_path, caplog):
    options = {"in_frames": 3, "out_frames": 2, "drop": 0.5}
    settings = {"epochs": 1, "lr": 1e-3}

    def reading():
        model = small("simvpv2_s", **options)
        model.shortcut = nn.Sequential(small("simvpv2_s", shortcut=3, **options).shortcut, Reading(always))
        return model

    with said(caplog, "synchroniz" if always else ""):
        auto = train(tmp_path / "auto", model=reading(), **settings)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()  # not that of the recording
    eager = train(tmp_path / "eager", model=reading(), graph=False, **settings)
    close(auto.model.state_dict(), eager.model.state_dict())
    with pytest.raises(RuntimeError):
        train(tmp_path / "true", model=reading(), graph=True, **settings)


def test_recomputed_random_numbers_are_not_recorded(tmp_path, caplog):
    make = partial(small, "vmrnn_b", drop_path=0.5, checkpointing=True)
    with said(caplog, "recomputed activations cannot draw the same random numbers"):
        train(tmp_path / "auto", model=make(), epochs=1, lr=1e-3)
    with pytest.raises(RuntimeError, match="recomputed activations"):
        train(tmp_path / "true", model=make(), epochs=1, lr=1e-3, graph=True)


def test_norms_and_dilated_convolutions_are_those_of_a_cpu():
    torch.manual_seed(0)
    maps = torch.randn(3, 64, 9, 11).contiguous(memory_format=torch.channels_last)
    layer = Dilated(64, 64, 7, padding=3, dilation=3, groups=64).to(memory_format=torch.channels_last)
    weight, bias = torch.randn(2, 64, 9, 11)

    def gradients(device):
        inputs = [value.detach().to(device).requires_grad_() for value in (maps, weight, bias)]
        made = [map_norm(*inputs, 1e-5), layer.to(device)(inputs[0])]
        sums = (made[0] * made[0].detach().cos()).sum() + made[1].square().sum()
        return [value.cpu() for value in (*made, *torch.autograd.grad(sums, [*inputs, *layer.parameters()]))]

    close(gradients(DEVICE), gradients("cpu"))
