"""Time, GFLOP/s and memory of every model, beside two limits taken in the same run.

`python -m benchmarks.models [names] [--repeats N]`, float32: see `SETTINGS` for batch, frames and sizes.
The *ceiling* is the speed of one large convolution, 5x5, 128 to 896 channels, on 8x128x16x16 maps, timed beside each
model. The *floor* of a recurrent model is the time of its own convolutions and matrix products alone, in the plain form
of `benchmarks/plain.py`, and its work is that form's; others do the work that `stblocks info` counts.
GB is what a training step takes above parameters, gradients and optimiser state, without and with checkpointing of
every step; the last column is how much longer a training step takes then.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from benchmarks.measure import Action, paired, peak_megabytes, ratio, resident_megabytes
from benchmarks.plain import Floor
from stblocks import Forecaster, create_model, lay_channels_last
from stblocks.flops import count_multiply_adds


class Setting(NamedTuple):
    """What a model is timed on."""

    batch: int = 2
    in_frames: int = 5
    horizon: int = 10
    channels: int = 1
    side: int = 64
    options: Mapping[str, Any] = {}
    floor: bool = True


SETTINGS: dict[str, Setting] = {
    **dict.fromkeys(("gmg_l", "gmg_m", "gmg_s", "motionrnn", "predrnn", "predrnnpp", "mim", "convlstm"), Setting()),
    "cms_lstm": Setting(in_frames=10, options={"kernel_size": 5}),
    **dict.fromkeys(("simvpv2_s", "tau"), Setting(4, 10, floor=False)),
    **dict.fromkeys(("vmrnn_b", "swinlstm_b"), Setting(4, 4, 4, channels=2, side=32, floor=False)),
}
CEILING = 10 * 2 * 8 * 256 * 128 * 896 * 25 / 1e9


def made(name: str, *, checkpointing: bool = False) -> tuple[Forecaster, torch.Tensor]:
    """A model, and sequences to forecast the end of."""
    torch.manual_seed(0)
    batch, in_frames, horizon, channels, side, options, _ = SETTINGS[name]
    model: Forecaster = create_model(name, channels, (side, side), checkpointing=checkpointing, **options)
    lay_channels_last(model)  # as in training
    return model, torch.rand(batch, in_frames + horizon, channels, side, side)


def training_step(model: Forecaster, frames: torch.Tensor, horizon: int) -> None:
    """Forward, loss of L1 + L2 and backward; gradients are set to None first."""
    model.zero_grad(set_to_none=True)
    rollout = model.rollout(frames[:, :-horizon], horizon)
    error = rollout.frames - frames[:, rollout.first :]
    (error.abs().mean() + error.square().mean()).backward()


def forecast(model: Forecaster, frames: torch.Tensor, horizon: int) -> None:
    """A forecast without gradients."""
    with torch.no_grad():
        model(frames[:, :-horizon], horizon)


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
    horizon = SETTINGS[name].horizon
    floor = Floor(name, frames.shape[1] - 1) if SETTINGS[name].floor else None
    one = count_multiply_adds(model, frames[:1, :-horizon], horizon).total
    multiply_adds = one * len(frames) if floor is None else floor.multiply_adds
    stages = {
        "forward": (2, forecast, floor and floor.forward),
        "step": (6, training_step, floor and floor.train),
    }
    cells = [name]
    for work, stage, least in stages.values():
        actions: dict[str, Action] = {"model": partial(stage, model, frames, horizon), "ceiling": ceiling()}
        seconds = paired(actions | ({"floor": least} if least else {}), repeats)
        median, gigaflops = statistics.median(seconds["model"]), work * multiply_adds / 1e9
        of_ceiling = gigaflops / CEILING * ratio(seconds, "ceiling", "model")
        cells += [f"{median:.2f}", f"{ratio(seconds, 'model', 'floor'):.2f}" if least else ""]
        cells.append(f"{gigaflops / median:.0f} ({of_ceiling:.2f})")
    again, _ = made(name, checkpointing=True)
    saving = paired(
        {way: partial(training_step, each, frames, horizon) for way, each in (("kept", model), ("again", again))},
        max(1, repeats // 2),
    )
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
            training_step(model, frames, SETTINGS[name].horizon)
            optimiser.step()
    return resident_megabytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=SETTINGS, metavar="name", help=", ".join(SETTINGS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--checkpointing", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--idle", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.names) - SETTINGS.keys():
        parser.error(f"no setting is known for {', '.join(unknown)}; there are {', '.join(SETTINGS)}")
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
