"""CMS-LSTM with windows through the fused attention, beside one that keeps its matrices of scores.

`python -m benchmarks.expression`: a training step of CMS-LSTM with kernels of 5, batch 2, 10 to 10 frames of 64x64.
MB is what it takes above parameters, gradients and optimiser state.
"""

import argparse
import statistics
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import paired, peak_megabytes, ratio
from benchmarks.models import SETTINGS, made, memory_of, training_step
from stblocks.blocks.plugs import se


def kept_scores(query: Tensor, key: Tensor, value: Tensor, side: tuple[int, int]) -> Tensor:
    """The same attention, written out; for sides that divide the map, and nothing else."""
    batch, height, width, tokens, channels = query.shape
    rows, columns = height // side[0], width // side[1]

    def windows(maps: Tensor) -> Tensor:
        cut = maps.view(batch, rows, side[0], columns, side[1], tokens, channels).transpose(2, 3)
        return cut.reshape(batch * rows * columns, -1, channels)

    looked = torch.softmax(windows(query) @ windows(key).mT, dim=-1) @ windows(value)
    cut = looked.view(batch, rows, columns, *side, tokens, channels).transpose(2, 3)
    return cut.reshape(batch, height, width, tokens, channels)


ATTENTION = {"fused": se.attend_in_windows, "kept": kept_scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-of", choices=(*ATTENTION, "idle"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        se.attend_in_windows = ATTENTION.get(options.memory_of, se.attend_in_windows)
        print(memory_of("cms_lstm", checkpointing=False, idle=options.memory_of == "idle"))
        return
    model, frames = made("cms_lstm")

    def run(name: str) -> None:
        se.attend_in_windows = ATTENTION[name]
        training_step(model, frames, SETTINGS["cms_lstm"].horizon)

    seconds = paired({name: partial(run, name) for name in ATTENTION}, options.repeats)
    idle = peak_megabytes("benchmarks.expression", "--memory-of", "idle")
    print("| attention | step s | MB |\n|---|--:|--:|")
    for name, each in seconds.items():
        memory = peak_megabytes("benchmarks.expression", "--memory-of", name) - idle
        print(f"| {name} | {statistics.median(each):.2f} | {memory:.0f} |")
    print(f"\ntime of fused over kept: {ratio(seconds, 'fused', 'kept'):.2f}")


if __name__ == "__main__":
    main()
