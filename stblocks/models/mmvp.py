"""MMVP: motion matrices, and what they move."""

from collections.abc import Sequence
from math import prod

from ..blocks import MMVP
from ..core import SequenceForecaster, register_model
from .frame import Frame


@register_model(frame=Frame, paper="Zhong et al., MMVP, ICCV 2023", dataset="Moving MNIST", parameters=14_119_749)
def mmvp(
    frame: Frame,
    *,
    in_frames: int = 10,
    out_frames: int = 10,
    channels: int = 32,
    matrix_channels: int = 192,
    depths: Sequence[int] = (2, 2, 2),
    factors: Sequence[int] = (2, 2, 2),
    weights: str = "matrix",
    scrambled: bool = False,
) -> SequenceForecaster:
    """MMVP. The released 14.829 M parameters for Moving MNIST count 0.709 M that never take part: not created here.

    Args:
        frame: See `Frame`.
        in_frames: See `MMVP`.
        out_frames: See `MMVP`.
        channels: See `MMVP`.
        matrix_channels: See `MMVP`.
        depths: See `MMVP`.
        factors: See `MMVP`.
        weights: See `MMVP`.
        scrambled: See `MMVP`.
    """
    network = MMVP(
        frame.in_channels,
        frame.forecast_channels,
        channels,
        matrix_channels,
        in_frames,
        out_frames,
        depths=depths,
        factors=factors,
        weights=weights,
        scrambled=scrambled,
    )
    return SequenceForecaster(
        network,
        in_frames,
        out_frames,
        size_multiple=2 * prod(factors),
        in_channels=frame.in_channels,
        out_channels=frame.forecast_channels,
    )
