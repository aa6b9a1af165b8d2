"""MAU: a cell that looks at its last states for those whose input was like the present one."""

import math

import torch
from torch import Tensor

from ...borders.checks import check_positive
from ...core.block import Block
from ...core.slot import PAST_C, PAST_X, C, H, O, X
from ..layers import Norm, blend, conv


class MAU(Block):
    r"""One step of a motion-aware unit.

    Chang et al., NeurIPS 2021, Sec. 3.1 and 3.2 (letters are ours); the paper's spatial state $S^{k-1}_t$ is the input
    $X_t$ here, $S^k_t$ the output $H_t$, and the temporal state $T_t$ the memory $C_t$. Attention weighs the last
    $\tau$ memories by how much the inputs of their steps are like the present one,

    $$q_i = \mathrm{softmax}_{i = 1 \dots \tau}
    \left( \frac{\langle W_q * X_t, X_{t-i} \rangle}{\sqrt{C H W}} \right) \tag{a}$$
    $$\bar C_t = \sum_i q_i \, C_{t-i} \tag{b}$$

    and what they say of the long run is joined with the last memory to the augmented motion information A:

    $$u = \sigma(W_u * C_{t-1}) \qquad A = u \circ C_{t-1} + (1 - u) \circ \bar C_t \tag{c}$$

    Fusion lets motion and appearance pass into each other, with $[u_c, A_c, A_h] = W_c * A$ and
    $[u_h, X_c, X_h] = W_x * X_t$:

    $$C_t = \sigma(u_c) \circ A_c + (1 - \sigma(u_c)) \circ X_c \tag{d}$$
    $$H_t = \sigma(u_h) \circ X_h + (1 - \sigma(u_h)) \circ A_h + X_t \tag{e}$$

    $C_{t-i}$ in (b) is the memory that the step of $X_{t-i}$ left. Before there have been $\tau$ steps, the missing
    ones are zeros that take part, as released.

    Args:
        channels: Of `x`, `h` and `c`.
        kernel_size: Side of the kernels, odd.
        tau: $\tau$, how many steps back the attention looks.
        residual: Whether (e) ends in $X_t$.
        norm: Channels to a norm, applied to each convolution's result.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W`.
        c: The same; left out, it starts from zeros.
        past_x, past_c: `(B, tau * channels, H, W)`, the last inputs and memories, oldest first; left out, they start
            from zeros.
        returns: `h, c, past_x, past_c, o` as above, `o` the gate $\sigma(u_h)$ for stages that follow.

    Raises:
        ValueError: If `kernel_size` is even, or `tau` is no integer of at least 1.
    """

    reads = (X, C, PAST_X, PAST_C)
    writes = (H, C, PAST_X, PAST_C, O)
    owns = (H, C, PAST_X, PAST_C)
    whole_map = True

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 5,
        tau: int = 5,
        residual: bool = True,
        norm: Norm | None = None,
    ) -> None:
        check_positive(tau=tau)
        super().__init__(dict.fromkeys((X, H, C, O), channels) | dict.fromkeys((PAST_X, PAST_C), tau * channels))
        self.conv_query = conv(channels, channels, kernel_size, norm=norm, bias=True)
        self.conv_gate = conv(channels, channels, kernel_size, norm=norm, bias=True)
        self.conv_c = conv(channels, 3 * channels, kernel_size, norm=norm, bias=True)
        self.conv_x = conv(channels, 3 * channels, kernel_size, norm=norm, bias=True)
        self.tau, self.residual = tau, residual

    def forward(
        self, x: Tensor, c: Tensor | None = None, past_x: Tensor | None = None, past_c: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One step: `h, c, past_x, past_c, o`."""
        x, c, past_x, past_c = self.take(x, c, past_x, past_c)
        keys, values = (past.unflatten(1, (self.tau, -1)) for past in (past_x, past_c))
        query = self.conv_query(x).unsqueeze(1) / math.sqrt(x[0].numel())  # first, as half precision holds no such sum
        weight = (keys * query).sum((2, 3, 4)).softmax(dim=1)[:, :, None, None, None]  # (a)
        trend = (weight * values).sum(dim=1)  # (b)
        motion = blend(trend, c, torch.sigmoid(self.conv_gate(c)))  # (c)
        u_c, a_c, a_h = self.conv_c(motion).chunk(3, dim=1)
        u_h, x_c, x_h = self.conv_x(x).chunk(3, dim=1)
        c, o = blend(x_c, a_c, torch.sigmoid(u_c)), torch.sigmoid(u_h)  # (d)
        h = blend(a_h, x_h, o)  # (e)
        return (h + x if self.residual else h), c, push(past_x, x), push(past_c, c), o


def push(past: Tensor, new: Tensor) -> Tensor:
    """The last maps side by side by channel, oldest first, after a new one came and the oldest went."""
    return torch.cat([past[:, new.shape[1] :], new], dim=1)
