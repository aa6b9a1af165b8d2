"""The floor: a model's convolutions and matrix products alone, in a plain form, one for each symbol of the equations.

Nothing is shared or merged here as it is in `stblocks`, so that the floor stays the same when the library gets faster.
Inputs are random maps of the right shape; nothing between the products is computed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Product:
    """One product of a step: how to compute it, its input and its weight."""

    compute: Callable[[Tensor, Tensor], Tensor]
    input: tuple[int, ...]
    weight: tuple[int, ...]
    multiply_adds: int


def convolution(batch: int, size: int, channels: int, out: int, kernel: int, stride: int = 1) -> Product:
    """A convolution of a `size` x `size` map."""
    side = size // stride
    return Product(
        lambda x, w: functional.conv2d(x, w, padding=kernel // 2, stride=stride),
        (batch, channels, size, size),
        (out, channels, kernel, kernel),
        batch * side * side * channels * out * kernel * kernel,
    )


def st_convlstm(batch: int, size: int, below: int, channels: int, kernel: int) -> list[Product]:
    """GMG paper, Eqs. 26-35: the symbols W_x., W_h., W_m., W_o, W_1x1, gates of one input stacked as in the release."""
    return [
        convolution(batch, size, below, 7 * channels, kernel),
        convolution(batch, size, channels, 4 * channels, kernel),
        convolution(batch, size, channels, 3 * channels, kernel),
        convolution(batch, size, 2 * channels, channels, kernel),
        convolution(batch, size, 2 * channels, channels, 1),
    ]


def convlstm(batch: int, size: int, below: int, channels: int, kernel: int) -> list[Product]:
    """Shi et al., Eq. 3: W_x. and W_h., four gates each."""
    return [
        convolution(batch, size, below, 4 * channels, kernel),
        convolution(batch, size, channels, 4 * channels, kernel),
    ]


def gfm(batch: int, size: int, below: int, channels: int) -> list[Product]:
    """Eqs. 1-6: the local convolution, the gate over [H, X^g], and three convolutions of different sizes."""
    linear = Product(torch.matmul, (batch, channels), (channels, channels), batch * channels * channels)
    return [
        convolution(batch, size, below, channels, 3),
        linear,
        convolution(batch, size, 2 * channels, channels, 3),
        *(convolution(batch, size, below, channels, kernel) for kernel in (1, 3, 5)),
    ]


def sam(batch: int, size: int, channels: int, attention: int) -> list[Product]:
    """Seven 1x1 convolutions, and two attentions: scores and their use."""
    pixels = size * size
    scores = Product(
        torch.matmul, (batch, pixels, attention), (batch, attention, pixels), batch * pixels**2 * attention
    )
    use = Product(torch.matmul, (batch, pixels, pixels), (batch, pixels, channels), batch * pixels**2 * channels)
    widths = (
        [(channels, attention)] * 3 + [(channels, channels)] * 2 + [(2 * channels, 2 * channels), (3 * channels,) * 2]
    )
    return [*(convolution(batch, size, a, b, 1) for a, b in widths), scores, scores, use, use]


def motion(batch: int, size: int, channels: int, kernel: int) -> list[Product]:
    """Eqs. 7-9 and 19 at half resolution, between the strided convolution, the transposed one and the gate."""
    inner, half, taps = channels // 4, size // 2, 9
    decode = Product(
        lambda x, w: functional.conv_transpose2d(x, w, stride=2, padding=1),
        (batch, inner, half, half),
        (inner, channels, 4, 4),
        batch * half * half * inner * channels * 16,
    )
    mix = Product(
        lambda x, w: w @ x, (batch, inner * taps, half * half), (inner, inner * taps), batch * half**2 * inner**2 * taps
    )
    return [
        convolution(batch, size, channels, inner, kernel, stride=2),
        *(convolution(batch, half, inner + 2 * taps, 2 * taps, 3) for _ in "urz"),
        convolution(batch, half, inner, taps, 3),
        mix,
        decode,
        convolution(batch, size, 2 * channels, channels, kernel),
    ]


def causal_lstm(batch: int, size: int, below: int, channels: int, kernel: int) -> list[Product]:
    """Wang et al. (2018), Eq. 2: W_1 over [X, H, C], W_2 and W_3 over [X, C, M], W_4 over [X, H, C, M], W_5."""
    return [
        convolution(batch, size, below, 7 * channels, kernel),
        convolution(batch, size, channels, 4 * channels, kernel),
        *(convolution(batch, size, channels, 3 * channels, kernel) for _ in "cm"),
        convolution(batch, size, channels, 4 * channels, kernel),
        convolution(batch, size, channels, channels, kernel),
        convolution(batch, size, 2 * channels, channels, 1),
    ]


def mim(batch: int, size: int, channels: int, kernel: int) -> list[Product]:
    """Wang et al. (2019): MIM-N and MIM-S with two convolutions each, the cell with three and a 1x1."""
    return [
        *(convolution(batch, size, channels, 4 * channels, kernel) for _ in range(6)),
        convolution(batch, size, channels, 3 * channels, kernel),
        convolution(batch, size, 2 * channels, channels, 1),
    ]


def cms_lstm(batch: int, size: int, channels: int, kernel: int) -> list[Product]:
    """CMS-LSTM paper, Eqs. 1-6: five updates of CE, the gates, SE with three scales over both maps side by side."""
    embedding = [convolution(batch, size, channels, channels, kernel) for _ in range(5)]
    attention = []
    for scale in (1, 2, 4):
        windows, tokens = batch * scale**2, 2 * (size // scale) ** 2
        work = windows * tokens**2 * channels
        attention += [convolution(2 * batch, size, channels, channels, 1) for _ in "qkv"]
        attention += [
            Product(torch.matmul, (windows, tokens, channels), (windows, channels, tokens), work),
            Product(torch.matmul, (windows, tokens, tokens), (windows, tokens, channels), work),
        ]
    return [
        *embedding,
        *convlstm(batch, size, channels, channels, kernel),
        *attention,
        convolution(2 * batch, size, 3 * channels, channels, 5),
        convolution(batch, size, 2 * channels, channels, 1),
        *(convolution(batch, size, channels, 3 * channels, 5) for _ in "ah"),
    ]


def step_products(name: str, *, batch: int = 2, size: int = 16, channels: int = 128, kernel: int = 5) -> list[Product]:
    """All products of a time step at the papers' main setting: 4 layers, frames of 64x64 in patches of 4."""
    if name == "cms_lstm":
        ends = [convolution(batch, size, 16, 64, 1), convolution(batch, size, 64, 16, 1)]
        return [*ends, *(product for _ in range(4) for product in cms_lstm(batch, size, 64, kernel))]
    products = []
    for layer in range(4):
        below = channels if layer else 16
        if name == "convlstm":
            products += convlstm(batch, size, below, channels, kernel)
            continue
        if name == "predrnnpp":
            products += causal_lstm(batch, size, below, channels, kernel)
            highway = convolution(batch, size, channels, 2 * channels, kernel)
            products += [] if layer else [highway, highway]
            continue
        if name == "mim" and layer:
            products += mim(batch, size, channels, kernel)
            continue
        products += st_convlstm(batch, size, below, channels, kernel)
        if name.startswith("gmg"):
            products += (
                [convolution(batch, size, below, channels, 5)] if name == "gmg_s" else gfm(batch, size, below, channels)
            )
            products += [] if name == "gmg_m" else sam(batch, size, channels, 32)
        if (name.startswith("gmg") or name == "motionrnn") and layer < 3:
            products += motion(batch, size, channels, kernel)
    if name.startswith("gmg") or name == "motionrnn":
        products.append(convolution(batch, size, 16, channels, 1))
    return [*products, convolution(batch, size, channels, 16, 1)]


class Floor:
    """The products of a sequence, replayed alone: forward, and backward to inputs and weights."""

    def __init__(self, name: str, steps: int) -> None:
        self.products, self.steps = step_products(name), steps
        self.inputs = [torch.randn(product.input, requires_grad=True) for product in self.products]
        self.weights = [nn.Parameter(torch.randn(product.weight) * 0.01) for product in self.products]
        self.multiply_adds = steps * sum(product.multiply_adds for product in self.products)

    def forward(self) -> None:
        """All products of all steps, without gradients."""
        with torch.no_grad():
            for _ in range(self.steps):
                for product, x, weight in zip(self.products, self.inputs, self.weights, strict=True):
                    product.compute(x, weight)

    def train(self) -> None:
        """All products and their gradients; those of the weights add up over steps, as in a model."""
        for _ in range(self.steps):
            for product, x, weight in zip(self.products, self.inputs, self.weights, strict=True):
                y = product.compute(x, weight)
                x.grad = None
                y.backward(y.detach())
