"""TAU: the temporal attention unit."""

from torch import Tensor, nn

from ..layers import Pointwise
from .gsta import LargeKernel
from .mixing import Mixing


class TAU(Mixing):
    r"""Temporal attention unit: where to look, times what changes, on the map itself.

    $$SA = W_{1 \times 1} * (\mathrm{DW\text{-}D} * (\mathrm{DW} * H))$$
    $$DA = \sigma(\mathrm{FC}(\mathrm{AvgPool}(H))) \qquad H' = (SA \otimes DA) \circ H$$

    inside the frame of `Mixing`; SA is the static attention, DA the dynamic one, one weight for each channel. As in
    Tan et al., "Temporal Attention Unit", CVPR 2023. It starts like GSTA.

    Args:
        channels: Of the map; time lies in them.
        kernel_size: Side of the convolution that the static attention imitates.
        dilation: Of its second convolution.
        mlp_ratio: See `Mixing`.
        drop: See `Mixing`.
        drop_path: See `Mixing`.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `channels` is below 4, `dilation` is not from 1 to `kernel_size`, `mlp_ratio` leaves no hidden
            channel, or a rate is not in [0, 1).
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 21,
        dilation: int = 3,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__(
            channels,
            TemporalAttention(channels, kernel_size, dilation),
            mlp_ratio=mlp_ratio,
            drop=drop,
            drop_path=drop_path,
        )


class TemporalAttention(nn.Module):
    """Static times dynamic attention, on the map."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        squeezed = channels // max(channels // 16, 4)  # as released: a quarter below 80 channels, about 16 above
        if squeezed < 1:
            raise ValueError(f"channels must be at least 4, to be squeezed for the dynamic attention, got {channels}.")
        self.large = LargeKernel(channels, kernel_size, dilation)
        self.static = Pointwise(channels, channels)
        self.dynamic = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            Pointwise(channels, squeezed, bias=False),
            nn.ReLU(),
            Pointwise(squeezed, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        return self.static(self.large(maps)) * self.dynamic(maps) * maps
