"""Records survive a crash, are JSON, and go to TensorBoard where it is installed."""

import json
import math
import sys
from types import ModuleType

import pytest

from stblocks.train.log import METRICS, Log, read_records


def test_records_are_read_again_up_to_a_step_and_a_line_cut_short_is_dropped(tmp_path):
    log = Log(tmp_path, step=0, judged=0, active=True)
    for step in (1, 2, 3):
        log.write({"step": step, "epoch": 1, "loss": step / 2})
    log.close()
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 4')
    assert [record["step"] for record in read_records(tmp_path / METRICS)] == [1, 2, 3]
    later = Log(tmp_path, step=2, judged=2, active=True)
    later.write({"step": 3, "epoch": 2, "loss": 9.0})
    assert [record["loss"] for record in read_records(tmp_path / METRICS)] == [0.5, 1.0, 9.0]
    assert later.records == read_records(tmp_path / METRICS)
    assert later.mean_loss(1) == 0.75
    assert math.isnan(later.mean_loss(7))


def test_seconds_go_on_from_the_step_that_counts(tmp_path):
    log = Log(tmp_path, step=0, judged=0, active=True)
    for step in (1, 2, 3):
        log.seconds += 1.00049
        log.write({"step": step, "epoch": 1, "loss": 0.5})
    log.write({"step": 3, "epoch": 1, "model": {}})
    assert [record["seconds"] for record in read_records(tmp_path)] == [1.0, 2.001, 3.001, 3.001]
    assert Log(tmp_path, step=2, judged=0, active=True).seconds == 2.001
    assert Log(tmp_path, step=0, judged=0, active=True).seconds == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"step": 1, "epo\n', "line 2 is not JSON .*; delete this line to go on without its record"),
        (b"\0\0\0\0\n", "line 2 is not JSON"),
        (b"\xff\xfe\n", "line 2 is not JSON"),
        (b"[" * 100_000 + b"\n", "line 2 is not JSON"),
        (b"3\n", "line 2 is not a record with step and epoch"),
        (b'{"step": "1", "epoch": 1}\n', "line 2 is not a record with step and epoch"),
        (b'{"step": 1, "epoch": 1, "seconds": null}\n', "line 2 has seconds that are no number"),
    ],
)
def test_a_damaged_line_is_named(line, message, tmp_path):
    whole = b'{"step": 1, "epoch": 1, "loss": 1.0}\n'
    (tmp_path / METRICS).write_bytes(whole + line + whole)
    with pytest.raises(ValueError, match=rf"metrics.jsonl, {message}"):
        Log(tmp_path, step=2, judged=2, active=True)
    (tmp_path / METRICS).write_bytes(whole + line.rstrip(b"\n"))  # cut short: it was being written
    assert read_records(tmp_path / METRICS) == [{"step": 1, "epoch": 1, "loss": 1.0}]


def test_a_score_that_is_not_defined_is_null(tmp_path):
    log = Log(tmp_path, step=0, judged=0, active=True)
    log.write({"step": 1, "epoch": 1, "model": {"csi@20": math.nan, "mse@pixel": 1.0}})
    assert log.records == read_records(tmp_path)  # of a run that is not interrupted, as of one that is

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    (line,) = (tmp_path / METRICS).read_text().splitlines()
    assert json.loads(line, parse_constant=refuse)["model"] == {"csi@20": None, "mse@pixel": 1.0}


def test_other_processes_write_nothing(tmp_path):
    log = Log(tmp_path, step=0, judged=0, active=False)
    log.write({"step": 1, "epoch": 1, "loss": 1.0})
    log.close()
    assert log.records == list(tmp_path.iterdir()) == []


def test_tensorboard_gets_the_records_where_it_is_installed(tmp_path, monkeypatch):
    calls = []

    class Writer:
        def __init__(self, directory, purge_step):
            calls.append((directory, purge_step))

        def add_scalar(self, *scalar):
            calls.append(scalar)

        def close(self):
            calls.append("closed")

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr("stblocks.train.log.find_spec", lambda name: name == "tensorboard")
    log = Log(tmp_path, step=4, judged=4, active=True)
    log.write({"step": 5, "epoch": 1, "loss": 0.5, "model": {"mse@pixel": 2.0}})
    log.close()
    scalars = [("loss", 0.5, 5), ("model/mse@pixel", 2.0, 5), ("seconds", 0.0, 5)]
    assert calls == [(tmp_path / "tensorboard", 5), *scalars, "closed"]
