"""PredFormer: attention alone, between patches of all frames."""

from ..blocks import PredFormer
from ..core import SequenceForecaster, register_model
from .frame import Frame


@register_model(frame=Frame, paper="Tang et al., PredFormer, 2024", dataset="Moving MNIST")
def predformer(
    frame: Frame,
    *,
    in_frames: int = 10,
    out_frames: int = 10,
    channels: int = 256,
    patch_size: int = 8,
    num_layers: int = 24,
    order: str = "tsst",
    num_heads: int = 8,
    mlp_ratio: float = 4.0,
    drop: float = 0.0,
    drop_path: float = 0.0,
    checkpointing: bool = False,
) -> SequenceForecaster:
    """PredFormer, by default Quadruplet-TSST for Moving MNIST; for TaxiBJ it is `patch_size=4, num_layers=9,
    order="sts", drop=0.1, drop_path=0.1`, with `in_channels=2, image_size=(32, 32), in_frames=4, out_frames=4`.

    Args:
        frame: See `Frame`.
        in_frames: Past frames.
        out_frames: Frames forecast at once; as many in the paper.
        channels: See `PredFormer`.
        patch_size: See `PredFormer`.
        num_layers: See `PredFormer`.
        order: See `PredFormer`.
        num_heads: See `PredFormer`.
        mlp_ratio: See `PredFormer`.
        drop: See `PredFormer`.
        drop_path: See `PredFormer`.
        checkpointing: See `PredFormer`.
    """
    network = PredFormer(
        frame.in_channels,
        frame.forecast_channels,
        channels,
        in_frames,
        out_frames,
        patch_size=patch_size,
        num_layers=num_layers,
        order=order,
        num_heads=num_heads,
        mlp_ratio=mlp_ratio,
        drop=drop,
        drop_path=drop_path,
        checkpointing=checkpointing,
    )
    return SequenceForecaster(
        network,
        in_frames,
        out_frames,
        size_multiple=patch_size,
        in_channels=frame.in_channels,
        out_channels=frame.forecast_channels,
    )
