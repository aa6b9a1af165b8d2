"""Blocks of ViT, MLP-Mixer, ConvNeXt and PoolFormer, from timm, on maps of any size where the block allows it.

timm is slow to import, so that only those who build such a block do.
"""

from collections.abc import Callable

from torch import Tensor, nn

from ...borders.checks import check_heads, check_image_size, check_rate
from ..layers import hidden_channels
from ..starts import start_like_he, start_like_transformers
from .map_block import MapBlock
from .metaformer import MLP, MetaFormerBlock


class ViTBlock(MapBlock):
    r"""Block of the Vision Transformer: attention between all positions, then an MLP; there is no position embedding.

    Dosovitskiy et al., ICLR 2021; `timm.models.vision_transformer.Block`:

    $$h \leftarrow h + \mathrm{MSA}(\mathrm{LN}(h)) \tag{2}$$
    $$h \leftarrow h + \mathrm{MLP}(\mathrm{LN}(h)) \tag{3}$$

    Args:
        channels: Of the map, a multiple of `num_heads`.
        num_heads: Heads of attention.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop: Dropout after the attention and inside the MLP.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `num_heads` does not divide `channels`, `mlp_ratio` leaves no hidden channel, or a rate is not in
            [0, 1).
    """

    whole_map = True

    def __init__(
        self, channels: int, *, num_heads: int = 8, mlp_ratio: float = 4.0, drop: float = 0.0, drop_path: float = 0.0
    ) -> None:
        from timm.models.vision_transformer import Block

        super().__init__(channels)
        check_heads(channels, num_heads)
        _check_options(channels, mlp_ratio, drop, drop_path)
        self.block = Block(
            channels,
            num_heads,
            mlp_ratio=mlp_ratio,
            qkv_bias=True,
            proj_drop=drop,
            drop_path=drop_path,
            norm_layer=nn.LayerNorm,
        )
        start_like_transformers(self)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, each position having looked at all."""
        (h,) = self.take(h)
        return on_tokens(self.block, h)


class MLPMixerBlock(MapBlock):
    r"""Block of the MLP-Mixer: an MLP over positions, then one over channels.

    Tolstikhin et al., NeurIPS 2021, with $P$ an MLP over the positions of each channel, and $C$ one over the channels
    of each position:

    $$h \leftarrow h + P(\mathrm{LN}(h)) \qquad h \leftarrow h + C(\mathrm{LN}(h)) \tag{1}$$

    `timm.models.mlp_mixer.MixerBlock`, whose first MLP has half as many hidden
    units as the map has channels.

    Args:
        channels: Of the map.
        size: `(H, W)` of the map. The weights of the first MLP belong to its positions, so that no other size is taken.
        mlp_ratio: Hidden channels of the second MLP for each channel.
        drop: Dropout inside the MLPs.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, *size)`.
        returns: The same.

    Raises:
        ValueError: If `channels` is below 2, `size` is no height and width, `mlp_ratio` leaves no hidden channel, or a
            rate is not in [0, 1), or when called, if the map is not of `size`.
    """

    whole_map = True

    def __init__(
        self,
        channels: int,
        *,
        size: tuple[int, int],
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        from timm.models.mlp_mixer import MixerBlock

        super().__init__(channels)
        check_image_size(size, "size")
        if channels < 2:
            raise ValueError(f"channels must be at least 2, half of which are hidden units, got {channels}.")
        _check_options(channels, mlp_ratio, drop, drop_path)
        height, width = self.size = (size[0], size[1])
        self.block = MixerBlock(channels, height * width, mlp_ratio=(0.5, mlp_ratio), drop=drop, drop_path=drop_path)
        start_like_transformers(self)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, mixed over positions and over channels."""
        (h,) = self.take(h)
        if h.shape[2:] != self.size:
            raise ValueError(
                f"MLPMixerBlock: the map must be of size={self.size}, got {tuple(h.shape[2:])}, since its weights "
                f"belong to the positions; build it for that size, or use a block that takes any."
            )
        return on_tokens(self.block, h)


class ConvNeXtBlock(MapBlock):
    r"""Block of ConvNeXt: a depth-wise 7x7 convolution, layer norm and an MLP in one residual branch.

    Liu et al., CVPR 2022, Fig. 4; `timm.models.convnext.ConvNeXtBlock`:
    $h + \gamma \circ \mathrm{MLP}(\mathrm{LN}(\mathrm{DW} * h))$.

    Args:
        channels: Of the map.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop_path: Chance that the branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `mlp_ratio` leaves no hidden channel, or `drop_path` is not in [0, 1).
    """

    def __init__(self, channels: int, *, mlp_ratio: float = 4.0, drop_path: float = 0.0) -> None:
        from timm.models.convnext import ConvNeXtBlock as Block

        super().__init__(channels)
        _check_options(channels, mlp_ratio, 0.0, drop_path)
        self.block = Block(channels, mlp_ratio=mlp_ratio, conv_mlp=True, drop_path=drop_path)
        start_like_he(self)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, mixed."""
        (h,) = self.take(h)
        return self.block(h)


class PoolFormerBlock(MetaFormerBlock):
    r"""Block of PoolFormer, which mixes positions by a mean: $\mathrm{AvgPool}_{3 \times 3}(h) - h$.

    Yu et al., CVPR 2022, Eq. 4, inside the frame of `MetaFormerBlock`; `timm.models.metaformer.Pooling`. At borders the
    mean is of those neighbours that there are.

    Args:
        channels: Of the map.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop: Dropout inside the MLP.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `mlp_ratio` leaves no hidden channel, or a rate is not in [0, 1).
    """

    def __init__(self, channels: int, *, mlp_ratio: float = 4.0, drop: float = 0.0, drop_path: float = 0.0) -> None:
        from timm.models.metaformer import Pooling

        super().__init__(
            channels,
            Pooling(),
            MLP(channels, hidden_channels(channels, mlp_ratio), drop),
            norm=lambda width: nn.GroupNorm(1, width),
            scale=1e-5,
            drop_path=drop_path,
        )


def on_tokens(block: Callable[[Tensor], Tensor], maps: Tensor) -> Tensor:
    """Run a block on `(B, H W, C)`, where maps are `(B, C, H, W)`; of channels-last maps that is no copy."""
    tokens = block(maps.movedim(1, -1).flatten(1, 2))
    return tokens.unflatten(1, maps.shape[2:]).movedim(-1, 1)


def _check_options(channels: int, mlp_ratio: float, drop: float, drop_path: float) -> None:
    """What timm takes as it comes."""
    hidden_channels(channels, mlp_ratio)
    check_rate("drop", drop)
    check_rate("drop_path", drop_path)
