"""SS2D: the two-dimensional selective scan, which carries a state over the map in several directions."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_positive, check_ratio, choose
from ...ops.selective_scan import selective_scan
from ..layers import Pointwise, conv, depthwise
from .gsta import LargeKernel
from .map_block import MapBlock

#: Orders in which a map can be read: along its rows, along its columns, and both from the last position to the first.
DIRECTIONS = ("rows", "columns", "rows_reversed", "columns_reversed")


class SS2D(MapBlock):
    r"""2-D selective scan.

    VMRNN paper, Sec. 3.3, after VMamba (Liu et al., 2024, https://arxiv.org/abs/2401.10166). Of D = `expand * channels`
    inner channels, with $\odot$ the Hadamard product,

    $$[z, g] = W_{in} h \qquad z \leftarrow \mathrm{SiLU}(W_{dw} * z)$$
    $$z_v = \mathrm{expand}(z, v) \qquad \bar z_v = \mathrm{S6}(z_v) \qquad
      \bar z = \mathrm{merge}(\bar z_1, \dots, \bar z_V) \tag{7, 8, 9}$$
    $$h \leftarrow W_{out} (\mathrm{LN}(\bar z) \odot \mathrm{SiLU}(g))$$

    where expand reads the map as a sequence in direction v and merge puts the sequences back and adds them. S6 has, for
    each direction, its own weights and, for each inner channel, a state of N = `state_dim` numbers:

    $$[\delta_l, B_l, C_l] = W_x z_l \qquad \Delta_l = \mathrm{softplus}(W_\Delta \delta_l + b_\Delta)$$
    $$s_l = e^{\Delta_l A} \odot s_{l-1} + \Delta_l B_l z_l \qquad \bar z_l = C_l^\top s_l + d \, z_l$$

    All directions are groups of one call of `selective_scan`. $A = -e^{A_{log}}$ starts as -1, ..., -N in every
    channel (S4D-real), d as 1, and $\Delta$ near numbers between 0.001 and 0.1, spread evenly on a logarithmic scale.

    Args:
        channels: Of the map.
        state_dim: N.
        expand: Inner channels for each channel.
        kernel_size: Side of the depth-wise kernel $W_{dw}$, odd.
        convolution: What $W_{dw}$ is, as in Table 6 of the VMRNN paper: `"depthwise"`; `"full"`, of all channels
            (Conv2d there); or `"large"`, in three parts that see as far as SimVPv2's (DW-DW-D-1x1 there; see
            `LargeKernel`), whose sides `kernel_size` does not set.
        dt_rank: Length of $\delta_l$; `"auto"` is a sixteenth of `channels`, rounded up.
        directions: Any of `"rows"`, `"columns"`, `"rows_reversed"`, `"columns_reversed"`, each once. The paper speaks
            of the four corners; its code has these four, which start at two of them.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If a number is not positive, `dt_rank` is another word than "auto", `convolution` is unknown or does
            not take a `kernel_size`, or a direction is unknown or there twice.
    """

    whole_map = True

    def __init__(
        self,
        channels: int,
        *,
        state_dim: int = 16,
        expand: float = 2,
        kernel_size: int = 3,
        convolution: str = "depthwise",
        dt_rank: int | str = "auto",
        directions: Sequence[str] = DIRECTIONS,
    ) -> None:
        super().__init__(channels)
        if isinstance(directions, str) or not directions or len(set(directions)) < len(directions):
            raise ValueError(f"directions must be some of {', '.join(DIRECTIONS)}, each once, got {directions!r}.")
        self.directions = tuple(choose("directions", direction, DIRECTIONS) for direction in directions)
        check_ratio("expand", expand)
        inner, ways = int(expand * channels), len(self.directions)
        if isinstance(dt_rank, str):
            choose("dt_rank", dt_rank, ("auto",))
        rank = math.ceil(channels / 16) if isinstance(dt_rank, str) else dt_rank
        check_positive(**{"state_dim": state_dim, "dt_rank": rank, "expand * channels": inner})
        self.sizes = (rank, state_dim, state_dim)
        self.in_proj = Pointwise(channels, 2 * inner, bias=False)
        self.conv = _convolution(inner, convolution, kernel_size)
        self.x_proj = nn.Parameter(_uniform(ways, sum(self.sizes), inner, bound=inner**-0.5))
        self.dt_proj = nn.Parameter(_uniform(ways, inner, rank, bound=rank**-0.5))
        self.dt_bias = nn.Parameter(_inverse_softplus(_log_uniform(ways, inner, low=1e-3, high=1e-1)))
        self.A_log = nn.Parameter(torch.arange(1.0, state_dim + 1).log().repeat(ways * inner, 1))
        self.D = nn.Parameter(torch.ones(ways * inner))
        self.norm = nn.LayerNorm(inner)
        self.out_proj = Pointwise(inner, channels, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, each position having heard of all that come before it in one of the directions."""
        (h,) = self.take(h)
        z, gate = self.in_proj(h).chunk(2, dim=1)
        z = self.norm(self._scan(functional.silu(self.conv(z))))
        return self.out_proj(z.movedim(-1, 1) * functional.silu(gate))

    def _scan(self, z: Tensor) -> Tensor:
        """Equations 7 to 9: `(B, D, H, W)` to `(B, H, W, D)`."""
        # W_x looks at each position alone, so that one product serves all directions and is put in order afterwards
        selection = functional.conv2d(z, self.x_proj.flatten(0, 1)[:, :, None, None]).movedim(1, -1)
        selections, z = selection.chunk(len(self.directions), dim=-1), z.movedim(1, -1)
        u = torch.stack([_expand(z, v) for v in self.directions], dim=2)  # (7): (B, L, V, D)
        ordered = [_expand(each, v) for each, v in zip(selections, self.directions, strict=True)]
        dt, b, c = torch.stack(ordered, dim=2).split(self.sizes, dim=-1)
        delta = torch.einsum("blvr,vdr->blvd", dt, self.dt_proj)
        y: Any = selective_scan(  # (8); channels are last in memory, as the scan reads them fastest
            u.flatten(2).mT,
            delta.flatten(2).mT,
            -torch.exp(self.A_log),
            b.movedim(1, -1),
            c.movedim(1, -1),
            self.D,
            delta_bias=self.dt_bias.flatten(),
            reverse=[direction.endswith("reversed") for direction in self.directions],
        )
        parts = list(zip(self.directions, y.mT.chunk(len(self.directions), dim=-1), strict=True))
        merged = []
        for axis in ("rows", "columns"):  # a direction and its reverse lie alike in memory
            alike = [part for v, part in parts if v.startswith(axis)]
            if alike:
                merged.append(_merge(sum(alike[1:], alike[0]), axis, *z.shape[1:3]))
        return sum(merged[1:], merged[0])  # (9)


