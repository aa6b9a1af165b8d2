"""The selective scan against loops over steps and torch's associative scan: time and memory, by length.

`python -m benchmarks.scan [--repeats N]`, float32, one group, N = 16. Backward through the loop takes time quadratic in
the length: from 256 steps on it is timed once, and left out at 4096.
"""

import argparse
import gc
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch._higher_order_ops.associative_scan import associative_scan
from torch.nn import functional

from benchmarks.measure import paired, peak_megabytes, ratio, resident_megabytes, seconds_once
from stblocks.ops.selective_scan import selective_scan

SHAPES = ((4, 1024, 64), (1, 1024, 64), (1, 1024, 256), (1, 1024, 1024), (1, 1024, 4096))
STATES = 16


def draw(batch: int, channels: int, length: int) -> list[Tensor]:
    """u, delta, A, B, C, D, delta_bias."""
    torch.manual_seed(0)
    inputs = [*torch.randn(2, batch, channels, length), -torch.rand(channels, STATES) * STATES]
    inputs += [*torch.randn(2, batch, 1, STATES, length), *torch.randn(2, channels)]
    return [x.requires_grad_() for x in inputs]


def terms(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """exp(dt A) and dt B u, `(B, D, L, N)`, and C, `(B, 1, L, N)`: what the loops start from."""
    dt = functional.softplus(delta + bias[:, None])
    return torch.exp(dt[..., None] * A[:, None]), (dt * u)[..., None] * B.transpose(2, 3), C.transpose(2, 3)


def loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor) -> Tensor:
    """Step by step as usually written: B and C repeated for all channels, the gradient of each index of full size."""
    dt = functional.softplus(delta + bias[:, None])
    B, C = (x.repeat_interleave(u.shape[1] // x.shape[1], dim=1) for x in (B, C))
    decay, drive = torch.exp(torch.einsum("bdl,dn->bdln", dt, A)), torch.einsum("bdl,bdnl->bdln", dt * u, B)
    h, y = torch.zeros_like(decay[:, :, 0]), []
    for t in range(u.shape[2]):
        h = decay[:, :, t] * h + drive[:, :, t]
        y.append(torch.einsum("bdn,bdn->bd", h, C[..., t]))
    return torch.stack(y, dim=2) + D[:, None] * u


def unbound(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor) -> Tensor:
    """The loop at its best: steps read through `unbind`, whose gradient is one stack; B and C shared by channels."""
    decay, drive, C = terms(u, delta, A, B, C, bias)
    h, y = torch.zeros_like(decay[:, :, 0]), []
    for decay_t, drive_t, C_t in zip(decay.unbind(2), drive.unbind(2), C.unbind(2), strict=True):
        h = decay_t * h + drive_t
        y.append((h * C_t).sum(-1))
    return torch.stack(y, dim=2) + D[:, None] * u


def associative(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor) -> Tensor:
    """torch's scan by halving, in the mode that differentiates rightly on the CPU."""
    decay, drive, C = terms(u, delta, A, B, C, bias)

    def combine(early: tuple[Tensor, Tensor], late: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return early[0] * late[0], late[0] * early[1] + late[1]

    _, h = associative_scan(combine, (decay, drive), dim=2, combine_mode="generic")
    return (h * C).sum(-1) + D[:, None] * u


def blocked(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor) -> Tensor:
    """Ours."""
    return cast(Tensor, selective_scan(u, delta, A, B, C, D, bias, backend="blocked"))


FORMS: dict[str, Callable[..., Tensor]] = {f.__name__: f for f in (blocked, loop, unbound, associative)}


def row(shape: tuple[int, int, int], repeats: int) -> str:
    """Times of ours, and how many times as long the others take."""
    inputs = draw(*shape)

    def forward(name: str) -> Tensor:
        with torch.no_grad():
            return FORMS[name](*inputs)

    def both(name: str) -> tuple[Tensor, ...]:
        return torch.autograd.grad(FORMS[name](*inputs).sum(), inputs)

    for name in FORMS:
        torch.testing.assert_close(forward(name), forward("blocked"), rtol=1e-3, atol=1e-3)
    ahead = paired({name: lambda name=name: forward(name) for name in FORMS}, repeats, untimed=1)  # type: ignore[misc]
    swift = [name for name in FORMS if name != "loop" or shape[2] < 256]
    trained = paired({name: lambda name=name: both(name) for name in swift}, repeats, untimed=1)  # type: ignore[misc]
    cells = [f"{statistics.median(ahead['blocked']) * 1e3:.1f} / {statistics.median(trained['blocked']) * 1e3:.1f}"]
    for name in ("loop", "unbound", "associative"):
        if name in trained:
            backward = f"{ratio(trained, name, 'blocked'):.1f}"
        elif shape[2] < 4096:
            backward = f"{seconds_once(lambda: both('loop')) / statistics.median(trained['blocked']):.0f}"
        else:
            backward = "-"
        cells.append(f"{ratio(ahead, name, 'blocked'):.1f} / {backward}")
    return "| " + " | ".join(["x".join(map(str, shape)), *cells]) + " |"


def peak(name: str, length: int) -> None:
    """Print the peak of this process after forward and backward at (1, 1024, length); "nothing" leaves the scan out."""
    inputs = draw(1, 1024, length)
    small = draw(1, 64, 16)
    torch.autograd.grad(blocked(*small).sum(), small)  # what the first call of anything loads
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far
    if name != "nothing":
        torch.autograd.grad(FORMS[name](*inputs).sum(), inputs)
    print(resident_megabytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peak", nargs=2, metavar=("FORM", "LENGTH"), help="one measurement of memory")
    options = parser.parse_args()
    if options.peak:
        return peak(options.peak[0], int(options.peak[1]))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; forward / forward and backward\n")
    print("| u | blocked ms | loop x slower | loop over unbind x slower | associative_scan x slower |")
    print("|---|---|---|---|---|")
    for shape in SHAPES:
        print(row(shape, options.repeats), flush=True)
    print("\nPeak memory of forward and backward beyond the inputs, MB\n")
    print("| u | blocked | loop over unbind | associative_scan |")
    print("|---|---|---|---|")
    for length in (1024, 4096):
        floor = peak_megabytes("benchmarks.scan", "--peak", "nothing", str(length))
        extra = (
            f"{peak_megabytes('benchmarks.scan', '--peak', name, str(length)) - floor:.0f}"
            for name in ("blocked", "unbound", "associative")
        )
        print(f"| 1x1024x{length} | " + " | ".join(extra) + " |", flush=True)


if __name__ == "__main__":
    main()
