"""Time, GFLOP/s and memory of every model, beside two limits taken in the same run.

`python -m benchmarks.models [names] [--repeats N]`: CIKM shape, batch 2, 5 to 10 frames of 64x64, float32; CMS-LSTM
with kernels of 5 on the shape of Moving MNIST, 10 to 10.
The *ceiling* is the speed of one large convolution, 5x5, 128 to 896 channels, on 8x128x16x16 maps, timed beside each
model. The *floor* of a model is the time of its own convolutions and matrix products alone, in the plain form of
`benchmarks/plain.py`.
GB is what a training step takes above parameters, gradients and optimiser state, without and with checkpointing of
every step; the last column is how much longer a training step takes then.
"""

import argparse
import statistics
from collections.abc import Callable

import torch
from torch.nn import functional

from benchmarks.measure import paired, peak_megabytes, ratio, resident_megabytes
from benchmarks.plain import Floor
from stblocks import RecurrentForecaster, create_model

MODELS = ("gmg_l", "gmg_m", "gmg_s", "motionrnn", "predrnn", "predrnnpp", "mim", "convlstm", "cms_lstm")
HORIZON = 10
CEILING = 10 * 2 * 8 * 256 * 128 * 896 * 25 / 1e9


def made(name: str, *, checkpointing: bool = False) -> tuple[RecurrentForecaster, torch.Tensor]:
    """A model and frames to forecast the last `HORIZON` of."""
    torch.manual_seed(0)
    wide = name == "cms_lstm"
    options = {"kernel_size": 5} if wide else {}
    model: RecurrentForecaster = create_model(name, checkpointing=checkpointing, **options)
    return model, torch.rand(2, (10 if wide else 5) + HORIZON, 1, 64, 64)


def training_step(model: RecurrentForecaster, frames: torch.Tensor) -> None:
    """Forward, loss of L1 + L2 and backward; gradients are set to None first."""
    model.zero_grad(set_to_none=True)
    error = model.rollout(frames[:, :-HORIZON], HORIZON).frames - frames[:, 1:]
    (error.abs().mean() + error.square().mean()).backward()


def forecast(model: RecurrentForecaster, frames: torch.Tensor) -> None:
    """A forecast without gradients."""
    with torch.no_grad():
        model(frames[:, :-HORIZON], HORIZON)


def ceiling() -> Callable[[], None]:
    """Ten runs of one large convolution, which are `CEILING` GFLOP."""
    x, weight = torch.randn(8, 128, 16, 16), torch.randn(896, 128, 5, 5)

    def run() -> None:
        with torch.no_grad():
            for _ in range(10):
                functional.conv2d(x, weight, padding=2)

    return run


def row(name: str, repeats: int) -> str:
    """One line of the table."""
    model, frames = made(name)
    top = ceiling()
    floor = Floor(name, frames.shape[1] - 1)
    ahead = paired({"model": lambda: forecast(model, frames), "ceiling": top, "floor": floor.forward}, repeats)
    train = paired({"model": lambda: training_step(model, frames), "ceiling": top, "floor": floor.train}, repeats)
    again, _ = made(name, checkpointing=True)
    saving = paired(
        {"kept": lambda: training_step(model, frames), "again": lambda: training_step(again, frames)},
        max(1, repeats // 2),
    )
    cells = [name]
    for seconds, work in ((ahead, 2), (train, 6)):
        median, gigaflops = statistics.median(seconds["model"]), work * floor.multiply_adds / 1e9
        of_ceiling = gigaflops / CEILING * ratio(seconds, "ceiling", "model")
        cells += [f"{median:.2f}", f"{ratio(seconds, 'model', 'floor'):.2f}"]
        cells.append(f"{gigaflops / median:.0f} ({of_ceiling:.2f})")
    idle = peak_megabytes("benchmarks.models", "--memory-of", name, "--idle")
    for mode in ("", "--checkpointing"):
        arguments = ["--memory-of", name, *([mode] if mode else [])]
        cells.append(f"{(peak_megabytes('benchmarks.models', *arguments) - idle) / 1000:.2f}")
    cells.append(f"{ratio(saving, 'again', 'kept'):.2f}")
    return "| " + " | ".join(cells) + " |"


def memory_of(name: str, *, checkpointing: bool, idle: bool) -> float:
    """Peak memory in MB of this process after two training steps with Adam, or of one that has what they leave.

    The idle process has the parameters, the gradients and the optimiser's state, and has run one small convolution, so
    that the difference is what the activations and the workspace of a step take.
    """
    model, frames = made(name, checkpointing=checkpointing)
    optimiser = torch.optim.Adam(model.parameters())
    if idle:
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        functional.conv2d(torch.randn(1, 1, 8, 8), torch.randn(1, 1, 3, 3))
    else:
        for _ in range(2):
            training_step(model, frames)
            optimiser.step()
    return resident_megabytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=MODELS, metavar="name", help=", ".join(MODELS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--checkpointing", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--idle", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.names) - set(MODELS):
        parser.error(f"no floor is known for {', '.join(unknown)}; there are {', '.join(MODELS)}")
    if options.memory_of:
        print(memory_of(options.memory_of, checkpointing=options.checkpointing, idle=options.idle))
        return
    seconds = statistics.median(paired({"ceiling": ceiling()}, options.repeats)["ceiling"])
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; ceiling {CEILING / seconds:.0f} GFLOP/s\n")
    both = ["s", "of floor", "GFLOP/s (of ceiling)"]
    head = [
        "model",
        *(f"{stage} {each}" for stage in ("forward", "step") for each in both),
        "GB",
        "GB checkpointed",
        "time",
    ]
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for name in options.names:
        print(row(name, options.repeats), flush=True)


if __name__ == "__main__":
    main()
