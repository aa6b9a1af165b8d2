"""Several processes train and score as one does, and none is left alone when another ends."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stblocks.runtime import processes
from stblocks.score import evaluate
from stblocks.train import load_checkpoint, read_records
from stblocks.weights.state import read_weights
from tests import forks, jobs
from tests.jobs import ALL, double
from tests.tiny import tiny, train

pytestmark = pytest.mark.skipif(not forks.POSSIBLE, reason="needs a system that forks")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    train(out, model=tiny(0).double(), data=double(), validation=double(5, seed=1), **ALL)
    return out


def ends(children, within=forks.PATIENCE):
    return [child.end(within) for child in children]


def assert_well(children):
    for status, log in ends(children):
        assert status == 0, log


def assert_same(out, alone):
    """Weights to 1e-8 and scores to 1e-7, relatively, and one line for each step."""
    ours, expected = (load_checkpoint(each / "checkpoint.pt")["training"] for each in (out, alone))
    assert ours["step"] == expected["step"] == 8
    for part in ("model", "ema"):
        torch.testing.assert_close(ours[part], expected[part], rtol=1e-8, atol=1e-12)
    records, wanted = (
        [json.loads(line) for line in (each / "metrics.jsonl").read_text().splitlines()] for each in (out, alone)
    )
    assert [record["step"] for record in records] == [record["step"] for record in wanted]
    for one, other in zip(records, wanted, strict=True):
        pairs = [(one, other)] if "loss" in one else [(one[name], other[name]) for name in ("model", "persistence")]
        for mine, theirs in pairs:
            assert mine == pytest.approx(theirs, rel=1e-7)


def test_two_processes_train_as_one(alone, tmp_path):
    children = forks.start_ranks(tmp_path, jobs.fit_all, str(tmp_path / "run"))
    assert_well(children)
    assert_same(tmp_path / "run", alone)
    results = {child.log.read_text().partition("ended at")[2] for child in children}
    assert len(results) == 1, "the processes end with different weights"


@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2), (2, 2)])
def test_a_run_goes_on_with_another_number_of_processes(first, then, alone, tmp_path):
    run = str(tmp_path / "run")
    children = forks.start_ranks(tmp_path / "first", jobs.fit_all, run, False, 12 // first, ranks=first)
    for status, log in ends(children):  # the last one was told, and told the others
        assert status == 1
        assert "KeyboardInterrupt: stopped after step 3; resume=True goes on from step 3" in log
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["training"]["step"] == 3
    assert_well(forks.start_ranks(tmp_path / "then", jobs.fit_all, run, True, ranks=then))
    assert_same(tmp_path / "run", alone)


def test_what_processes_must_agree_on(tmp_path):
    """Scores are of the weights and statistics that are saved, and a weight without a gradient is named."""
    children = forks.start_ranks(tmp_path, jobs.fit_what_processes_must_agree_on, str(tmp_path))
    for status, log in ends(children):
        assert status == 0, log
        assert "idle is refused: model must use every weight in each step of several processes, but the loss" in log
        assert "the loss does not depend on idle: train in one process, or freeze these by .requires_grad" in log
        assert "frozen ends at step 4" in log
    for name in ("plain", "averaged"):
        model, (weights,) = jobs.normed(), (tmp_path / name / "best").glob("step-*")
        read_weights(model, weights)
        scores = {record["step"]: record["model"] for record in read_records(tmp_path / name) if "model" in record}
        expected = evaluate(model, double(5, seed=1), batch_size=4)["model"].pooled
        assert scores[int(weights.stem.removeprefix("step-"))] == pytest.approx(expected, rel=1e-7)


def test_two_processes_score_as_one(tmp_path):
    expected = evaluate(tiny(0).double(), double(7), thresholds=(0.5,))["model"].pooled
    assert_well(forks.start_ranks(tmp_path, jobs.score, str(tmp_path)))
    for rank in (0, 1):
        pooled = json.loads((tmp_path / f"{rank}.json").read_text())
        assert pooled == pytest.approx(expected, rel=1e-7, nan_ok=True)


def test_no_process_may_be_without_a_sequence():
    with pytest.raises(ValueError, match=r"data must hold a sequence for each of 1 process\(es\), got 0"):
        evaluate(tiny(), double(0))


@pytest.mark.parametrize(
    ("way", "where", "message"),
    [
        ("killed", "data", None),
        ("raising", "data", "OSError: the disk is gone"),
        ("NaN", "data", "first to be not finite: the past of sequence"),
        ("killed", "validation", None),
        ("raising", "validation", "OSError: the disk is gone"),
        ("NaN", "validation", "is not finite, since its past has NaN"),
    ],
)
def test_the_end_of_one_process_is_the_end_of_all(way, where, message, tmp_path):
    main, other = forks.start_ranks(
        tmp_path, jobs.fit_failing, str(tmp_path / "run"), way, 7 if where == "data" else 8, where
    )
    status, log = other.end()
    assert status == (-9 if way == "killed" else 1), log
    assert message is None or message in log
    status, log = main.end(within=15)
    assert status == 1, log
    both = message if (way, where) == ("NaN", "data") else "ConnectionError: Process 0 lost the others: one of them has"
    assert both in log
    if where == "validation":
        assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["training"]["step"] == 4


@pytest.mark.skipif(not hasattr(torch.cpu.Stream, "record_event"), reason="FSDP2 of this torch knows no CPUs")
@pytest.mark.parametrize("name", jobs.SHARDED)
def test_a_model_divided_by_fsdp2_trains_as_a_whole_one(name, tmp_path):
    whole = jobs.shardable(name)
    jobs.step(whole, slice(None))
    assert_well(forks.start_ranks(tmp_path, jobs.train_sharded, name, str(tmp_path / "weights")))
    divided = torch.load(tmp_path / "weights")
    torch.testing.assert_close(divided, dict(whole.named_parameters()), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("plugin", ["FSDP", "DEEPSPEED", "MEGATRON_LM"])
def test_what_divides_a_model_is_refused_by_fit(plugin, tmp_path, monkeypatch):
    monkeypatch.setenv(f"ACCELERATE_USE_{plugin}", "true")
    with pytest.raises(ValueError, match=f"ACCELERATE_USE_{plugin} must not be set for fit: it gives every process a"):
        train(tmp_path)


JOB = """
import os, sys
from pathlib import Path
from tests import jobs
out = sys.argv[1]
jobs.fit_all(out)
jobs.fit_failing(out + "-failing", "raising", 7, "data")
"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def launch(job, *options):
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", *options, "--nproc_per_node", "2", *job]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_torchrun_starts_two_processes_that_are_two(alone, tmp_path):
    (tmp_path / "job.py").write_text(JOB)
    with launch([tmp_path / "job.py", tmp_path / "run"], "--master_port", free_port()) as launcher:
        text, _ = launcher.communicate(timeout=300)
    assert_same(tmp_path / "run", alone)
    assert launcher.returncode == 1
    assert "OSError: the disk is gone" in text


