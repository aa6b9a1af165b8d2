"""TrajGRU: a GRU whose recurrent links follow trajectories that it learns, not the fixed ones of a convolution."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_odd, check_positive
from ...core.block import Block
from ...core.slot import H, X
from ...ops.deformable import warp
from ..layers import Norm, blend, conv

#: Slope of the leaky ReLU where it is negative.
SLOPE = 0.2


class TrajGRU(Block):
    r"""One step of a trajectory GRU.

    Shi et al., NeurIPS 2017, https://arxiv.org/abs/1706.03458, Sec. 3.3, Eqs. 3 and 4. A small network $\gamma$ finds
    where each of L links comes from, at every position; f is a leaky ReLU:

    $$U_t, V_t = \gamma(X_t, H_{t-1}) \qquad S_l = \mathrm{warp}(H_{t-1}, U_{t,l}, V_{t,l})$$
    $$Z_t = \sigma(W_{xz} * X_t + \textstyle\sum_l W^l_{hz} * S_l) \qquad
      R_t = \sigma(W_{xr} * X_t + \sum_l W^l_{hr} * S_l)$$
    $$H'_t = f(W_{xh} * X_t + R_t \circ (\textstyle\sum_l W^l_{hh} * S_l))$$
    $$H_t = (1 - Z_t) \circ H'_t + Z_t \circ H_{t-1}$$

    The kernels of the links are 1x1: a link reaches as far as its trajectory does. There is no output gate and no cell
    state, so that stages which read one of these (`MotionHighway`, `SE`) need another cell.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `h`.
        kernel_size: Side of the kernel on `x`, odd.
        links: L, 13 in the lower layers of the paper's network for radar and 9 in the top one.
        flow_channels: Channels inside $\gamma$, a convolution of `x` and `h` and one of what it gives.
        flow_kernel_size: Side of both kernels of $\gamma$, odd.
        norm: Channels to a norm, applied to the results of the convolutions of `x` and of the links.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h: `(B, channels, H, W)`; left out, it starts from zeros.
        returns: `h`.

    Raises:
        ValueError: If a kernel is even, or `links` or `flow_channels` is not positive.
    """

    reads = (X, H)
    writes = (H,)
    owns = (H,)

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel_size: int = 3,
        links: int = 13,
        flow_channels: int = 32,
        flow_kernel_size: int = 5,
        norm: Norm | None = None,
    ) -> None:
        super().__init__({X: in_channels, H: channels})
        check_positive(links=links, flow_channels=flow_channels)
        check_odd("flow_kernel_size", flow_kernel_size)
        self.flow = nn.Sequential(
            conv(in_channels + channels, flow_channels, flow_kernel_size, bias=True),
            nn.LeakyReLU(SLOPE),
            conv(flow_channels, 2 * links, flow_kernel_size, bias=True),
        )
        self.conv_x = conv(in_channels, 3 * channels, kernel_size, norm=norm, bias=True)
        self.links = conv(links * channels, 3 * channels, 1, norm=norm, bias=True)

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """`h`."""
        x, h = self.take(x, h)
        flow = self.flow(torch.cat([x, h], dim=1))  # U and V
        x_z, x_r, x_h = self.conv_x(x).chunk(3, dim=1)
        h_z, h_r, h_h = self.links(warp(h, flow)).chunk(3, dim=1)
        z, r = torch.sigmoid(x_z + h_z), torch.sigmoid(x_r + h_r)
        return blend(functional.leaky_relu(x_h + r * h_h, SLOPE), h, z)
