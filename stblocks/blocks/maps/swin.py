"""SwinBlock: attention inside windows, which every other block shifts by half a window."""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_heads, check_positive, check_rate
from ..layers import branch_dropout, hidden_channels
from .map_block import MapBlock
from .window_attention import WindowAttention


class SwinBlock(MapBlock):
    r"""Block of the Swin Transformer, whose attention stays inside windows.

    Liu et al., ICCV 2021, Eq. 3, with tokens the positions of the map:

    $$\hat z = z + \mathrm{(S)W\text{-}MSA}(\mathrm{LN}(z)) \tag{3}$$
    $$z \leftarrow \hat z + \mathrm{MLP}(\mathrm{LN}(\hat z))$$

    The map is padded to whole windows, and padding is never looked at. A side that fits into one window is not shifted,
    and of the table of relative positions only the offsets that occur are used, so that a window larger than the map
    acts as one of the size of the map. A shift moves the first rows and columns to the end; a mask keeps them from
    meeting those that they are no neighbours of.

    Args:
        channels: Of the map, a multiple of `num_heads`.
        num_heads: Heads of attention.
        window_size: Side of a window; the table of relative positions has `(2 * window_size - 1)^2` rows.
        shift: Whether windows are shifted by half their size.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop: Dropout after the attention and inside the MLP.
        drop_path: Chance that a branch is left out for a sample, in training.
        mask_shift: `False` lets opposite borders of a shifted map meet, as in the released translator of SimVP.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `num_heads` does not divide `channels`, `window_size` is not positive, `mlp_ratio` leaves no
            hidden channel, or a rate is not in [0, 1).
    """

    def __init__(
        self,
        channels: int,
        *,
        num_heads: int = 8,
        window_size: int = 8,
        shift: bool = False,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
        mask_shift: bool = True,
    ) -> None:
        from timm.layers import Mlp  # timm is slow to import

        super().__init__(channels)
        check_heads(channels, num_heads)
        check_rate("drop", drop)
        check_positive(window_size=window_size)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, num_heads, window_size=window_size, drop=drop)
        self.mlp = Mlp(channels, hidden_channels(channels, mlp_ratio), drop=drop)
        self.drop_path = branch_dropout(drop_path)
        self.window_size, self.shift, self.mask_shift = window_size, shift, mask_shift

    def forward(self, h: Tensor) -> Tensor:
        """`h`, each position having looked at its window."""
        (h,) = self.take(h)
        tokens = h.movedim(1, -1)
        return self.mix(tokens, self.norm1(tokens)).movedim(-1, 1)

    def mix(self, tokens: Tensor, normed: Tensor) -> Tensor:
        """`tokens`, and what the attention says of `normed`; then the MLP. All `(B, H, W, channels)`."""
        tokens = tokens + self.drop_path(self._attend(normed))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))

    def _attend(self, tokens: Tensor) -> Tensor:
        window, (height, width) = self.window_size, tokens.shape[1:3]
        right, below = -width % window, -height % window
        shifts = [window // 2 if self.shift and side > window else 0 for side in (height, width)]
        shifted = functional.pad(tokens, (0, 0, 0, right, 0, below)).roll([-each for each in shifts], (1, 2))
        mask = None
        if right or below or (any(shifts) and self.mask_shift):
            mask = self._mask(shifted, (height, width), shifts)
        windows = rearrange(shifted, "b (i y) (j x) c -> (b i j) (y x) c", y=window, x=window)
        attended = rearrange(
            self.attention(windows, mask),
            "(b i j) (y x) c -> b (i y) (j x) c",
            i=shifted.shape[1] // window,
            j=shifted.shape[2] // window,
            y=window,
        )
        return attended.roll(shifts, (1, 2))[:, :height, :width]

    def _mask(self, shifted: Tensor, sides: tuple[int, int], shifts: list[int]) -> Tensor:
        """`(windows, positions, positions)`: zero for pairs that may meet, minus infinity for others."""
        regions = torch.zeros((), device=shifted.device, dtype=torch.long)
        for whole, side, shift in zip(shifted.shape[1:3], sides, shifts, strict=True):
            index = torch.arange(whole, device=shifted.device).roll(-shift)  # where a position was before the shift
            moved = (index < shift) if self.mask_shift else torch.zeros_like(index, dtype=torch.bool)
            regions = 3 * regions[..., None] + torch.where(index < side, moved, 2)
        regions = rearrange(regions, "(i y) (j x) -> (i j) (y x)", y=self.window_size, x=self.window_size)
        apart = regions[:, :, None] != regions[:, None, :]
        return torch.zeros_like(apart, dtype=shifted.dtype).masked_fill(apart, float("-inf"))
