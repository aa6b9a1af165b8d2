"""Memory of evaluation and prediction by number of sequences and horizon, and how long training waits for data.

`python -m benchmarks.memory`. A small ConvLSTM on frames of 256 x 256 (evaluation: 64 x 64); memory is the peak of a
process of its own, above one that imports and builds the same. Ten times the work is to take no more memory, but for
what is handed back: `model(past, horizon)` returns all frames at once, and a sequence to be scored has them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import peak_megabytes, resident_megabytes
from stblocks import Forecaster, Nowcaster, create_model, predict_tiled
from stblocks.data import SequenceWindows
from stblocks.score import evaluate
from stblocks.train import Objective, TrainConfig
from stblocks.train.run import Run

SIDE, IN_FRAMES = 256, 5


def model() -> Forecaster:
    """A small one, the same every time."""
    torch.manual_seed(0)
    made: Forecaster = create_model("convlstm", channels=16, num_layers=2, kernel_size=3)
    return made.eval()


def sequences(length: int, horizon: int) -> SequenceWindows:
    """Noise, made when it is asked for."""

    def make(index: int) -> np.ndarray:
        return np.random.default_rng(index).random((IN_FRAMES + horizon, 64, 64), dtype=np.float32)

    return SequenceWindows(make, IN_FRAMES, horizon, length=length)


def past(side: int = SIDE) -> torch.Tensor:
    """Frames to forecast from."""
    return torch.rand(1, IN_FRAMES, 1, side, side)


def evaluate_sequences(times: int) -> None:
    """16 sequences of 5 to 10."""
    evaluate(model(), sequences(16 * times, 10), batch_size=4)


def evaluate_horizon(times: int) -> None:
    """Sequences of 5 to 10."""
    evaluate(model(), sequences(4, 10 * times), batch_size=2)


def whole(times: int) -> None:
    """10 frames at once."""
    with torch.no_grad():
        model()(past(), 10 * times)


def steps(times: int) -> None:
    """10 frames, one at a time."""
    for _ in islice(model().steps(past()), 10 * times):
        pass


def stream(times: int) -> None:
    """10 frames pushed, each with a forecast of 5."""
    live = Nowcaster(model())
    for _ in range(10 * times):
        live.push(torch.rand(1, 1, SIDE, SIDE))
        live.forecast(5)


def tiles(times: int) -> None:
    """4 x 4 tiles of 64."""
    height = 256 * times
    predict_tiled(model(), torch.rand(1, IN_FRAMES, 1, height, 256), 5, 64, 0)


CASES: dict[str, tuple[str, Callable[[int], None]]] = {
    "evaluate_sequences": ("`evaluate`, 16 sequences", evaluate_sequences),
    "evaluate_horizon": ("`evaluate`, horizon 10", evaluate_horizon),
    "whole": ("`model(past, 10)`", whole),
    "steps": ("`model.steps(past)`, 10 frames", steps),
    "stream": ("`Nowcaster`, 10 frames pushed, a forecast of 5 after each", stream),
    "tiles": ("`predict_tiled`, 16 tiles", tiles),
}


def waiting(workers: int, steps: int) -> float:
    """Fraction of the time of training steps that is spent waiting for crops of a memmap."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "composite.npy")
        np.save(file, np.random.default_rng(0).random((40, 1226, 760), dtype=np.float32))
        data = SequenceWindows(np.load(file, mmap_mode="r"), 5, 10, crop=(64, 64), crop_where=0.9)
        config = TrainConfig(epochs=steps, batch_size=4, num_workers=workers, sampling="none")
        run = Run(create_model("predrnn", channels=32, num_layers=2), data, config, Objective)
        batches, waited, started = run.batches(), 0.0, 0.0
        for step in range(steps + 1):
            asked = time.perf_counter()
            batch = next(batches)
            if step:  # before the first one, workers start
                waited += time.perf_counter() - asked
            else:
                started = time.perf_counter()
            run.train(batch)
        return waited / (time.perf_counter() - started)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="?", choices=[*CASES, "nothing"], help="run one here, and print its peak in MB")
    parser.add_argument("times", nargs="?", type=int, default=1, help="how many times the work")
    parser.add_argument("--steps", type=int, default=20, help="of training, to see how long they wait")
    options = parser.parse_args(arguments)
    if options.case is not None:
        if options.case != "nothing":
            CASES[options.case][1](options.times)
        else:
            steps(0)
        print(resident_megabytes())
        return
    base = peak_megabytes("benchmarks.memory", "nothing")
    print("| | MB, 1x | MB, 10x |\n|---|--:|--:|")
    for name, (text, _) in CASES.items():
        once, tenfold = (peak_megabytes("benchmarks.memory", name, times) - base for times in ("1", "10"))
        print(f"| {text} | {once:.0f} | {tenfold:.0f} |", flush=True)
    for workers in (0, 1):
        print(f"{workers} workers: {waiting(workers, options.steps):.1%} of a training step waits for data", flush=True)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
