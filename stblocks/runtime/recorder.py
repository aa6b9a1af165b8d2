"""Recorders: what turns work on a device into a record of its kernels that can be launched again."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Protocol

import torch

Run = Callable[[], Any]
#: Calls before the recording, in which libraries choose their kernels.
WARM_UP = 3


class Recorder(Protocol):
    """What turns a function without arguments into one that repeats its kernels; `Cuda`, or a stand-in for tests."""

    def warm_up(self, run: Run) -> None:
        """Call the function as often as it takes until every further call does the same."""

    def record(self, run: Run) -> tuple[Any, Callable[[], None]]:
        """What the function returns, and what makes that anew, in the same memory, from what its inputs hold then."""


class Cuda:
    """CUDA graphs, with a memory pool of their own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def warm_up(self, run: Run) -> None:
        """On a stream aside, as the recording will be; what waits for the device is an error at the end."""
        with torch.cuda.device(self.device):
            here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
            aside.wait_stream(here)
            try:
                with torch.cuda.stream(aside):
                    for _ in range(WARM_UP - 1):
                        run()
                    with _no_waiting():
                        run()
            finally:  # whatever comes next must not overtake what was begun
                here.wait_stream(aside)

    def record(self, run: Run) -> tuple[Any, Callable[[], None]]:
        """The first results are there after the first replay."""
        graph = torch.cuda.CUDAGraph()
        # Other threads, such as those that load data, may do as they like meanwhile.
        recording = partial(torch.cuda.graph, capture_error_mode="thread_local")
        # Where a recording fails, its own context does not go back to the stream from before; the outer one does.
        with torch.cuda.device(self.device), torch.cuda.stream(torch.cuda.current_stream(self.device)):
            try:
                with recording(graph):
                    results = run()
            except RuntimeError:
                # The generator may still wait for the end of the recording; that of an empty one will do.
                with suppress(RuntimeError), recording(torch.cuda.CUDAGraph()):
                    torch.zeros(1, device=self.device)
                raise
        return results, graph.replay


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Within the block, reading values of the device is an error, more clearly said than while recording."""
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(mode)
