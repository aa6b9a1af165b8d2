"""HorNetBlock: recursive gated convolution."""

from functools import partial

from torch import Tensor, nn

from ...borders.checks import check_positive
from ..layers import Pointwise, depthwise, hidden_channels
from ..starts import start_like_he
from .metaformer import MLP, ChannelNorm, MetaFormerBlock


class HorNetBlock(MetaFormerBlock):
    r"""Block of HorNet: a recursive gated convolution and an MLP in the frame of `MetaFormerBlock`.

    Rao et al., "HorNet: efficient high-order spatial interactions with recursive gated convolutions", NeurIPS 2022,
    with gConv a `RecursiveGatedConv`:

    $$h \leftarrow h + \gamma_1 \circ \mathrm{gConv}(\mathrm{LN}(h)) \qquad
    h \leftarrow h + \gamma_2 \circ \mathrm{MLP}(\mathrm{LN}(h))$$

    Args:
        channels: Of the map, at least `2 ** (order - 1)`.
        order: Of the interactions: how often positions meet in a product.
        kernel_size: Side of the depth-wise kernel, odd.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `channels` is below 2^(order - 1), `mlp_ratio` leaves no hidden channel, or a rate is not
            in [0, 1).
    """

    def __init__(
        self,
        channels: int,
        *,
        order: int = 4,
        kernel_size: int = 7,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__(
            channels,
            RecursiveGatedConv(channels, order, kernel_size),
            MLP(channels, hidden_channels(channels, mlp_ratio)),
            norm=partial(ChannelNorm, eps=1e-6),
            scale=1e-6,
            drop_path=drop_path,
        )
        start_like_he(self.mixer)


class RecursiveGatedConv(nn.Module):
    r"""Products of ever more depth-wise convolutions, of ever more channels.

    $$[p_0, q_0, \ldots, q_{n-1}] = \phi_{in}(x) \qquad p_{k+1} = f_k(q_k) \circ g_k(p_k) \qquad y = \phi_{out}(p_n)$$

    with 1x1 convolutions $\phi$ and $g_k$ ($g_0$ is the identity), and depth-wise ones $f_k$. $q_k$ has $2^{k - n + 1}$
    times the channels of the map.
    """

    def __init__(self, channels: int, order: int, kernel_size: int) -> None:
        super().__init__()
        check_positive(channels=channels, order=order)
        if channels < 2 ** (order - 1):
            raise ValueError(f"channels must be at least {2 ** (order - 1)} for order={order}, got {channels}.")
        self.widths = [channels // 2**k for k in reversed(range(order))]
        self.enter = Pointwise(channels, self.widths[0] + sum(self.widths))
        self.local = depthwise(sum(self.widths), kernel_size)
        self.widen = nn.ModuleList(
            Pointwise(below, above) for below, above in zip(self.widths, self.widths[1:], strict=False)
        )
        self.leave = Pointwise(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        p, q = self.enter(maps).split([self.widths[0], sum(self.widths)], dim=1)
        first, *others = self.local(q).split(self.widths, dim=1)
        p = p * first
        for widen, factor in zip(self.widen, others, strict=True):
            p = widen(p) * factor
        return self.leave(p)
