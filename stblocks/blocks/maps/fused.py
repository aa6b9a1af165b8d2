"""FusedMixing: gSTA, TAU and VAN for inference, without their norms and scales."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers import Pointwise
from .map_block import MapBlock


class FusedMixing(MapBlock):
    r"""A `Mixing` block in `eval()`, norms and scales folded into the 1x1 convolutions beside them.

    $$x \leftarrow a \circ x + W'_2 * A(\mathrm{GELU}(W'_1 * x)) \qquad x \leftarrow x + \mathrm{MLP}'(x)$$

    Args:
        block: The block; it stays as it is, and shares its attention.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.
    """

    kept: Tensor

    @torch.no_grad()
    def __init__(self, block: Any) -> None:
        super().__init__(block.norm1.num_features)
        scale, shift = as_affine(block.norm1)
        self.register_buffer("kept", 1 + block.scale1 * scale[:, None, None])
        self.before, self.attention = after_affine(block.mixer.before, scale, shift), block.mixer.attention
        self.after = scaled(block.mixer.after, block.scale1.flatten(), shift)
        self.mlp = deepcopy(block.mlp)
        self.mlp.widen = after_affine(block.mlp.widen, *as_affine(block.norm2))
        self.mlp.narrow = scaled(block.mlp.narrow, block.scale2.flatten())

    def forward(self, h: Tensor) -> Tensor:
        """`h`, mixed."""
        (h,) = self.take(h)
        h = self.kept * h + self.after(self.attention(functional.gelu(self.before(h))))
        return h + self.mlp(h)


def as_affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift of every channel, which a batch norm amounts to in `eval()`."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight / (variance + norm.eps).sqrt()
    return scale, norm.bias - scale * mean


def after_affine(conv: Pointwise, scale: Tensor, shift: Tensor) -> Pointwise:
    """`conv(scale * x + shift)` as one convolution of `x`."""
    return _with(conv, conv.weight * scale[:, None, None], conv.get_parameter("bias") + conv.weight[:, :, 0, 0] @ shift)


def scaled(conv: Pointwise, scale: Tensor, shift: Tensor | float = 0.0) -> Pointwise:
    """`scale * (conv(x) + shift)` as one convolution of `x`."""
    return _with(conv, scale[:, None, None, None] * conv.weight, scale * (conv.get_parameter("bias") + shift))


def _with(conv: Pointwise, weight: Tensor, bias: Tensor) -> Pointwise:
    other = deepcopy(conv)
    other.weight.copy_(weight)
    other.get_parameter("bias").copy_(bias)
    return other
