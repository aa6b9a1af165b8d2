"""One run at a time in a directory, and a lock that dies with its process."""

import errno
import os
import time

import pytest

from stblocks.train import load_checkpoint, run_lock, save_checkpoint
from tests import forks, jobs
from tests.tiny import train


@pytest.mark.skipif(not forks.POSSIBLE, reason="needs a system that forks")
def test_a_second_run_in_a_directory_is_refused_until_the_first_one_ends(tmp_path):
    out = tmp_path / "run"
    first = forks.start(tmp_path / "log", jobs.fit_waiting, str(out), str(tmp_path), RANK=0)
    try:
        deadline = time.monotonic() + forks.PATIENCE
        while not ((tmp_path / "waiting").exists() and (out / "checkpoint.pt").exists()):
            assert time.monotonic() < deadline, first.log.read_text()
            time.sleep(0.02)
        before = (out / "metrics.jsonl").read_text()
        for resume in (False, True):
            with pytest.raises(ValueError, match=rf"is in use: process {first.process.pid} on \S+ trains there; wait"):
                train(out, resume=resume, epochs=3)
        assert (out / "metrics.jsonl").read_text() == before
        first.process.kill()
        first.process.join()  # its child lives on
        assert train(out, resume=True, epochs=3).step == 6
    finally:
        first.process.kill()
        (tmp_path / "waiting").unlink(missing_ok=True)


def test_a_lock_is_given_back_and_a_file_of_no_process_locks_nothing(tmp_path):
    (tmp_path / run_lock.LOCK).write_text("process 1 on another")
    with run_lock.run_lock(tmp_path):
        assert (tmp_path / run_lock.LOCK).read_text().startswith(f"process {os.getpid()} on ")
    with pytest.raises(ZeroDivisionError), run_lock.run_lock(tmp_path):
        raise ZeroDivisionError
    with run_lock.run_lock(tmp_path):
        pass


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(run_lock, "_lock", refuse)
    with pytest.warns(UserWarning, match="cannot be locked .*No locks available.*: start no second run there"):
        train(tmp_path)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["training"]["step"] == 4


def test_a_name_that_is_too_long_is_named(tmp_path):
    out = tmp_path / ("x" * 300)
    with pytest.raises(ValueError, match=r"out_dir must be a directory that can be written, got .*xxx"):
        train(out)
    with pytest.raises(ValueError, match=r"There is no checkpoint .*xxx"):
        train(out, resume=True)
    with pytest.raises(ValueError, match=r"path must be a file that can be written, got .*xxx"):
        save_checkpoint({}, out)
