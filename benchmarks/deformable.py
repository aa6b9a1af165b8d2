"""Deformable convolution: each back end against one that gathers the four neighbours of every tap.

`python -m benchmarks.deformable [--repeats N]`: the shapes of MGM in GMG-L (32 channels, 8x8) and larger ones, float32.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import paired, ratio
from stblocks.ops.deformable import deformable_conv2d

SHAPES = ((2, 32, 8, 8), (8, 32, 16, 16), (2, 64, 64, 64))


def gathered(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Bilinear sampling by indexing a padded map: positions clamped to its border of zeros, four gathers."""
    (batch, channels, height, width), kernel = x.shape, weight.shape[-1]
    pad = kernel // 2
    padded = torch.nn.functional.pad(x, [pad + 1] * 4)
    rows, columns = offset.unflatten(1, (2, kernel * kernel)).unbind(1)
    tap = torch.arange(kernel * kernel)
    rows = rows + (tap // kernel + 1).view(-1, 1, 1) + torch.arange(height).view(-1, 1)
    columns = columns + (tap % kernel + 1).view(-1, 1, 1) + torch.arange(width)
    rows = rows.clamp(0, height + 2 * pad + 1)
    columns = columns.clamp(0, width + 2 * pad + 1)
    top, left = rows.detach().floor().clamp(max=height + 2 * pad), columns.detach().floor().clamp(max=width + 2 * pad)
    total: Tensor | float = 0.0
    for down in (0, 1):
        for right in (0, 1):
            index = ((top + down) * padded.shape[-1] + left + right).long().flatten(1)
            values = padded.flatten(2).gather(2, index.unsqueeze(1).expand(-1, channels, -1))
            share = (1 - (rows - top - down).abs()) * (1 - (columns - left - right).abs())
            total = total + values.view(batch, channels, *rows.shape[1:]) * share.unsqueeze(1)
    samples = (total * mask.unsqueeze(1)).reshape(batch, -1, height * width)
    return (weight.flatten(1) @ samples).unflatten(-1, (height, width))


def gradients(form: Callable[[], Tensor], inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Forward and backward."""
    return torch.autograd.grad(form().sum(), inputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; times of the gather form over those of ours\n"
    )
    print("| x | gather ms | grid_sample x faster | torchvision x faster (each forward / forward and backward) |")
    print("|---|---|---|---|")
    for shape in SHAPES:
        torch.manual_seed(0)
        batch, channels, height, width = shape
        x, weight = torch.randn(shape, requires_grad=True), torch.randn(channels, channels, 3, 3, requires_grad=True)
        offset = torch.randn(batch, 18, height, width, requires_grad=True)
        mask = torch.rand(batch, 9, height, width, requires_grad=True)
        inputs = (x, offset, mask, weight)
        forms = {
            "gather": lambda: gathered(*inputs),  # noqa: B023
            "grid_sample": lambda: deformable_conv2d(*inputs, backend="grid_sample"),  # noqa: B023
            "torchvision": lambda: deformable_conv2d(*inputs, backend="torchvision"),  # noqa: B023
        }
        torch.testing.assert_close(forms["gather"](), forms["grid_sample"](), rtol=1e-3, atol=1e-3)
        ahead = paired(forms, repeats)
        both = paired({name: partial(gradients, form, inputs) for name, form in forms.items()}, repeats)
        cells = [f"{statistics.median(ahead['gather']) * 1e3:.2f} / {statistics.median(both['gather']) * 1e3:.2f}"]
        cells += [
            f"{ratio(ahead, 'gather', k):.1f} / {ratio(both, 'gather', k):.1f}" for k in ("grid_sample", "torchvision")
        ]
        print("| " + " | ".join(["x".join(map(str, shape)), *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
