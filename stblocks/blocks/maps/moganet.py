"""MogaBlock: multi-order gated aggregation, and an MLP that reallocates channels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_positive, check_rate
from ..layers import Pointwise, depthwise, hidden_channels
from ..starts import start_like_he
from .batch_norm import BatchNorm
from .metaformer import MetaFormerBlock

#: Start of the weights of layer scale and of feature decomposition.
SCALE = 1e-5


class MogaBlock(MetaFormerBlock):
    r"""Block of MogaNet, in the frame of `MetaFormerBlock`.

    Li et al., "MogaNet: multi-order gated aggregation network", ICLR 2024, Sec. 4, with a `GatedAggregation` of
    positions and a `ChannelAggregation`:

    $$h \leftarrow h + \gamma_1 \circ \mathrm{Moga}(\mathrm{BN}(h)) \qquad
    h \leftarrow h + \gamma_2 \circ \mathrm{CA}(\mathrm{BN}(h))$$

    Args:
        channels: Of the map, at least 3.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop: Dropout inside the MLP.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `channels` is below 3, `mlp_ratio` leaves no hidden channel, or a rate is not in [0, 1).
    """

    def __init__(self, channels: int, *, mlp_ratio: float = 4.0, drop: float = 0.0, drop_path: float = 0.0) -> None:
        super().__init__(
            channels,
            GatedAggregation(channels),
            ChannelAggregation(channels, hidden_channels(channels, mlp_ratio), drop),
            norm=BatchNorm,
            scale=SCALE,
            drop_path=drop_path,
        )
        start_like_he(self)


class GatedAggregation(nn.Module):
    r"""Spatial aggregation, added to its input.

    $$z = \mathrm{SiLU}(y + \gamma \circ (y - \mathrm{GAP}(y))) \qquad y = W_{in} * x \tag{3, 4}$$
    $$x + W_{out} * (\mathrm{SiLU}(W_g * z) \circ \mathrm{SiLU}(W_v * \mathrm{DW}(z))) \tag{6, 7}$$

    where GAP is the mean over the map, and DW the `MultiOrderConv`.
    """

    whole_map = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        check_positive(channels=channels)
        self.enter, self.leave = Pointwise(channels, channels), Pointwise(channels, channels)
        self.decompose = nn.Parameter(torch.full((channels, 1, 1), SCALE))
        self.gate, self.value = Pointwise(channels, channels), Pointwise(channels, channels)
        self.orders = MultiOrderConv(channels)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        y = self.enter(maps)
        z = functional.silu(y + self.decompose * (y - y.mean(dim=(2, 3), keepdim=True)))
        gated = functional.silu(self.gate(z)) * functional.silu(self.value(self.orders(z)))
        return maps + self.leave(gated)


class MultiOrderConv(nn.Module):
    """A depth-wise 5x5 convolution, on which 3/8 of the channels are convolved again farther, and 4/8 farther still.

    The second is 5x5 with dilation 2, the third 7x7 with dilation 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 3:
            raise ValueError(f"channels must be at least 3, to be shared out among three convolutions, got {channels}.")
        middle, far = channels * 3 // 8, channels // 2
        self.widths = [channels - middle - far, middle, far]
        self.near = depthwise(channels, 5)
        self.middle = depthwise(middle, 5, dilation=2)
        self.far = depthwise(far, 7, dilation=3)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        near, middle, far = self.near(maps).split(self.widths, dim=1)
        return torch.cat([near, self.middle(middle), self.far(far)], dim=1)


class ChannelAggregation(nn.Module):
    r"""An MLP with a depth-wise 3x3 convolution, whose hidden channels are compared with one mixed from all of them.

    $$y = \mathrm{GELU}(\mathrm{DW} * (W_1 * x)) \qquad z = y + \gamma \circ (y - \mathrm{GELU}(W_r * y)) \tag{8, 9}$$

    and $W_2 * z$, where $W_r$ has one channel out.
    """

    def __init__(self, channels: int, hidden_channels: int, drop: float) -> None:
        super().__init__()
        check_rate("drop", drop)
        self.widen, self.local = Pointwise(channels, hidden_channels), depthwise(hidden_channels, 3)
        self.reduce, self.narrow = Pointwise(hidden_channels, 1), Pointwise(hidden_channels, channels)
        self.decompose = nn.Parameter(torch.full((hidden_channels, 1, 1), SCALE))
        self.drop = nn.Dropout(drop)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        y = self.drop(functional.gelu(self.local(self.widen(maps))))
        z = y + self.decompose * (y - functional.gelu(self.reduce(y)))
        return self.drop(self.narrow(z))
