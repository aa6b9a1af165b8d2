"""MetaFormerBlock: the residual frame that blocks of vision networks share, whatever mixes their positions."""

import torch
from torch import Tensor, nn

from ...borders.checks import check_rate
from ..layers import Norm, Pointwise, branch_dropout, make_norm
from ..starts import start_like_transformers
from .map_block import MapBlock


class MetaFormerBlock(MapBlock):
    r"""Positions are mixed, then channels, each after a norm and added to what came in.

    Yu et al., "MetaFormer is actually what you need for vision", CVPR 2022, Eqs. 2 and 3; with weights $\gamma$ for
    each channel where `scale` is given:

    $$h \leftarrow h + \gamma_1 \circ \mathrm{mixer}(\mathrm{Norm}(h)) \tag{2}$$
    $$h \leftarrow h + \gamma_2 \circ \mathrm{MLP}(\mathrm{Norm}(h)) \tag{3}$$

    Args:
        channels: Of the map.
        mixer: Any module from maps `(B, channels, H, W)` to the same.
        mlp: The same, over channels.
        norm: Channels to a norm.
        scale: Start of $\gamma$; `None` leaves it out.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`.
        returns: The same.

    Raises:
        ValueError: If `norm` is no function, or `drop_path` is not in [0, 1).
    """

    def __init__(
        self,
        channels: int,
        mixer: nn.Module,
        mlp: nn.Module,
        *,
        norm: Norm,
        scale: float | None = None,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__(channels)
        self.norm1, self.mixer = make_norm(norm, channels), mixer
        self.norm2, self.mlp = make_norm(norm, channels), mlp
        self.scale1, self.scale2 = (
            None if scale is None else nn.Parameter(torch.full((channels, 1, 1), scale)) for _ in range(2)
        )
        self.drop_path = branch_dropout(drop_path)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, mixed."""
        (h,) = self.take(h)
        h = h + self.drop_path(_scaled(self.scale1, self.mixer(self.norm1(h))))
        return h + self.drop_path(_scaled(self.scale2, self.mlp(self.norm2(h))))


def _scaled(scale: Tensor | None, maps: Tensor) -> Tensor:
    return maps if scale is None else scale * maps


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of every position."""

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, C, H, W)`, normed."""
        return super().forward(maps.movedim(1, -1)).movedim(-1, 1)


class MLP(nn.Sequential):
    r"""$W_2 * \mathrm{GELU}(W_1 * x)$ with 1x1 convolutions, that start as the linear layers of transformers do.

    Args:
        channels: Of the map.
        hidden_channels: Between the two.
        drop: Dropout after GELU and at the end.
    """

    def __init__(self, channels: int, hidden_channels: int, drop: float = 0.0) -> None:
        check_rate("drop", drop)
        super().__init__(
            Pointwise(channels, hidden_channels),
            nn.GELU(),
            nn.Dropout(drop),
            Pointwise(hidden_channels, channels),
            nn.Dropout(drop),
        )
        start_like_transformers(self)
