"""PhyCell: a cell that integrates a partial differential equation in time and corrects it by what it sees."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from ...borders.checks import check_odd, check_positive, choose
from ...core.block import Block
from ...core.slot import MOMENT, H, O, P, X
from ..layers import Norm, conv, make_norm, side_by_side


class PhyCell(Block):
    r"""One step of a PhyCell, the physical half of PhyDNet.

    Le Guen and Thome, CVPR 2020, https://arxiv.org/abs/2003.01460, Sec. 3.2 (letters are ours). With $E_t$ the input,
    $w_n$ kernels of side k and $c_n$ the weights of a 1x1 convolution, a step of the equation predicts,

    $$\Phi(H) = \sum_n c_n \, (w_n * H) \qquad \tilde H_t = H_{t-1} + \Phi(H_{t-1}) \tag{a}$$

    and the input corrects, as far as a gain trusts it, which is that of a Kalman filter but learned:

    $$K_t = \tanh(W_h * \tilde H_t + W_e * E_t + b) \tag{b}$$
    $$H_t = \tilde H_t + K_t \circ (E_t - \tilde H_t) \tag{c}$$

    Kernel $w_{ki + j}$ shall take the derivative $\partial^{i+j} / \partial y^i \partial x^j$, i along the rows: its
    `kernel_moments` shall be 1 at (i, j) and 0 elsewhere. How far they are from that is an auxiliary loss, the mean
    square over the $k^2$ kernels and their moments, summed over the input channels of the kernels as released:

    $$L_{moment} = \sum_b \mathrm{mean}_{n, p, q} \, (M(w_n^b)_{pq} - \Delta_{n, pq})^2 \tag{d}$$

    Args:
        in_channels: Channels of `x`. Where they are not `channels`, a 1x1 convolution makes $E_t$ of it.
        channels: Channels of `h`.
        kernel_size: k, odd; or two odd numbers, the kernels' height k and width l, with l in place of k in $w_{ki + j}$
            and k l kernels in place of $k^2$.
        filters: Number of kernels $w_n$; `None` is $k^2$, one for each derivative. More are free, with fewer the
            derivatives of higher order along the rows are missing.
        gain: `"tanh"` is (b); `"sigmoid"` is as released $K_t = \sigma(W_h * H_{t-1} + W_e * E_t + b)$. A gain below 0
            leads away from the input, so that (b) alone bounds nothing; as a plug and a base of `hybrid`, between
            blocks that may multiply what they get, PhyCells have the sigmoid.
        norm: Channels to a norm of the `filters` maps $w_n * H$; with one, $\Phi$ is no longer linear. As released it
            is `partial(nn.GroupNorm, 7)`.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h: `(B, channels, H, W)`; left out, it starts from zeros.
        returns: `h, o` and the loss `(B,)`, `o` the gain for stages that follow.

    Raises:
        ValueError: If `kernel_size` is even, or neither one number nor two, `filters` is no integer of at least 1, or
            `gain` is another word.
    """

    reads = (X, H)
    writes = (H, O, MOMENT)
    owns = (H,)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int | Sequence[int] = 7,
        filters: int | None = None,
        gain: str = "tanh",
        norm: Norm | None = None,
    ) -> None:
        super().__init__({X: in_channels, H: channels, O: channels})
        self.dynamics = Dynamics(channels, kernel_size, filters, norm)
        self.embed = None if in_channels == channels else nn.Conv2d(in_channels, channels, 1)
        self.gate = conv(2 * channels, channels, 3, bias=True)
        self.gain = choose("gain", gain, ("tanh", "sigmoid"))

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """One step: `h, o` and the loss."""
        x, h = self.take(x, h)
        seen = x if self.embed is None else self.embed(x)
        predicted = h + self.dynamics(h)  # (a)
        if self.gain == "tanh":
            k = torch.tanh(self.gate(side_by_side(seen, predicted)))  # (b)
        else:
            k = torch.sigmoid(self.gate(side_by_side(seen, h)))
        h = predicted + k * (seen - predicted)  # (c)
        return h, k, self.dynamics.moment_loss().expand(h.shape[0])  # (d)


class PhyBranch(Block):
    r"""A PhyCell beside whatever cell it stands in: its state is its own, and is added to the hidden state.

    Ours: PhyDNet (the paper of `PhyCell`) adds what its two branches found. This is that sum inside of a layer,
    $H_t + H^p_t$, with $H^p_t$ the state of a `PhyCell` that sees `x`; `Parallel` has it for whole networks.

    Args:
        in_channels: See `PhyCell`.
        channels: Channels of `h` and `p`.
        **options: See `PhyCell`.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h: `(B, channels, H, W)`, from a stage before it.
        p: The same; left out, it starts from zeros.
        returns: `h, p` and the loss `(B,)` of `PhyCell`.

    Raises:
        ValueError: See `PhyCell`.
    """

    reads = (X, H, P)
    writes = (H, P, MOMENT)
    owns = (P,)

    def __init__(self, in_channels: int, channels: int, **options: Any) -> None:
        super().__init__({X: in_channels, H: channels, P: channels})
        self.cell = PhyCell(in_channels, channels, **options)

    def forward(self, x: Tensor, h: Tensor, p: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """`h, p` and the loss."""
        x, h, p = self.take(x, h, p)
        p, _, loss = self.cell(x, p)
        return h + p, p, loss


class Dynamics(nn.Module):
    r"""$\Phi$ of a `PhyCell`: a weighted sum of derivatives.

    Args:
        channels: Of the maps.
        kernel_size: Of the kernels that take the derivatives: see `PhyCell`.
        filters: Number of these: see `PhyCell`.
        norm: `filters` to a norm, or none.
    """

    def __init__(self, channels: int, kernel_size: int | Sequence[int], filters: int | None, norm: Norm | None) -> None:
        super().__init__()
        sides = kernel_size if isinstance(kernel_size, Sequence) else (kernel_size, kernel_size)
        if len(sides) != 2:
            raise ValueError(f"kernel_size must be an odd integer, or two of them, got {kernel_size!r}.")
        for side in sides:
            check_odd("kernel_size", side)
        filters = prod(sides) if filters is None else filters
        check_positive(filters=filters)
        padding = (sides[0] // 2, sides[1] // 2)
        self.derivatives = nn.Conv2d(channels, filters, (sides[0], sides[1]), padding=padding)
        self.norm = None if norm is None else make_norm(norm, filters)
        self.combine = nn.Conv2d(filters, channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        """$\\Phi(H)$."""
        maps = self.derivatives(h)
        return self.combine(maps if self.norm is None else self.norm(maps))

    def moment_loss(self) -> Tensor:
        """(d) of `PhyCell`, a scalar."""
        return moment_loss(self.derivatives.weight)


def moment_loss(kernels: Tensor) -> Tensor:
    """How far kernels are from those of the derivatives that they shall take: (d) of `PhyCell`.

    Args:
        kernels: `(filters, channels, k, l)`; those after the first k l are free.

    Returns:
        A scalar.
    """
    count = kernels.shape[-1] * kernels.shape[-2]
    moments = kernel_moments(kernels[:count]).flatten(2)  # (n, b, pq)
    wanted = torch.eye(len(moments), count, dtype=moments.dtype, device=moments.device).unsqueeze(1)
    return (moments - wanted).square().mean(dim=(0, 2)).sum()


def kernel_moments(kernels: Tensor) -> Tensor:
    r"""What a kernel does to polynomials: how much of each derivative it takes.

    $$M(w)_{pq} = \frac{1}{p! \, q!} \sum_{u, v} u^p v^q \, w_{uv}$$

    with (u, v) the offsets from its middle, rows first. By Taylor's theorem,
    $w * f = \sum_{p, q} M(w)_{pq} \, \partial^{p+q} f / \partial y^p \partial x^q$.

    Args:
        kernels: `(..., k, l)`.

    Returns:
        `(..., k, l)`.
    """
    rows, columns = (moment_matrix(side, kernels) for side in kernels.shape[-2:])
    # no matrix product, which autocast would round
    along_rows = (kernels.unsqueeze(-3) * rows.unsqueeze(-1)).sum(-2)
    return (along_rows.unsqueeze(-2) * columns).sum(-1)


def moment_matrix(side: int, like: Tensor) -> Tensor:
    """`(power, offset)` to $u^p / p!$; offsets from the middle of `side` taps, the left one of two."""
    taps = torch.arange(side, device=like.device, dtype=like.dtype)
    return (taps - (side - 1) // 2) ** taps[:, None] / taps.clamp_min(1).cumprod(0)[:, None]
