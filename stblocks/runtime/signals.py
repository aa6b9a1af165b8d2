"""Stopping a run: at the border of a step while it trains, at once elsewhere."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Within the block, Ctrl-C and SIGTERM raise `KeyboardInterrupt`, so that files are closed and locks given back.

    Within `held()`, the first of them only sets `received`; a second one interrupts at once.
    """

    def __init__(self) -> None:
        self.received = False
        self.advice = ""  #: what the interrupt says besides
        self._held = False
        self._before: dict[int, Any] = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self._held or self.received:
            raise KeyboardInterrupt(f"stopped by {signal.Signals(number).name}{self.advice}")
        self.received = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block, a first signal waits to be asked for."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def heed(self) -> None:
        """Raise `KeyboardInterrupt` if a signal has waited."""
        if self.received:
            raise KeyboardInterrupt(f"stopped{self.advice}")

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def leave_signals_to_the_parent(_worker: int) -> None:
    """`worker_init_fn` of a DataLoader: Ctrl-C stops the run, which then stops its workers; SIGTERM stops a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
