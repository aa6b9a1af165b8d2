"""Paired timings and peak memory."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Action = Callable[[], object]


def paired(actions: Mapping[str, Action], repeats: int, untimed: int = 0) -> dict[str, list[float]]:
    """Seconds of each action, run in turn after one warm-up each, so that a drifting machine hits all alike.

    With `untimed` runs before each timed one an action finds memory as it left it itself, not as the others did.
    """
    for action in actions.values():
        action()
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            for _ in range(untimed):
                action()
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def seconds_once(action: Action) -> float:
    """Seconds of a single run, without a warm-up."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def ratio(seconds: dict[str, list[float]], one: str, other: str) -> float:
    """Median of the ratios, pair by pair."""
    return statistics.median(a / b for a, b in zip(seconds[one], seconds[other], strict=True))


def peak_megabytes(module: str, *arguments: str) -> float:
    """Peak resident memory that `python -m module arguments` reports on its last line, in MB."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def resident_megabytes() -> float:
    """Peak resident memory of this process so far (Linux; `ru_maxrss` would count a parent's as well)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
