"""Damaged and hostile files come to a good end with every reader, and the fuzzer tells bad ends when it sees them."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests import fuzz
from tests.fuzz_cases import CASES, Case

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("files", "seed"), [(2 * len(CASES), 3), pytest.param(2000, 0, marks=pytest.mark.slow)])
def test_all_files_come_to_a_good_end(files, seed):
    # Its workers are forked, which a process with threads, as this one has after other tests, may not survive.
    command = [sys.executable, "-m", "tests.fuzz", "--files", str(files), "--seed", str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{files} of {files} files to a good end" in done.stdout


def unpickle(folder):
    pickle.loads((folder / "a").read_bytes())
    return []


def write(folder):
    (folder.parent / "b").touch()
    return []


def wait(folder):
    time.sleep(60)


def allocate(folder):
    return [torch.ones(2**30)]


def fail(folder):
    raise KeyError("a")


def fail_below(folder):
    int("a")  # a ValueError, but no sentence


def leave(folder):
    os._exit(3)


def other(folder):
    return [torch.tensor([2.0])]


BAD = {
    unpickle: "executed",
    write: "outside",
    wait: "hang",
    allocate: "memory",
    fail: "obscure",
    fail_below: "obscure",
    leave: "crash",
    other: "obscure",
}


@pytest.mark.parametrize("read", BAD, ids=lambda read: read.__name__)
def test_bad_ends_are_seen(monkeypatch, read):
    def only_when_damaged(folder):
        return read(folder) if folder.name == "data" else [torch.tensor([0.0])]

    def mutate(folder, mark, rng):
        (folder / "a").write_bytes(pickle.dumps(Make(mark)))
        return "planted"

    case = Case(lambda folder: (folder / "a").touch(), only_when_damaged, allowed=(0.0, 1.0))
    monkeypatch.setitem(CASES, "planted", case)
    monkeypatch.setattr(fuzz, "mutate", mutate)
    monkeypatch.setattr(fuzz, "SECONDS", 2)
    results = fuzz.fuzz([("planted", 0), ("planted", 1)])
    assert [result.end for result in results] == [BAD[read]] * 2
    assert all(result.what.startswith("planted") for result in results)


class Make:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)
