"""A training step of VMRNN with our scan against the same model with a loop over positions.

`python -m benchmarks.vmrnn [--repeats N]`, float32: VMRNN-B on the shape of TaxiBJ, batch 4, timed whole; VMRNN-D on
that of Moving MNIST, batch 1, where the loop takes hours: there both are timed for one forecast step out of 19, forward
and backward, and the loop block by block, each kind of block once, times how many there are. Then the projections of
the scan's block against bare matrix products of the same sizes, the gradients' among them.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import paired, ratio, seconds_once
from benchmarks.models import made, training_step
from benchmarks.scan import loop
from stblocks import SS2D, VSS, create_model
from stblocks.blocks.maps import ss2d


@contextmanager
def by_loop() -> Iterator[None]:
    """Within the block, models scan by the loop."""

    def scan(
        u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, delta_bias: Tensor, reverse: list[bool]
    ) -> Tensor:
        def turned(x: Tensor) -> Tensor:
            parts = zip(x.chunk(len(reverse), dim=1), reverse, strict=True)
            return torch.cat([part.flip(-1) if backwards else part for part, backwards in parts], dim=1)

        return turned(loop(turned(u), turned(delta), A, turned(B), turned(C), D, delta_bias))

    ours = ss2d.selective_scan
    ss2d.selective_scan = scan  # type: ignore[assignment]
    try:
        yield
    finally:
        ss2d.selective_scan = ours


def vmrnn_b(repeats: int) -> str:
    """One line: TaxiBJ, batch 4, a whole training step."""
    model, frames = made("vmrnn_b")
    model.eval()  # no stochastic depth, so that both do the same

    def slow() -> None:
        with by_loop():
            training_step(model, frames, 4)

    # the loop's gigabytes go back to the system; an untimed step maps them again, as in training step after step
    seconds = paired({"ours": lambda: training_step(model, frames, 4), "loop": slow}, repeats, untimed=1)
    ours, other = (statistics.median(seconds[name]) for name in ("ours", "loop"))
    return f"| VMRNN-B, TaxiBJ, batch 4, whole step | {ours:.2f} | {other:.0f} | {ratio(seconds, 'loop', 'ours'):.0f} |"


def block_step(block: VSS, maps: Tensor) -> None:
    """Forward and backward of a block."""
    block.zero_grad(set_to_none=True)
    block(maps).sum().backward()


def vmrnn_d(repeats: int) -> str:
    """One line: Moving MNIST, batch 1, one step of 19."""
    model: Any = create_model("vmrnn_d").eval()
    seen: list[tuple[VSS, tuple[int, ...]]] = []
    hooks: list[Any] = []

    def note(block: VSS, _: Any, given: tuple[Tensor, ...]) -> None:
        seen.append((block, given[0].shape))

    for block in model.modules():
        if isinstance(block, VSS):
            hooks.append(block.ss2d.register_forward_pre_hook(partial(note, block)))
    frame = torch.rand(1, 1, 64, 64)
    model.step(frame)
    for hook in hooks:
        hook.remove()
    kinds = {shape: block for block, shape in seen}
    ours = statistics.median(paired({"step": lambda: model.step(frame)[0].sum().backward()}, repeats)["step"])
    extra = 0.0
    for shape, block in kinds.items():
        action, number = partial(block_step, block, torch.randn(shape)), sum(shape == other for _, other in seen)
        with by_loop():
            slow = seconds_once(action)
        quick = statistics.median(paired({"ours": action}, repeats)["ours"])
        extra += number * (slow - quick)
    name = "VMRNN-D, Moving MNIST, batch 1, one of 19 steps"
    return f"| {name} | {ours:.2f} | {ours + extra:.0f} | {1 + extra / ours:.0f} |"


def projections(side: int) -> dict[str, Callable[[], list[Tensor]]]:
    """SS2D's projections on maps of `side` x `side`, batch 4, with gradients, and the same as bare matrix products."""
    block = SS2D(128)
    layers = (block.in_proj, block.out_proj)
    maps = [torch.randn(4, side, side, each.in_channels).movedim(-1, 1).requires_grad_() for each in layers]
    grads = [torch.randn(4, side, side, each.out_channels).movedim(-1, 1) for each in layers]
    matrices = [[x.detach().movedim(1, -1).flatten(0, 2) for x in pair] for pair in zip(maps, grads, strict=True)]

    def ours() -> list[Tensor]:
        results: list[Tensor] = []
        for layer, x, g in zip(layers, maps, grads, strict=True):
            y = layer(x)
            results += [y, *torch.autograd.grad(y, (x, layer.weight), g)]
        return results

    def products() -> list[Tensor]:
        results: list[Tensor] = []
        for layer, (x, g) in zip(layers, matrices, strict=True):
            w = layer.weight.detach().flatten(1)
            results += [x @ w.T, g @ w, g.T @ x]
        return results

    return {"ours": ours, "products": products}


def linear(side: int, repeats: int) -> str:
    """One line: both projections, forward and backward."""
    seconds = paired({**projections(side)}, 20 * repeats)
    times = (f"{statistics.median(seconds[name]) * 1e3:.2f}" for name in seconds)
    return f"| batch 4, {side} x {side} | {' | '.join(times)} | {ratio(seconds, 'products', 'ours'):.2f} |"


ROWS = {"vmrnn_b": vmrnn_b, "vmrnn_d": vmrnn_d}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(ROWS[options.row](options.repeats))
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| model | blocked s | loop s | times faster |")
    print("|---|---|---|---|", flush=True)
    for name in ROWS:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.vmrnn", "--row", name, "--repeats", str(options.repeats)], check=True
        )
    print("\n| SS2D's projections, 128 channels | ours ms | products ms | times faster |")
    print("|---|---|---|---|")
    for side in (8, 32):
        print(linear(side, options.repeats), flush=True)


if __name__ == "__main__":
    main()