def _convolution(channels: int, kind: str, kernel_size: int) -> nn.Module:
    """The convolution before the scan; see `SS2D`."""
    if choose("convolution", kind, ("depthwise", "full", "large")) == "large":
        if kernel_size != 3:
            raise ValueError(f'kernel_size must be left out with convolution="large", got {kernel_size}.')
        return nn.Sequential(LargeKernel(channels, 21, 3), Pointwise(channels, channels))
    if kind == "full":
        return conv(channels, channels, kernel_size, bias=True)
    return depthwise(channels, kernel_size)


def _expand(maps: Tensor, direction: str) -> Tensor:
    """`(B, H, W, C)` to the sequence of its positions `(B, H W, C)`, which a reversed scan reads from its end."""
    return (maps.transpose(1, 2) if direction.startswith("columns") else maps).flatten(1, 2)


def _merge(sequence: Tensor, direction: str, height: int, width: int) -> Tensor:
    """The inverse of `_expand`."""
    if direction.startswith("columns"):
        return sequence.unflatten(1, (width, height)).transpose(1, 2)
    return sequence.unflatten(1, (height, width))


def _uniform(*shape: int, bound: float) -> Tensor:
    return torch.empty(shape).uniform_(-bound, bound)


def _log_uniform(*shape: int, low: float, high: float) -> Tensor:
    return torch.empty(shape).uniform_(math.log(low), math.log(high)).exp()


def _inverse_softplus(value: Tensor) -> Tensor:
    return value + torch.log(-torch.expm1(-value))
