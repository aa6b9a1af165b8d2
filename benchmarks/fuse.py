"""Forecasts of models as they are trained and after `model.fuse()`.

`python -m benchmarks.fuse [--repeats N]`, float32, on the settings of `benchmarks.models`.
"""

import argparse
import statistics

import torch

from benchmarks.measure import paired, ratio
from benchmarks.models import SETTINGS, forecast, made

MODELS = ("simvpv2_s", "tau")


def row(name: str, repeats: int) -> str:
    """One line of the table."""
    model, frames = made(name)
    horizon, fused = SETTINGS[name].horizon, model.eval().fuse()
    ways = {"plain": lambda: forecast(model, frames, horizon), "fused": lambda: forecast(fused, frames, horizon)}
    seconds = paired(ways, repeats)
    cells = [f"{statistics.median(seconds[way]):.2f}" for way in ways]
    return "| " + " | ".join([name, *cells, f"{ratio(seconds, 'fused', 'plain'):.2f}"]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| model | s | fused s | of the time |")
    print("|---|---|---|---|")
    for name in MODELS:
        print(row(name, options.repeats), flush=True)


if __name__ == "__main__":
    main()