@pytest.mark.slow
def test_two_nodes_of_two_processes(tmp_path):
    """Two agents of torchrun on this machine; batches of 4 in 4 processes leave no parts to accumulate."""
    (tmp_path / "job.py").write_text(
        "import sys; from pathlib import Path; from tests import jobs, tiny\n"
        "tiny.train(Path(sys.argv[1]), model=tiny.tiny(0).double(), data=jobs.double(), validation=jobs.double(5, 1))\n"
    )
    options = ["--nnodes", "2", "--rdzv_backend", "static", "--master_addr", "127.0.0.1", "--master_port", free_port()]
    agents = [launch([tmp_path / "job.py", tmp_path / "run"], *options, "--node_rank", str(node)) for node in (0, 1)]
    for agent in agents:
        text, _ = agent.communicate(timeout=300)
        assert agent.returncode == 0, text
    train(tmp_path / "alone", model=tiny(0).double(), data=double(), validation=double(5, seed=1))
    ours, expected = (
        load_checkpoint(tmp_path / each / "checkpoint.pt")["training"]["model"] for each in ("run", "alone")
    )
    torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-12)


def test_a_process_that_stands_alone_says_so(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # the state of this process is made already, for one
    with pytest.raises(ValueError, match=r"WORLD_SIZE=2 processes were started, but this one stands alone"):
        processes.process_state()
