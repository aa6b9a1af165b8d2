"""What the tests of several processes and of kills run in processes of their own; see `forks`."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.utils.data import Dataset

from stblocks import create_model
from stblocks.data import Sequence
from stblocks.runtime.processes import process_state
from stblocks.score import evaluate
from stblocks.train import Objective
from tests.tiny import SET_UP, Drifting, Tiny, tiny, train


def double(length: int = 9, seed: int = 0) -> Drifting:
    """Data in double precision, in which the order of sums hardly matters."""
    data = Drifting(length, seed)
    data.frames = data.frames.double()
    return data


#: Odd sizes, and all that a run can draw or remember but dropout, which every process draws for itself.
ALL: dict[str, Any] = {
    "epochs": 4,
    "accumulate": 2,
    "sampling": "scheduled",
    "augment": True,
    "ema_decay": 0.6,
    "schedule": "onecycle",
    "thresholds": (0.5,),
}


class Failing(Dataset[Sequence]):
    """One process fails in its own way when it reads for the n-th time after a run was set up."""

    def __init__(self, data: Drifting, way: str, reads: int, rank: int, where: str = "data") -> None:
        self.data, self.way, self.scaler = data, way, data.scaler
        self.left = reads + SET_UP[where] if reads and int(os.environ["RANK"]) == rank else -1

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Sequence:
        self.left -= 1
        if self.left == 0:
            if self.way == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.way == "raising":
                raise OSError("the disk is gone")
            if self.way == "told":
                signal.raise_signal(signal.SIGTERM)
            if self.way == "waiting":
                os.fork()  # a child outlives this process, as loaders of data do for seconds
                Path("waiting").touch()
                while Path("waiting").exists():
                    time.sleep(0.02)
                os._exit(0)
            if self.way == "NaN":
                self.data.frames[index, 2] = torch.nan
        return self.data[index]


def fit_all(out: str, resume: bool = False, told: int = 0) -> None:
    """A run; in several processes each names a directory of its own, and that of the main one counts.

    `told` is the read at which the last process is told to stop; 0 for never.
    """
    rank = int(os.environ["RANK"])
    own = Path(out) if rank == 0 else Path(out).with_name("elsewhere")
    data = Failing(double(), "told", told, rank=int(os.environ["WORLD_SIZE"]) - 1)
    result = train(own, model=tiny(0).double(), data=data, validation=double(5, seed=1), resume=resume, **ALL)
    assert not own.with_name("elsewhere").exists()
    print("ended at", result.step, [value.tolist() for value in result.model.state_dict().values()])


def normed() -> Tiny:
    """With batch norm, whose statistics each process takes of its own share."""
    model = tiny(0)
    model.blur = torch.nn.Sequential(model.blur, torch.nn.BatchNorm2d(1))
    return model.double()


def fit_what_processes_must_agree_on(out: str) -> None:
    """Runs with statistics, of the weights and of their average; then one with a weight that no loss needs."""
    for name, decay in (("plain", None), ("averaged", 0.6)):
        train(Path(out) / name, model=normed(), data=double(), validation=double(5, seed=1), ema_decay=decay)
    for name, needed in (("idle", True), ("frozen", False)):
        model = tiny(0)
        model.idle = torch.nn.Parameter(torch.ones(3), requires_grad=needed)
        try:
            print(name, "ends at step", train(Path(out) / name, model=model).step)
        except ValueError as error:
            print(name, "is refused:", error)


def fit_failing(out: str, way: str, reads: int, where: str) -> None:
    """A run whose last process fails in its training or validation data."""
    train(Path(out), model=tiny(0), epochs=50, **{where: Failing(Drifting(), way, reads, 1, where)})


def fit_waiting(out: str, directory: str) -> None:
    """A run that waits in its first step, with a child, for as long as the file that says so is there."""
    os.chdir(directory)
    train(Path(out), data=Failing(Drifting(), "waiting", 5, rank=0), checkpoint_every=1, epochs=3)


def score(out: str) -> None:
    """Scores of a data set of odd size, with no run before."""
    table = evaluate(tiny(0).double(), double(7), thresholds=(0.5,), batch_size=2)["model"]
    (Path(out) / f"{os.environ['RANK']}.json").write_text(json.dumps(table.pooled))


#: Small models of several layers; random depth would be drawn by each process for itself.
SHARDED: dict[str, dict[str, Any]] = {
    "gmg_l": {"channels": 4, "num_layers": 2, "patch_size": 2, "attention_channels": 2},
    "vmrnn_d": {"channels": 4, "patch_size": 2, "state_dim": 2, "drop_path": 0.0},
}


def train_sharded(name: str, out: str) -> None:
    """Two steps of a model whose parameters are divided among the processes by FSDP2, each on its part of a batch."""
    state = process_state()
    model = shardable(name)
    fully_shard(model, mesh=init_device_mesh("cpu", (state.num_processes,)))
    register_fsdp_forward_method(model, "rollout")
    step(model, slice(state.process_index, None, state.num_processes))
    assert all(isinstance(value, DTensor) for value in model.parameters())
    whole = {name: value.full_tensor() for name, value in model.named_parameters()}
    if state.is_main_process:
        torch.save(whole, out)


def shardable(name: str) -> torch.nn.Module:
    """A model, the same every time."""
    torch.manual_seed(0)
    return create_model(name, image_size=(16, 16), **SHARDED[name]).double()


def step(model: Any, part: slice) -> None:
    """Two steps on a part of a batch of four."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    frames = torch.rand(4, 5, 1, 16, 16, generator=torch.Generator().manual_seed(1)).double()[part]
    for _ in range(2):
        optimizer.zero_grad()
        loss = Objective()(model.rollout(frames[:, :3], 2), frames)["loss"]
        loss.backward()
        optimizer.step()


#: All that draws random numbers or remembers something from step to step, with many writes.
KILLED: dict[str, Any] = {**ALL, "epochs": 3, "checkpoint_every": 1, "keep_best": 2, "patience": 9}


def fit_killed(out: str, events: int, resume: bool) -> None:
    """A run that kills itself at the n-th event: it reads a sequence, or opens, renames or deletes a file of its own.

    `events=0` runs to the end, and leaves the number of times as the file `events` beside `out`.
    """
    seen = 0

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in ("open", "os.rename", "os.remove", "read") and str(arguments[0]).startswith(out):
            seen += 1
            if seen == events:
                os.kill(os.getpid(), signal.SIGKILL)

    class Noting(Drifting):
        def __getitem__(self, index: int) -> Sequence:
            note("read", (out,))
            return super().__getitem__(index)

    sys.addaudithook(note)  # it stays for good: this process is made for this run
    train(Path(out), data=Noting(), validation=Noting(5, seed=1), resume=resume, **KILLED)
    if not events:
        Path(out).with_name("events").write_text(str(seen))
