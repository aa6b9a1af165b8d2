"""Jobs in processes of their own, forked from one that has imported torch, so that each starts in an instant."""

import faulthandler
import os
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

#: Windows cannot fork.
POSSIBLE = os.name != "nt"
CONTEXT = get_context("forkserver" if POSSIBLE else "spawn")
if POSSIBLE:
    CONTEXT.set_forkserver_preload(["tests.jobs"])
#: Seconds after which a test gives up waiting.
PATIENCE = 60


@dataclass
class Fork:
    """A job that runs."""

    process: BaseProcess
    log: Path

    def end(self, within: float = PATIENCE) -> tuple[int, str]:
        """Wait for its end: its status (minus the signal that killed it), and what it wrote."""
        self.process.join(within)
        late = self.process.exitcode is None
        self.process.kill()
        assert not late, f"still running after {within} s:\n{self.log.read_text()}"
        return self.process.exitcode, self.log.read_text()


def start(log: Path, job: Callable[..., Any], *arguments: Any, **environment: Any) -> Fork:
    """Run a function of a module in a process of its own."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    process = CONTEXT.Process(target=_child, args=(str(log), job, arguments, environment))
    process.start()
    return Fork(process, log)


def start_ranks(directory: Path, job: Callable[..., Any], *arguments: Any, ranks: int = 2) -> list[Fork]:
    """Run a function in several processes that train together on the CPU."""
    directory.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common |= {"ACCELERATE_USE_CPU": 1, "OMP_NUM_THREADS": 1}
    return [
        start(directory / f"rank{rank}.log", job, *arguments, **common, RANK=rank, LOCAL_RANK=rank)
        for rank in range(ranks)
    ]


def _child(log: str, job: Callable[..., Any], arguments: tuple[Any, ...], environment: dict[str, Any]) -> None:
    os.environ.update({name: str(value) for name, value in environment.items()})
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1), os.dup2(file, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    faulthandler.enable()
    try:
        job(*arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
