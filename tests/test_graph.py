"""A run by graphs ends bit for bit where one without does; what a graph cannot hold is refused or run without."""

import logging
import random
from functools import partial
from unittest.mock import MagicMock, patch

import pytest
import torch
from torch import nn

from stblocks import create_model
from stblocks.runtime.graph import Graphed, obstacle
from stblocks.runtime.recorder import Cuda
from stblocks.score import evaluate
from stblocks.train import TrainConfig, graphed
from stblocks.train.check import check_run
from tests.graphs import Again, by_graph
from tests.test_resume import ALL, Breaking, interrupt
from tests.tiny import Drifting, Tiny, same_weights, tiny, train

MODELS = {
    "gmg_l": {"channels": 4, "num_layers": 2, "patch_size": 2, "kernel_size": 3},
    "vmrnn_b": {"channels": 4, "depth": 1, "state_dim": 2, "patch_size": 2},
    "simvpv2_s": {"in_frames": 3, "out_frames": 2, "channels": 4, "encoder_layers": 2, "translator_channels": 8},
}


class Normed(Tiny):
    """With running statistics, and a weight that is never used."""

    def __init__(self):
        super().__init__()
        self.blur = nn.Sequential(self.blur, nn.BatchNorm2d(1))
        self.idle = nn.Parameter(torch.ones(1))


def both(tmp_path, make, settings, **options):
    """A run without and one with graphs."""
    eager = train(tmp_path / "eager", model=make(), graph=False, **settings, **options)
    with by_graph():
        graph = train(tmp_path / "graph", model=make(), graph=True, **settings, **options)
    return eager, graph


