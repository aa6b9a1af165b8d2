"""Mixing: what gSTA, TAU and VAN share, blocks in which an attention over space and an MLP take turns."""

from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_rate
from ..layers import Pointwise, depthwise, hidden_channels
from ..starts import start_like_he
from .batch_norm import BatchNorm
from .fused import FusedMixing
from .metaformer import MetaFormerBlock

#: Start of the weights of both branches: a new block is close to the identity.
SCALE = 0.01


class Mixing(MetaFormerBlock):
    r"""Attention over space, then an MLP over channels, in the frame of `MetaFormerBlock` with batch norm.

    The mixer, for what the subclasses differ in, $A$, and 1x1 convolutions $W$:

    $$\mathrm{mixer}(y) = y + W_2 * A(\mathrm{GELU}(W_1 * y))$$

    As in Fig. 5 (d) of the SimVPv2 paper; norms and scales as released.

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
        ValueError: If `mlp_ratio` leaves no hidden channel, or a rate is not in [0, 1).
    """

    def __init__(
        self, channels: int, attention: nn.Module, *, mlp_ratio: float = 4.0, drop: float = 0.0, drop_path: float = 0.0
    ) -> None:
        super().__init__(
            channels,
            SpatialAttention(channels, attention),
            ConvMLP(channels, hidden_channels(channels, mlp_ratio), drop),
            norm=BatchNorm,
            scale=SCALE,
            drop_path=drop_path,
        )
        start_like_he(self)

    def fused(self) -> FusedMixing:
        """The same in `eval()`, with fewer layers."""
        return FusedMixing(self)


class SpatialAttention(nn.Module):
    """An attention between two 1x1 convolutions, added to its input."""

    def __init__(self, channels: int, attention: nn.Module) -> None:
        super().__init__()
        self.before, self.after = Pointwise(channels, channels), Pointwise(channels, channels)
        self.attention = attention

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        return maps + self.after(self.attention(functional.gelu(self.before(maps))))


class ConvMLP(nn.Module):
    r"""$W_2 * \mathrm{GELU}(\mathrm{DW} * (W_1 * x))$, an MLP over channels with a depth-wise 3x3 convolution inside.

    Args:
        channels: Of the map.
        hidden_channels: Between the two 1x1 convolutions.
        drop: Dropout after GELU and at the end.
    """

    def __init__(self, channels: int, hidden_channels: int, drop: float = 0.0) -> None:
        super().__init__()
        check_rate("drop", drop)
        self.widen = Pointwise(channels, hidden_channels)
        self.local = depthwise(hidden_channels, 3)
        self.narrow = Pointwise(hidden_channels, channels)
        self.drop = nn.Dropout(drop)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        return self.drop(self.narrow(self.drop(functional.gelu(self.local(self.widen(maps))))))
