"""DMVFN: a voxel flow, refined from coarse to fine."""

from collections.abc import Sequence

from ..blocks import DMVFN
from ..core import SequenceForecaster, register_model
from .frame import Frame


@register_model(frame=Frame, paper="Hu et al., DMVFN, CVPR 2023", dataset="TaxiBJ", parameters=3_541_426)
def dmvfn(
    frame: Frame,
    *,
    channels: int | Sequence[int] = (160, 160, 160, 80, 80, 80, 44, 44, 44),
    scales: Sequence[int] = (4, 4, 4, 2, 2, 2, 1, 1, 1),
    spatial_channels: int = 8,
    routing: bool = True,
    beta: float = 0.5,
) -> SequenceForecaster:
    """DMVFN: one frame of the last two, and longer horizons from its own forecasts, frame by frame.

    Args:
        frame: See `Frame`; `out_channels` are the first of the past ones.
        channels: See `DMVFN`.
        scales: See `DMVFN`.
        spatial_channels: See `DMVFN`.
        routing: See `DMVFN`.
        beta: See `DMVFN`; with `routing` alone.
    """
    network = DMVFN(
        frame.in_channels,
        frame.forecast_channels,
        channels,
        scales=scales,
        spatial_channels=spatial_channels,
        routing=routing,
        beta=beta,
    )
    return SequenceForecaster(
        network,
        2,
        1,
        size_multiple=network.size_multiple,
        in_channels=frame.in_channels,
        out_channels=frame.forecast_channels,
    )
