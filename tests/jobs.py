"""What the tests of several processes and of kills run in processes of their own; see `forks`."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from stblocks.data import Sequence
from stblocks.train import evaluate
from tests.tiny import Drifting, tiny, train


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
    """One process fails in its own way when it reads for the n-th time."""

    def __init__(self, data: Drifting, way: str, reads: int, rank: int) -> None:
        self.data, self.way, self.left = data, way, reads if int(os.environ["RANK"]) == rank else -1

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
                Path("waiting").touch()
                time.sleep(600)
            if self.way == "NaN":
                self.data.frames[index, 2] = torch.nan
        return self.data[index]


def fit_all(out: str, resume: bool = False, told: int = -1) -> None:
    """A run; in several processes each names a directory of its own, and that of the main one counts.

    `told` is the read at which the last process is told to stop.
    """
    rank = int(os.environ["RANK"])
    own = Path(out) if rank == 0 else Path(out).with_name("elsewhere")
    data = Failing(double(), "told", told, rank=int(os.environ["WORLD_SIZE"]) - 1)
    result = train(own, model=tiny(0).double(), data=data, validation=double(5, seed=1), resume=resume, **ALL)
    assert not own.with_name("elsewhere").exists()
    print("ended at", result.step, [value.tolist() for value in result.model.state_dict().values()])


def fit_failing(out: str, way: str, reads: int, where: str) -> None:
    """A run whose last process fails in its training or validation data."""
    train(Path(out), model=tiny(0), epochs=50, **{where: Failing(Drifting(), way, reads, rank=1)})


def fit_waiting(out: str, directory: str) -> None:
    """A run whose loader of data waits for ever after the first step, and says so by a file."""
    os.chdir(directory)
    train(Path(out), data=Failing(Drifting(), "waiting", 7, rank=0), num_workers=1, checkpoint_every=1, epochs=3)


def score(out: str) -> None:
    """Scores of a data set of odd size, with no run before."""
    table = evaluate(tiny(0).double(), double(7), thresholds=(0.5,), batch_size=2)["model"]
    (Path(out) / f"{os.environ['RANK']}.json").write_text(json.dumps(table.pooled))


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