@pytest.mark.parametrize("settings", [{}, ALL], ids=["plain", "all"])
def test_a_run_by_graphs_is_the_run(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("stblocks.train.check.obstacle", lambda *_: None)
    eager, graph = both(tmp_path, tiny, settings)
    assert same_weights(eager.model, graph.model)
    assert eager.records == graph.records
    assert Again.replays == graph.step


def test_in_half_precision_a_run_by_graphs_is_the_run_to_rounding(tmp_path, monkeypatch):
    monkeypatch.setattr("stblocks.train.check.obstacle", lambda *_: None)
    eager, graph = both(tmp_path, tiny, {"precision": "bf16"})
    for one, other in zip(eager.model.parameters(), graph.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.002)


def test_warming_up_leaves_statistics_and_gradients_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr("stblocks.train.check.obstacle", lambda *_: None)
    torch.manual_seed(0)
    made = Normed().state_dict()

    def make():
        model = Normed()
        model.load_state_dict(made)
        return model

    eager, graph = both(tmp_path, make, {"weight_decay": 0.5, "accumulate": 2})
    assert same_weights(eager.model, graph.model)
    assert graph.model.idle == 1, "weights without a gradient decay"


@pytest.mark.parametrize("name", MODELS)
def test_models_train_by_graphs(name, tmp_path, monkeypatch):
    monkeypatch.setattr("stblocks.train.check.obstacle", lambda *_: None)

    def make():
        torch.manual_seed(0)
        return create_model(name, 1, (8, 8), **MODELS[name])

    settings = {"epochs": 1, "accumulate": 2, "lr": 1e-3, "sampling": "none" if name == "simvpv2_s" else "reverse"}
    eager, graph = both(tmp_path, make, settings)
    for one, other in zip(eager.model.parameters(), graph.model.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    assert Again.replays == 2


def test_a_run_may_go_on_with_graphs_or_without(tmp_path, monkeypatch):
    whole = train(tmp_path / "whole", **ALL)
    with pytest.raises(KeyboardInterrupt), by_graph():
        train(tmp_path / "broken", data=Breaking(Drifting(), 4, interrupt), **ALL)
    assert Again.replays == 2
    assert same_weights(train(tmp_path / "broken", resume=True, graph=False, **ALL).model, whole.model)


def test_an_overflow_is_named_as_without_a_graph(tmp_path):
    model, message = tiny(), "Step 2 has loss nan.*first to be not finite: model.blur"
    data = Breaking(Drifting(), 4, lambda: model.blur.weight.data.fill_(torch.nan))
    with pytest.raises(FloatingPointError, match=message), by_graph():
        train(tmp_path, model=model, data=data)


def test_scores_by_graph_are_the_scores():
    model, data = tiny(), Drifting(7)
    expected = evaluate(model, data, batch_size=3)["model"]
    with by_graph():
        assert evaluate(model, data, batch_size=3, graph=True)["model"].pooled == expected.pooled
        assert Again.replays == 2, "two full batches, and one sequence without"
        evaluate(model, data, batch_size=3)
        assert Again.replays == 2, "too few to record"
    with pytest.raises(ValueError, match=r"graph=True needs a CUDA device, got cpu; take 'auto' or False"):
        evaluate(model, data, graph=True)


def test_forecasts_and_streams_by_graph():
    torch.manual_seed(0)
    model = create_model("gmg_l", 1, (8, 8), **MODELS["gmg_l"]).eval()
    past, other = torch.rand(2, 2, 3, 1, 8, 8)
    forecast = graphed(model, past, 4, recorder=Again)
    first = forecast(past, 4)
    assert forecast(other, 4).equal(model(other, 4))
    assert first.equal(model(past, 4)), "a later call wrote over its result"
    assert not first.requires_grad
    Again.replays = 0
    assert forecast(past[:1], 4).equal(model(past[:1], 4))
    assert forecast(past, 2).equal(model(past, 2))
    assert Again.replays == 0
    model.load_state_dict({name: value + 0.01 for name, value in model.state_dict().items()})
    assert forecast(past, 4).equal(model(past, 4))
    assert Again.replays == 1

    _, state = model.step(past[:, 0])
    step, expected = graphed(model.step, past[:, 0], state, recorder=Again), state
    for frame in (*past.unbind(1)[1:], *other.unbind(1)):
        ours, state = step(frame, state)
        theirs, expected = model.step(frame, expected)
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(state, expected)


class Drawing(Tiny):
    """Draws random numbers on the host."""

    def forward(self, past, horizon):
        return super().forward(past, horizon) * random.random()


def test_what_a_graph_cannot_hold_is_refused():
    past = torch.rand(1, 3, 1, 8, 8)
    with pytest.raises(RuntimeError, match="random numbers drawn on the CPU would be the same at every step"):
        graphed(Drawing().eval(), past, 2, recorder=Again)
    model = tiny()
    model.checkpointing = True
    with pytest.raises(RuntimeError, match="recomputed activations cannot draw the same random numbers"):
        graphed(model, past, 2, recorder=Again)
    graphed(model.eval(), past, 2, recorder=Again)
    with pytest.raises(ValueError, match=r"inputs must be tensors, numbers.*got object"):
        graphed(model, past, object(), recorder=Again)
    with pytest.raises(ValueError, match=r"example must hold tensors on a CUDA device, got cpu; call the function"):
        graphed(model, past, 2)
    with pytest.raises(ValueError, match="function must be a module or a method of one, got function"):
        graphed(tiny, past)


def test_random_state_is_as_before(tmp_path):
    model, past = tiny(dropout=0.5), torch.rand(1, 3, 1, 8, 8)
    call = Graphed(model, model, recorder=Again)
    torch.manual_seed(3)
    recorded = call(past, 2).clone()
    torch.manual_seed(3)
    assert recorded.equal(model(past, 2))


class Failing(Again):
    def record(self, run):
        raise RuntimeError("operation not permitted when stream is capturing\nand more")


def test_auto_says_why_and_runs_without(tmp_path, caplog):
    eager = train(tmp_path / "eager", **ALL)
    with by_graph(Failing), caplog.at_level(logging.WARNING, "stblocks"):
        auto = train(tmp_path / "auto", **ALL)
    assert same_weights(eager.model, auto.model)
    (message,) = (record.getMessage() for record in caplog.records)
    assert message == "Not run as a CUDA graph, but kernel by kernel: operation not permitted when stream is capturing."


def test_true_does_not_run_without(tmp_path, monkeypatch):
    monkeypatch.setattr("stblocks.train.check.obstacle", lambda *_: None)
    with pytest.raises(RuntimeError, match="not permitted"), by_graph(Failing):
        train(tmp_path, graph=True)


def test_true_is_refused_where_it_cannot_be():
    assert obstacle(torch.device("cuda")) is None
    check = partial(check_run, TrainConfig(batch_size=4, graph=True), tiny(), Drifting(), Drifting())
    with pytest.raises(ValueError, match="graph=True needs a CUDA device, got cpu; take 'auto' or False"):
        check(1, torch.device("cpu"))
    with pytest.raises(ValueError, match="graph=True needs a single process, got 2; take 'auto' or False"):
        check(2, torch.device("cuda"))
    check(1, torch.device("cuda"))
    for word in (1, "on"):
        with pytest.raises(ValueError, match=f"graph must be 'auto', True or False, got {word!r}"):
            evaluate(tiny(), Drifting(), graph=word)
    (problem,) = TrainConfig(graph=1).problems()
    assert problem == "graph must be 'auto', True or False, got 1"


def test_how_cuda_is_asked_to_record():
    """The order of calls, with a stand-in for `torch.cuda`: that they do what they should is for a GPU to show."""
    modes, runs = [0], []
    with patch.object(torch, "cuda", MagicMock()) as cuda:
        cuda.get_sync_debug_mode.side_effect = lambda: modes[-1]
        cuda.set_sync_debug_mode.side_effect = modes.append
        recorder = Cuda(torch.device("cpu"))
        recorder.warm_up(lambda: runs.append(modes[-1]))
        assert (runs, modes) == ([0, 0, "error"], [0, "error", 0])
        assert cuda.Stream().wait_stream.called
        assert cuda.current_stream().wait_stream.called
        assert recorder.record(lambda: 5) == (5, cuda.CUDAGraph().replay)
        cuda.graph.assert_called_once_with(cuda.CUDAGraph(), capture_error_mode="thread_local")
        cuda.graph.return_value.__exit__.return_value = False
        with pytest.raises(RuntimeError, match="not permitted"):
            recorder.record(partial(Failing.record, None, None))
        assert cuda.graph.call_count == 3, "the generator was left waiting"
