"""PredFormer: gated transformer blocks that attend over time, over space, or over both."""

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_heads, check_positive, check_rate, choose
from ..layers import Pointwise, branch_dropout, hidden_channels
from ..starts import start_like_transformers
from .translator import SequenceTranslator

#: What a block attends over, by its letter in the names of the paper's variants, and its tokens as (groups, tokens).
OVER = {
    "t": ("time", "b t c h w -> b (h w) t c"),
    "s": ("space", "b t c h w -> b t (h w) c"),
    "f": ("time and space", "b t c h w -> b 1 (t h w) c"),
}


class PredFormerBlock(nn.Module):
    r"""Gated transformer block: attention, then a gated MLP, each after a layer norm and added to what it is given.

    Tang et al., PredFormer, 2024, https://arxiv.org/abs/2410.04733, Sec. 3:

    $$Y = \mathrm{MSA}(\mathrm{LN}(X)) + X \qquad X' = \mathrm{SwiGLU}(\mathrm{LN}(Y)) + Y$$
    $$\mathrm{SwiGLU}(Z) = W_3 (\mathrm{SiLU}(W_1 Z) \circ W_2 Z)$$

    Args:
        channels: Of a frame's map, a multiple of `num_heads`.
        over: `"t"` attends at every position over time, `"s"` in every frame over its positions, `"f"` over all of the
            sequence.
        num_heads: Heads of attention.
        mlp_ratio: Hidden channels of the gated MLP for each channel.
        drop: Dropout after the attention and inside the MLP.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        x: `(B, T, channels, H, W)`, any `T`, `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `over` is another letter, `num_heads` does not divide `channels`, `mlp_ratio` leaves no hidden
            channel, or a rate is not in [0, 1).
    """

    whole_map = True

    def __init__(
        self,
        channels: int,
        *,
        over: str = "f",
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        check_heads(channels, num_heads)
        check_rate("drop", drop)
        self.over, self.num_heads = choose("over", over, tuple(OVER)), num_heads
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.looks = nn.Linear(channels, 3 * channels)
        self.leave = nn.Linear(channels, channels)
        hidden = hidden_channels(channels, mlp_ratio)
        self.widen = nn.Linear(channels, 2 * hidden)  # W_1, W_2
        self.narrow = nn.Linear(hidden, channels)  # W_3
        self.drop, self.drop_path = nn.Dropout(drop), branch_dropout(drop_path)
        start_like_transformers(self)

    def forward(self, x: Tensor) -> Tensor:
        """`x`, mixed."""
        _, cut = OVER[self.over]
        sizes = {"t": x.shape[1], "h": x.shape[3], "w": x.shape[4]}
        tokens = rearrange(x, cut)
        tokens = tokens + self.drop_path(self._attend(self.norm1(tokens)))
        gate, values = self.widen(self.norm2(tokens)).chunk(2, dim=-1)
        mixed = self.narrow(self.drop(functional.silu(gate) * values))
        tokens = tokens + self.drop_path(self.drop(mixed))
        there, back = cut.split(" -> ")
        return rearrange(tokens, f"{back} -> {there}", **sizes)

    def _attend(self, tokens: Tensor) -> Tensor:
        """Attention within each group of tokens `(B, groups, tokens, channels)`."""
        query, key, value = rearrange(
            self.looks(tokens), "b g n (three heads c) -> three (b g) heads n c", three=3, heads=self.num_heads
        )
        looked = functional.scaled_dot_product_attention(query, key, value)
        return self.drop(self.leave(rearrange(looked, "(b g) heads n c -> b g n (heads c)", b=tokens.shape[0])))


class PositionCode(nn.Module):
    r"""Adds to every token what its place in the sequence is, in sines and cosines.

    $$P_{p, 2i} = \sin(p / 10000^{2i / C}) \qquad P_{p, 2i + 1} = \cos(p / 10000^{2i / C})$$

    for place $p$, counted through time, then rows, then columns. It has no weights, so that any size is taken.

    Shapes:
        x: `(B, T, C, H, W)`.
        returns: The same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`x`, with places."""
        length, channels, height, width = x.shape[1:]
        place = torch.arange(length * height * width, device=x.device, dtype=torch.float32).view(
            length, 1, height, width
        )
        channel = torch.arange(channels, device=x.device, dtype=torch.float32).view(-1, 1, 1)
        even = channel % 2
        angle = place / 10000 ** ((channel - even) / channels)
        return x + torch.where(even == 0, torch.sin(angle), torch.cos(angle)).to(x.dtype)


class PredFormer(nn.Module):
    """PredFormer's network: patches, their places, gated transformer blocks, and patches again.

    Tang et al., PredFormer, 2024, Fig. 2.

    Args:
        in_channels: Of a past frame.
        out_channels: Of a future frame.
        channels: Of the tokens.
        in_frames: Past frames.
        out_frames: Future frames.
        patch_size: Side of a patch.
        num_layers: Number of blocks.
        order: What the blocks attend over, letters of `PredFormerBlock` in turn: `"tsst"` is Quadruplet-TSST, `"ts"`
            Binary-TS, `"f"` full attention.
        num_heads: See `PredFormerBlock`.
        mlp_ratio: See `PredFormerBlock`.
        drop: See `PredFormerBlock`.
        drop_path: See `PredFormerBlock`; the same in all blocks.
        checkpointing: Recompute each block in backward instead of keeping its activations.

    Shapes:
        past: `(B, in_frames, in_channels, H, W)`, `H` and `W` multiples of `patch_size`.
        returns: `(B, out_frames, out_channels, H, W)`.

    Raises:
        ValueError: If a number is not positive, `order` has other letters, or see `PredFormerBlock`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int,
        in_frames: int,
        out_frames: int,
        *,
        patch_size: int = 8,
        num_layers: int = 24,
        order: Sequence[str] = "tsst",
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, channels=channels, patch_size=patch_size)
        if not order or not set(order) <= set(OVER):
            letters = ", ".join(f"{letter!r} ({over})" for letter, (over, _) in OVER.items())
            raise ValueError(f"order must be made of {letters}, got {order!r}.")

        def block(layer: int, width: int) -> nn.Module:
            over = order[layer % len(order)]
            options: dict[str, Any] = {
                "num_heads": num_heads,
                "mlp_ratio": mlp_ratio,
                "drop": drop,
                "drop_path": drop_path,
            }
            return PredFormerBlock(width, over=over, **options)

        self.cut, self.paste = nn.PixelUnshuffle(patch_size), nn.PixelShuffle(patch_size)
        self.embed = Pointwise(in_channels * patch_size**2, channels)
        self.places = PositionCode()
        self.translator = SequenceTranslator(
            channels,
            channels,
            in_frames,
            out_frames,
            num_layers=num_layers,
            block=block,
            checkpointing=checkpointing,
        )
        self.norm, self.head = nn.LayerNorm(channels), Pointwise(channels, out_channels * patch_size**2)

    def forward(self, past: Tensor) -> Tensor:
        """The future frames."""
        tokens = self.embed(self.cut(past.flatten(0, 1))).unflatten(0, (-1, past.shape[1]))
        tokens = self.translator(self.places(tokens)).flatten(0, 1)
        tokens = self.norm(tokens.movedim(1, -1)).movedim(-1, 1)
        return self.paste(self.head(tokens)).unflatten(0, (past.shape[0], -1))
