"""UniFormerBlock: relations between near positions by convolution, or between all by attention."""

from torch import Tensor, nn

from ...borders.checks import check_heads, check_positive, check_rate, choose
from ..layers import Pointwise, depthwise, hidden_channels
from .batch_norm import BatchNorm
from .metaformer import MLP, ChannelNorm, MetaFormerBlock
from .timm_blocks import on_tokens


class UniFormerBlock(MetaFormerBlock):
    r"""Block of UniFormer, in the frame of `MetaFormerBlock`, after a convolution that says where a position is.

    Li et al., "UniFormer: unifying convolution and self-attention for visual recognition", TPAMI 2023, Eqs. 1 to 3:

    $$h \leftarrow h + \mathrm{DW}_{3 \times 3} * h \tag{1}$$

    The mixer, multi-head relation aggregation, is local in early layers of a network and global in later ones.

    Args:
        channels: Of the map; with `relation="global"`, a multiple of `num_heads`.
        relation: `"local"`: 1x1, depth-wise 5x5 and 1x1 convolution, with batch norm; `"global"`: timm's attention
            between all positions, with layer norm over channels and layer scale.
        num_heads: Heads of the attention.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop: Dropout after the attention and inside the MLP.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `relation` is another word, `num_heads` is not positive or, with `relation="global"`, does not
            divide `channels`, `mlp_ratio` leaves no hidden channel, or a rate is not in [0, 1).
    """

    def __init__(
        self,
        channels: int,
        *,
        relation: str = "local",
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        check_positive(channels=channels, num_heads=num_heads)
        attends = choose("relation", relation, ("local", "global")) == "global"
        mixer = GlobalRelation(channels, num_heads, drop) if attends else local_relation(channels)
        super().__init__(
            channels,
            mixer,
            MLP(channels, hidden_channels(channels, mlp_ratio), drop),
            norm=ChannelNorm if attends else BatchNorm,
            scale=1e-6 if attends else None,
            drop_path=drop_path,
        )
        self.position = depthwise(channels, 3)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, mixed."""
        (h,) = self.take(h)
        return super().forward(h + self.position(h))  # (1)


class GlobalRelation(nn.Module):
    """timm's attention on maps."""

    whole_map = True

    def __init__(self, channels: int, num_heads: int, drop: float) -> None:
        from timm.layers import Attention  # timm is slow to import

        super().__init__()
        check_heads(channels, num_heads)
        check_rate("drop", drop)
        self.attention = Attention(channels, num_heads, qkv_bias=True, proj_drop=drop)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        return on_tokens(self.attention, maps)


def local_relation(channels: int) -> nn.Sequential:
    """What a position has to do with those around it."""
    return nn.Sequential(Pointwise(channels, channels), depthwise(channels, 5), Pointwise(channels, channels))
