"""WaST: wavelets down and up, and large kernels between."""

from collections.abc import Sequence

from ..blocks import WaST
from ..core import SequenceForecaster, register_model
from .frame import Frame


@register_model(frame=Frame, paper="Nie et al., WaST, AAAI 2024", dataset="TaxiBJ", parameters=5_131_222)
def wast(
    frame: Frame,
    *,
    in_frames: int = 4,
    channels: int = 20,
    depths: Sequence[int] = (2, 8, 2),
    large_kernels: Sequence[int] = (51, 21),
    mlp_ratio: float = 4.0,
    drop_path: float = 0.1,
    keep: str = "time",
) -> SequenceForecaster:
    """WaST of one level; as many frames are forecast at once as are given. Defaults are those for TaxiBJ, with
    `in_channels=2, image_size=(32, 32)`.

    Args:
        frame: See `Frame`.
        in_frames: Past frames, and those forecast at once.
        channels: See `WaST`.
        depths: See `WaST`.
        large_kernels: See `WaST`.
        mlp_ratio: See `WaST`.
        drop_path: See `WaST`.
        keep: See `WaST`.
    """
    network = WaST(
        frame.in_channels,
        frame.forecast_channels,
        channels,
        in_frames,
        depths=depths,
        large_kernels=large_kernels,
        mlp_ratio=mlp_ratio,
        drop_path=drop_path,
        keep=keep,
    )
    return SequenceForecaster(
        network,
        in_frames,
        in_frames,
        size_multiple=2,
        in_channels=frame.in_channels,
        out_channels=frame.forecast_channels,
    )
