"""Speeds by a clock that the test holds: nothing is timed."""

import re

import pytest
import torch
from torch import nn

from stblocks.cli import main
from stblocks.score import frames_per_second
from stblocks.speed import median_seconds


class Counting(nn.Module):
    """Forecasts nothing; counts its calls, and how it was called."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.calls = []

    def forward(self, past, horizon):
        self.calls.append((self.training, torch.is_grad_enabled(), tuple(past.shape), horizon))
        return self.weight * past


def test_the_median_of_runs_after_one_to_warm_up():
    ran, times = [], iter([0.0, 5.0, 10.0, 10.5, 20.0, 22.0])
    assert median_seconds(lambda: ran.append(1), torch.device("cpu"), 3, times.__next__) == 2.0
    assert len(ran) == 4
    assert next(times, None) is None
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        median_seconds(lambda: None, torch.device("cpu"), 0)


def test_the_clock_is_read_when_the_device_has_finished(monkeypatch):
    said, device = [], torch.device("cuda", 1)
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda where: said.append(where))
    median_seconds(lambda: said.append("run"), device, 1, lambda: said.append("clock") or 0.0)
    assert said == ["run", device, "clock", "run", device, "clock"]


@pytest.mark.parametrize("batch", [1, 3])
def test_forecast_frames_of_all_sequences_are_counted(batch):
    model, times = Counting(), iter([0.0, 0.5])
    assert frames_per_second(model, torch.rand(batch, 2, 1, 4, 4), 10, 1, times.__next__) == batch * 10 / 0.5
    assert model.calls == [(False, False, (batch, 2, 1, 4, 4), 10)] * 2
    assert model.training


def test_info_tells_the_speed(capsys, monkeypatch):
    seen = []

    def speed(model, past, horizon):
        seen.append((next(model.parameters()).device.type, tuple(past.shape), horizon))
        return 1234.5

    monkeypatch.setattr("stblocks.cli.describe.frames_per_second", speed)
    options = "--channels 4 --num_layers 1 --in_frames 2 --horizon 3 --image_size 8 12 --batch 2"
    arguments = ["info", "convlstm", *options.split()]
    main([*arguments, "--speed", "--device", "cpu"])
    text = capsys.readouterr().out
    assert seen == [("cpu", (2, 2, 1, 8, 12), 3)]
    assert re.search(r"^frames a second +1,234.5$", text, flags=re.M)
    how = r"^speed +0.00486 s a forecast, median of 5; cpu, \d+ threads, float32 weights, torch"
    assert re.search(how, text, flags=re.M)
    main(arguments)
    assert "second" not in capsys.readouterr().out
    main(["info", "convlstm", "--speed"])
    assert re.search(r"^frames a second +1,234.5 +-$", capsys.readouterr().out, flags=re.M)
    mistakes = {
        "--device cpu": "--device goes with --speed",
        "--speed --device nowhere": "--device must be one that there is, got nowhere",
    }
    for wrong, says in mistakes.items():
        with pytest.raises(SystemExit):
            main([*arguments, *wrong.split()])
        assert says in capsys.readouterr().err
