"""Damaged and hostile files come to a good end with every reader, and the fuzzer tells bad ends when it sees them."""

import os
import pickle
import time

import pytest
import torch

from tests import fuzz
from tests.fuzz_cases import CASES, Case

NAMES = list(CASES)


def bad_ends(results):
    return [(result.case, result.seed, result.end, result.what) for result in results if result.end not in fuzz.GOOD]


def test_a_sample_of_files():
    results = fuzz.fuzz(fuzz.sample(2 * len(NAMES), 3, NAMES))
    assert len(results) == 2 * len(NAMES)
    assert bad_ends(results) == []


@pytest.mark.slow
def test_many_files():
    assert bad_ends(fuzz.fuzz(fuzz.sample(2000, 0, NAMES))) == []


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
