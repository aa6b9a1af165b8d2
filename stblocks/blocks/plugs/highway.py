"""The motion highway of MotionRNN: an unblocked path from the frame through all layers of a step."""

from torch import Tensor, nn

from ...core.block import Block
from ...core.slot import H, O, X, Z


class HighwayEntry(Block):
    r"""Makes the motion highway afresh from the bottom layer's input: $Z_t = W_{1 \times 1} * X_t$.

    Wu et al. (MotionRNN), CVPR 2021, https://arxiv.org/abs/2103.02243, Sec. 3.3. First stage of the bottom cell.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `z`.

    Shapes:
        x: `(B, in_channels, H, W)`.
        returns: `z`, `(B, channels, H, W)`.
    """

    reads = (X,)
    writes = (Z,)

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__({X: in_channels, Z: channels})
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`z` from `x`."""
        (x,) = self.take(x)
        return self.conv(x)


class MotionHighway(Block):
    r"""Adds what the output gate held back, from the layer below: $Z_t = H_t = H_t + (1 - o_t) \circ Z_t$.

    Wu et al. (MotionRNN), CVPR 2021, Eq. 7; in GMG it stands after SAM. It has no parameters and takes any width.

    Shapes:
        h, o, z: `(B, C, H, W)`.
        returns: `h, z`, which are equal.
    """

    reads = (H, O, Z)
    writes = (H, Z)
    alike = (H, O, Z)

    def __init__(self) -> None:
        super().__init__({})

    def forward(self, h: Tensor, o: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """`h, z`."""
        h, o, z = self.take(h, o, z)
        h = h + z - o * z
        return h, h
