"""Mixing: the residual frame of gSTA, TAU and VAN, in which an attention over space and an MLP take turns."""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from .fused import FusedMixing
from .layers import Pointwise, depthwise
from .map_block import MapBlock

#: Start of the weights of both branches: a new block is close to the identity.
SCALE = 0.01


class Mixing(MapBlock):
    r"""Attention over space, then an MLP over channels, each normed, scaled and added to what came in.

    $$y = \mathrm{BN}(x) \qquad x \leftarrow x + \gamma_1 \circ (y + W_2 * A(\mathrm{GELU}(W_1 * y)))$$
    $$x \leftarrow x + \gamma_2 \circ \mathrm{MLP}(\mathrm{BN}(x))$$

    with 1x1 convolutions $W$, weights $\gamma$ for each channel, and $A$ what the subclasses differ in. As in
    Fig. 5 (d) of the SimVPv2 paper; norms and scales as released.

    Args:
        channels: Of the map.
        attention: $A$, a module that keeps the shape of its map.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop: Dropout inside the MLP.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If an argument or a shape is not as said here.
    """

    def __init__(
        self, channels: int, attention: nn.Module, *, mlp_ratio: float = 4.0, drop: float = 0.0, drop_path: float = 0.0
    ) -> None:
        super().__init__(channels)
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.before, self.after = Pointwise(channels, channels), Pointwise(channels, channels)
        self.attention = attention
        self.mlp = ConvMLP(channels, int(channels * mlp_ratio), drop)
        self.scale1, self.scale2 = (nn.Parameter(torch.full((channels, 1, 1), SCALE)) for _ in range(2))
        self.drop_path = StochasticDepth(drop_path, "row")
        start_like_he(self)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, mixed."""
        (h,) = self.take(h)
        normed = self.norm1(h)
        mixed = normed + self.after(self.attention(functional.gelu(self.before(normed))))
        h = h + self.drop_path(self.scale1 * mixed)
        return h + self.drop_path(self.scale2 * self.mlp(self.norm2(h)))

    def fused(self) -> FusedMixing:
        """The same in `eval()`, with fewer layers."""
        return FusedMixing(self)


class ConvMLP(nn.Module):
    r"""$W_2 * \mathrm{GELU}(\mathrm{DW} * (W_1 * x))$, an MLP over channels with a depth-wise 3x3 convolution inside.

    Args:
        channels: Of the map.
        hidden_channels: Between the two 1x1 convolutions.
        drop: Dropout after GELU and at the end.
    """

    def __init__(self, channels: int, hidden_channels: int, drop: float = 0.0) -> None:
        super().__init__()
        self.widen = Pointwise(channels, hidden_channels)
        self.local = depthwise(hidden_channels, 3)
        self.narrow = Pointwise(hidden_channels, channels)
        self.drop = nn.Dropout(drop)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        return self.drop(self.narrow(self.drop(functional.gelu(self.local(self.widen(maps))))))


def start_like_he(module: nn.Module) -> None:
    """Start convolutions and linear layers from a normal distribution of variance 2 / fan-out, biases from zero.

    As released.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            groups = part.groups if isinstance(part, nn.Conv2d) else 1
            fan_out = part.weight[:, 0].numel() // groups
            nn.init.normal_(part.weight, std=sqrt(2 / fan_out))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
