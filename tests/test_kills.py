"""A run that is killed outright, at any read or write, and resumed ends bit for bit where an unbroken one does."""

import random
import signal

import pytest

from stblocks.train.checkpoint import newest
from tests import forks, jobs
from tests.test_resume import read, same

pytestmark = pytest.mark.skipif(not forks.POSSIBLE, reason="needs a system that forks")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an unbroken run leaves, and how often it reads a sequence or touches a file."""
    out = tmp_path_factory.mktemp("whole") / "run"
    status, log = forks.start(out.with_name("log"), jobs.fit_killed, str(out), 0, False).end()
    assert status == 0, log
    return read(out), int(out.with_name("events").read_text())


@pytest.mark.parametrize(
    ("seed", "kills"), [(0, 4), *(pytest.param(seed, 10, marks=pytest.mark.slow) for seed in range(1, 11))]
)
def test_a_run_that_is_killed_again_and_again(seed, kills, whole, tmp_path):
    """Each kill comes at a random one of the events that are left; a finished run begins anew in another directory."""
    left, events = whole
    draw, out, killed, runs = random.Random(seed), tmp_path / "0", 0, 0
    while killed < kills:
        resume = newest(out / "checkpoint.pt") is not None
        arguments = (str(out), draw.randrange(1, events // 2), resume)
        status, log = forks.start(tmp_path / f"log{killed}", jobs.fit_killed, *arguments).end()
        assert status in (0, -signal.SIGKILL), log
        if status == 0:
            assert same(read(out), left), f"run {runs} after {killed} kills"
            runs += 1
            out = tmp_path / str(runs)
        killed += status != 0
    resume = newest(out / "checkpoint.pt") is not None
    status, log = forks.start(tmp_path / "last", jobs.fit_killed, str(out), 0, resume).end()
    assert status == 0, log
    assert same(read(out), left), f"run {runs}, the last"
    assert not list(out.rglob("*.unfinished"))
