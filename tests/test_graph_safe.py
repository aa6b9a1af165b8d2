"""No model reads a value of a tensor on a device, or brings one there, in a step: so that can be a CUDA graph."""

from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.dispatched import READING, Dispatched, dispatched
from stblocks import create_model
from stblocks.train import HighFrequencyFocal, Objective, TrainConfig
from stblocks.train.objective import Losses
from stblocks.train.run import Run
from tests.test_forecaster import model, video
from tests.test_models import TRAINED, small_options
from tests.tiny import Drifting

#: Ways through the code that the small models do not take.
MORE = {
    "gmg_l": {"norm": "layer", "image_size": (8, 8), "time_decay": "batch"},
    "simvpv2_s": {"in_frames": 3, "out_frames": 2, "drop_path": 0.1, "shortcut": 3},
    "tau": {"in_frames": 2, "out_frames": 3, "checkpointing": True},
    "vmrnn_b": {"drop_path": 0.1},
    "predrnn": {"checkpointing": True},
}
CASES = [(name, {}) for name in TRAINED] + list(MORE.items())


def small(name, options):
    with torch.device("meta"):
        return create_model(name, **{"image_size": (8, 8)} | small_options(name) | options)


def inputs(model):
    """Past, future, and a mask where the model takes one, with H and W that need padding where any do."""
    size = model.image_size or (7, 9)
    past = torch.empty(2, getattr(model, "in_frames", 1), model.in_channels, *size)
    future = torch.empty(2, 2, model.out_channels, *size)
    mask = torch.empty(2, past.shape[1] + 1, dtype=torch.bool)
    return past, future, mask if model.teachable else None


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_training_step_reads_no_value(name, options):
    losses = Losses(
        small(name, options), Objective(divergence=0.1, terms={"high_frequency": (0.1, HighFrequencyFocal())})
    )
    with torch.device("meta"):
        batch = inputs(losses.model)
    found = dispatched(lambda: losses(*batch)["loss"].backward())
    assert not found.waits
    assert found.total > 20


def test_the_trainer_waits_for_the_device_once_a_step(monkeypatch):
    model = create_model("convlstm", image_size=(8, 8), **small_options("convlstm"))
    run = Run(model, Drifting(), TrainConfig(batch_size=4), Objective)
    for part in (run.optimizer, run.schedule):  # the optimizer reads its own count of steps, on a CPU alone
        monkeypatch.setattr(part, "step", lambda: None)
    batch, read, tolist = next(run.batches()), [], Tensor.tolist
    monkeypatch.setattr(Tensor, "tolist", lambda values: read.append(tolist(values)) or read[-1])
    with Dispatched() as found:
        record, _ = run.train(batch)
    assert not READING & found.waits.keys()
    assert [record[name] for name in ("loss", "l1", "l2", "grad_norm")] == [*read[0][:3], read[0][-1]]
    assert len(read) == 1


@pytest.mark.skipif(
    torch.__version__.startswith("2.6.") and not torch.cuda.is_available(),
    reason="torch 2.6 asks the driver when a fake tensor on CUDA is indexed",
)
@pytest.mark.parametrize("name", ["gmg_l", "simvpv2_s", "vmrnn_b"])
def test_a_forecast_mixes_no_devices(name):
    """Fake tensors refuse operators whose arguments lie on different devices, as CUDA does."""
    net = small(name, MORE[name]).eval()
    with FakeTensorMode(), torch.no_grad(), torch.device("cuda"):
        for module in net.modules():
            for tensors in (module._parameters, module._buffers):
                for key, value in tensors.items():
                    if value is not None:
                        fake = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
                        tensors[key] = nn.Parameter(fake) if isinstance(value, nn.Parameter) else fake
        past, *_ = inputs(net)
        with patch.object(torch, "is_autocast_enabled", lambda *_: False), Dispatched() as found:
            frames = net(past, 2)
    assert frames.device.type == "cuda"
    assert not found.waits


def test_what_is_counted_as_waiting():
    x = torch.empty(3, device="meta")
    assert not dispatched(lambda: torch.where(x > 0, x, 0.0).sum().expand(3)).waits
    for waiting in (lambda: x[[0, 1]], lambda: x * torch.tensor(2.0), lambda: torch.zeros(3).to("meta")):
        assert dispatched(waiting).waits
    with pytest.raises(RuntimeError, match="meta"):
        dispatched(lambda: bool(x.any()))


class Elsewhere(Tensor):
    """Says that it is on another device than the CPU, and must not be read."""

    device = torch.device("meta")
    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self):
        raise AssertionError("it is read")


def test_a_mask_that_is_not_read_is_followed():
    net = model("predrnn")
    past, future = video(2, 5).split([3, 2], dim=1)
    mask = torch.tensor([[True, False, True, True, False], [True, True, False, False, True]])
    expected = net.rollout(past, 3, future, mask).frames
    assert net.rollout(past, 3, future, mask.as_subclass(Elsewhere)).frames.equal(expected)
    mask[:, 0] = False
    assert net.rollout(past, 3, future, mask.as_subclass(Elsewhere)).frames.equal(expected), "step 0 is not fed truth"
    with pytest.raises(ValueError, match=r"is not read.*all horizon - 1 = 2 frames.*got 1; pass a longer future, or"):
        net.rollout(past, 3, future[:, :1], mask.as_subclass(Elsewhere))


def test_recomputing_asks_no_generator_while_a_graph_is_recorded():
    net = model("predrnn", checkpointing=True)
    with patch.object(torch, "get_rng_state", side_effect=RuntimeError("it was asked")):
        with pytest.raises(RuntimeError, match="it was asked"):
            net(video(), 1)
        with (
            patch.object(torch.cuda, "is_available", lambda: True),
            patch.object(torch.cuda, "is_current_stream_capturing", lambda: True),
        ):
            net(video(), 1).sum().backward()
