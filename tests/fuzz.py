"""Every reader on damaged and hostile files, each in a process with a limit of memory and of time.

    python -m tests.fuzz --files 2000

prints what came of the files, a row for each reader, and names all that came to a bad end. A good end is one of

* same: the data of the undamaged file;
* other: other values that the layout allows, where a format has no checksum that could tell;
* clear: a `ValueError` in a sentence of this library.
"""

import argparse
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np
import torch

import stblocks
from tests.fuzz_cases import CASES, Case
from tests.fuzz_mutations import mutate

SECONDS, BYTES = 10, 2**30
GOOD = ("same", "other", "clear")
ENDS = (*GOOD, "obscure", "hang", "memory", "crash", "executed", "outside")


@dataclass(frozen=True)
class Result:
    """What came of a file."""

    case: str
    seed: int
    end: str  #: one of `ENDS`
    what: str  #: how it was damaged, and the error


def read(case: Case, folder: Path, truth: list[torch.Tensor]) -> tuple[str, str]:
    """The end of one reading, and its error."""
    try:
        got = case.read(folder)
    except Exception as error:
        return judge(error), f"{type(error).__name__}: {error}"
    if len(got) == len(truth) and all(torch.equal(*pair) for pair in zip(got, truth, strict=True)):
        return "same", ""
    low, high = case.allowed
    numbers = [tensor for tensor in got if tensor.is_floating_point()]
    wrong = [t for t in numbers if t.numel() and not (low - 1e-6 <= t.min() and t.max() <= high + 1e-6)]
    return ("obscure", f"values of {wrong[0].min()} to {wrong[0].max()}") if wrong else ("other", "")


def judge(error: BaseException) -> str:
    """Whether an error is a sentence of ours."""
    causes, cause = [], error
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(each, MemoryError) or re.search(r"allocate|out of memory", str(each)) for each in causes):
        return "memory"
    raised = traceback.extract_tb(error.__traceback__)[-1]
    ours = Path(raised.filename).is_relative_to(Path(stblocks.__file__).parent) and str(raised.line).startswith(
        "raise "
    )
    return "clear" if ours and isinstance(error, ValueError) and len(str(error)) < 1000 else "obscure"


def everything(root: Path) -> set[tuple[str, int]]:
    """The paths below a folder, and the sizes of files."""
    return {(str(path), path.lstat().st_size if not path.is_dir() else 0) for path in root.rglob("*")}


def work(pipe: Connection, root: Path, quiet: bool) -> None:
    """Read files as they come: `(case, seed)` in, its end and how it was damaged out."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if quiet:  # libraries in C write there what Python cannot catch
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    truths: dict[str, list[torch.Tensor]] = {}
    peak = 0
    while True:
        name, seed = pipe.recv()
        case, template, base = CASES[name], root / "valid" / name, root / "a" / "b" / "c"
        if name not in truths:
            template.mkdir(parents=True)
            case.make(template)
            truths[name] = case.read(template)
            limit_memory()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        shutil.rmtree(root / "a", ignore_errors=True)
        base.mkdir(parents=True)
        shutil.copytree(template, base / "data")
        mark = base / "executed"
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        what = mutate(base / "data", mark, np.random.default_rng(seed))
        limit_memory()
        pipe.send(what)  # so that a hang has a name
        before = everything(root)
        end, error = read(case, base / "data", truths[name])
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if mark.exists():
            end = "executed"
        elif everything(root) != before:
            end = "outside"
        elif grown - peak > BYTES / 1024:
            end = "memory"
        peak = max(peak, grown)
        pipe.send((end, error))


def limit_memory() -> None:
    """Let this process take `BYTES` more than it has."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        size = int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size + BYTES, resource.RLIM_INFINITY))


class Worker:
    """A process that reads, and the file it is at."""

    def __init__(self, root: Path, quiet: bool) -> None:
        self.pipe, theirs = get_context("fork").Pipe()
        self.process = get_context("fork").Process(target=work, args=(theirs, root, quiet), daemon=True)
        self.process.start()
        theirs.close()
        self.task, self.what, self.since = ("", 0), "", time.monotonic()

    def give(self, task: tuple[str, int]) -> None:
        """Start on a file."""
        self.task, self.what, self.since = task, "not begun", time.monotonic() + 60  # to make the valid files
        self.pipe.send(task)

    def take(self) -> Result | None:
        """The result, once there is one."""
        try:
            message = self.pipe.recv()
        except EOFError:
            self.process.join()
            return Result(*self.task, "crash", f"{self.what}: exit code {self.process.exitcode}")
        if isinstance(message, str):
            self.what, self.since = message, time.monotonic()
            return None
        return Result(*self.task, message[0], f"{self.what}: {message[1]}")

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def fuzz(tasks: list[tuple[str, int]], processes: int = 2, quiet: bool = True) -> list[Result]:
    """What comes of reading damaged files.

    Args:
        tasks: Names of `CASES`, each with a seed that says how its files are damaged.
        processes: How many at a time.
        quiet: Without what C libraries print.
    """
    results, waiting = [], list(reversed(tasks))
    with tempfile.TemporaryDirectory() as place:
        count = 0

        def start() -> Worker:
            nonlocal count
            count += 1
            worker = Worker(Path(place, str(count)), quiet)
            worker.give(waiting.pop())
            return worker

        workers = [start() for _ in range(min(processes, len(tasks)))]
        while workers:
            ready = wait([worker.pipe for worker in workers], timeout=1)
            for worker in list(workers):
                result = worker.take() if worker.pipe in ready else None
                if time.monotonic() - worker.since > SECONDS:
                    result = Result(*worker.task, "hang", worker.what)
                if result is None:
                    continue
                results.append(result)
                if result.end in ("hang", "crash", "memory") or not waiting:
                    worker.stop()
                    workers.remove(worker)
                    if waiting:
                        workers.append(start())
                else:
                    worker.give(waiting.pop())
    return results


def sample(files: int, seed: int, names: list[str]) -> list[tuple[str, int]]:
    """So many files, the readers in turn."""
    return [(names[number * len(names) // files], seed * 10**6 + number) for number in range(files)]


def table(results: list[Result]) -> str:
    """The ends of each reader's files, and of all."""
    rows = [("reader", "files", *ENDS)]
    counts = {name: Counter(result.end for result in results if result.case == name) for name in CASES}
    counts["all"] = Counter(result.end for result in results)
    rows += [(name, str(c.total()), *(str(c[end] or "") for end in ENDS)) for name, c in counts.items() if c.total()]
    lines = ["".join(f"{cell:>10}" if i else f"{cell:<18}" for i, cell in enumerate(row)) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:-1], "-" * len(lines[0]), lines[-1]])


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; the exit code says whether all ends were good."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Damaged files for every reader.")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a reader's name")
    parser.add_argument("--loud", action="store_true", help="with what C libraries print")
    options = parser.parse_args(argv)
    names = [name for name in CASES if options.only in name]
    begun = time.monotonic()
    results = fuzz(sample(options.files, options.seed, names), options.processes, not options.loud)
    print(table(results))
    bad = [result for result in results if result.end not in GOOD]
    for result in bad:
        print(f"{result.end}: {result.case}, seed {result.seed}, {result.what}")
    print(f"{len(results) - len(bad)} of {len(results)} files to a good end, {time.monotonic() - begun:.0f} s.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
