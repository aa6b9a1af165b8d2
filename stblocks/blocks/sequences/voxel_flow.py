"""Voxel flow: where each pixel of a frame to come lies in the two frames before it, and how these are mixed."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_positive
from ...ops.deformable import warp
from ..layers import blend

#: Channels of a voxel flow: rows and columns for the older frame, the same for the newer one, and the mask.
FLOW = 5


def follow(frames: Tensor, flow: Tensor) -> Tensor:
    """Both frames read along their flows, `(B, 2 C, H, W)` to the same; beyond the border, it is repeated."""
    pairs = zip(frames.chunk(2, dim=1), flow[:, :4].chunk(2, dim=1), strict=True)
    return torch.cat([warp(frame, each, padding="border") for frame, each in pairs], dim=1)


def synthesise(moved: Tensor, flow: Tensor) -> Tensor:
    """The frame that two moved ones make, `(B, 2 C, H, W)` to `(B, C, H, W)`: the older one where the mask says so."""
    older, newer = moved.chunk(2, dim=1)
    return blend(newer, older, flow[:, 4:].sigmoid())


class VoxelFlowBlock(nn.Module):
    r"""Refines a voxel flow: the multi-scale voxel flow block (MVFB) of DMVFN.

    Hu et al., CVPR 2023, https://arxiv.org/abs/2303.09875, Fig. 2 (a) and (c). A voxel flow $(f, m)$ says of every
    pixel of the frame to come where it lies in each of the two frames $I_0$ and $I_1$, and how these are mixed:

    $$\hat I = \sigma(m) \circ \overleftarrow{W}(I_0, f_0) + (1 - \sigma(m)) \circ \overleftarrow{W}(I_1, f_1)$$

    A motion path sees the frames at 1/S of their size, so that its kernels reach S times as far, and a narrow spatial
    path sees them as they are, which keeps edges sharp. Both end at half size; a transposed convolution of each, in
    sum, is what is added to the voxel flow. Layers and kernels are as released.

    Args:
        in_channels: C, of one frame.
        channels: Of the motion path, a multiple of 4.
        scale: S.
        spatial_channels: Of the spatial path.

    Shapes:
        frames: The older and the newer frame, `(B, 2 C, H, W)`, `H` and `W` multiples of `4 * scale`.
        moved: Both as the flow has them so far, the same.
        flow: `(B, 5, H, W)`, in pixels: row and column displacement for the older frame, the same for the newer one,
            then $m$.
        returns: What is to be added to the flow, `(B, 5, H, W)`.

    Raises:
        ValueError: If a number is not positive, or `channels` is no multiple of 4.
    """

    def __init__(self, in_channels: int, channels: int, *, scale: int = 1, spatial_channels: int = 8) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels, scale=scale, spatial_channels=spatial_channels)
        if channels % 4:
            raise ValueError(
                f"channels must be a multiple of 4, since the motion path ends in a quarter, got {channels}."
            )
        self.scale, seen = scale, 4 * in_channels + FLOW
        self.down = nn.Sequential(_conv(seen, channels // 2, stride=2), _conv(channels // 2, channels, stride=2))
        self.motion = nn.Sequential(*(_conv(channels, channels) for _ in range(3)))
        self.squeeze = _conv(channels, channels // 4)
        self.spatial = nn.Sequential(_conv(seen, spatial_channels, stride=2), _conv(spatial_channels, spatial_channels))
        self.leave = nn.ConvTranspose2d(channels // 4 + spatial_channels, FLOW, 4, stride=2, padding=1)

    def forward(self, frames: Tensor, moved: Tensor, flow: Tensor) -> Tensor:
        """The refinement of `flow`."""
        # A displacement is as many pixels fewer as there are fewer of them; the mask has no unit.
        coarse = torch.cat([frames, moved, flow[:, :4] / self.scale, flow[:, 4:]], dim=1)
        if self.scale > 1:
            size = [side // self.scale for side in coarse.shape[-2:]]
            coarse = functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
        coarse = self.down(coarse)
        motion = self.squeeze(coarse + self.motion(coarse))
        spatial = self.spatial(torch.cat([frames, moved, flow], dim=1))
        motion = functional.interpolate(motion, size=spatial.shape[-2:], mode="bilinear", align_corners=False)
        return self.leave(torch.cat([motion, spatial], dim=1))


def _conv(in_channels: int, channels: int, *, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution and a PReLU with a slope for each channel."""
    return nn.Sequential(nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1), nn.PReLU(channels))
