"""DMVFN: one frame of the last two, by a voxel flow that blocks refine one after the other."""

from collections.abc import Sequence
from math import lcm

from torch import Tensor, nn

from ...borders.checks import check_positive
from .routing import BETA, RoutingModule
from .voxel_flow import FLOW, VoxelFlowBlock, follow, synthesise


class DMVFN(nn.Module):
    r"""Dynamic multi-scale voxel flow network.

    Hu et al., CVPR 2023, https://arxiv.org/abs/2303.09875. Blocks $B_i$ refine a voxel flow $F = (f, m)$, which starts
    from no motion and both frames alike; each sees the frames as the flow so far moves them. A router chooses, for each
    sample, by which blocks:

    $$F^i = F^{i-1} + v_i \, D^i \qquad
    D^i = B_i(I_0, I_1, \overleftarrow{W}(I_0, f^{i-1}_0), \overleftarrow{W}(I_1, f^{i-1}_1), F^{i-1})$$

    In training every block but the last makes a forecast of $F^{i-1} + D^i$, chosen or not, so that it learns from
    every sample; the last forecast is that of $F^n$. What is not chosen is computed all the same, and multiplied by 0:
    to skip it, the host would have to wait for the device at every block.

    Args:
        in_channels: Of a frame.
        out_channels: Of a forecast, the first of the frames' channels; all of them move along.
        channels: Width of every block, or one for each; see `VoxelFlowBlock`.
        scales: Scale of each block, first to last.
        spatial_channels: See `VoxelFlowBlock`.
        routing: Whether there is a router; without one, every sample goes through all blocks.
        beta: See `RoutingModule`; with `routing` alone.

    Shapes:
        past: `(B, 2, in_channels, H, W)`, `H` and `W` multiples of `size_multiple`.
        returns: A list of forecasts `(B, 1, out_channels, H, W)`: one of each block in training, the last alone in
            evaluation.

    Attributes:
        size_multiple: What H and W must be multiples of: 4 times all scales.

    Raises:
        ValueError: If a number is not positive, there are more forecast channels than past ones, there is no block, or
            `channels` has another length than `scales`, or `beta` is given without `routing`; when called, if `past`
            has another shape.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: int | Sequence[int],
        *,
        scales: Sequence[int] = (4, 4, 4, 2, 2, 2, 1, 1, 1),
        spatial_channels: int = 8,
        routing: bool = True,
        beta: float = BETA,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels)
        if out_channels > in_channels:
            raise ValueError(
                f"out_channels must be at most in_channels={in_channels}, whose first they are, got {out_channels}."
            )
        if not isinstance(scales, Sequence) or not scales:
            raise ValueError(f"scales must be a list with the scale of each block, got {scales!r}; write [2, 1], say.")
        check_positive(**{f"scales[{index}]": scale for index, scale in enumerate(scales)})
        widths = list(channels) if isinstance(channels, Sequence) else [channels] * len(scales)
        if len(widths) != len(scales):
            raise ValueError(f"channels must be one width, or one for each of {len(scales)} scales, got {widths}.")
        if not routing and beta != BETA:
            raise ValueError(f"beta changes nothing without routing; give that, or leave beta out, got {beta!r}.")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.size_multiple = 4 * lcm(*scales)
        self.router = RoutingModule(2 * in_channels, len(scales), beta=beta) if routing else None
        self.blocks = nn.ModuleList(
            VoxelFlowBlock(in_channels, width, scale=scale, spatial_channels=spatial_channels)
            for width, scale in zip(widths, scales, strict=True)
        )

    def forward(self, past: Tensor) -> list[Tensor]:
        """The forecasts, first to last."""
        self._check(past)
        frames = past.flatten(1, 2)
        taken = None if self.router is None else self.router(frames)
        flow, now = frames.new_zeros(past.shape[0], FLOW, *past.shape[-2:]), frames
        forecasts: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            change = block(frames, now, flow)
            last = index == len(self.blocks) - 1
            if taken is not None:
                if self.training and not last:
                    forecasts.append(synthesise(follow(frames, flow + change), flow + change))
                change = taken[:, index].view(-1, 1, 1, 1) * change
            flow = flow + change
            now = follow(frames, flow)
            if last or (self.training and taken is None):
                forecasts.append(synthesise(now, flow))
        return [each[:, : self.out_channels].unsqueeze(1) for each in forecasts]

    def _check(self, past: Tensor) -> None:
        multiple, size = self.size_multiple, past.shape[-2:]
        if past.ndim != 5 or past.shape[1:3] != (2, self.in_channels) or any(side % multiple for side in size):
            raise ValueError(
                f"past must be (B, 2, {self.in_channels}, H, W), H and W multiples of {multiple}, got "
                f"{tuple(past.shape)}."
            )
