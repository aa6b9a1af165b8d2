"""CrevNet: nothing of a frame is lost on the way to the features and back, and in the layers between."""

from torch import nn

from ..blocks import ReversiblePair, TwoWayDecoder, TwoWayEncoder
from ..borders.checks import check_positive
from ..core import Cell, RecurrentForecaster, RecurrentStack, register_model
from .base import Base, register_base
from .frame import Frame
from .patch_frame import PatchFrame


@register_model(frame=Frame, paper="Yu et al., CrevNet, ICLR 2020")
def crevnet(
    frame: Frame,
    *,
    feature_channels: int = 128,
    num_layers: int = 8,
    patch_size: int = 4,
    couplings: int = 4,
    kernel_size: int = 3,
    forget_bias: float = 1.0,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """CrevNet (paper, Fig. 1, 2): a two-way autoencoder, one set of weights for both ways, and reversible pairs.

    Of 2D convolutions, on one frame at a time; the sizes are ours.

    Args:
        frame: See `Frame`. Other `out_channels` are made of the frame that comes out, by a 1x1 convolution.
        feature_channels: Even, at least `in_channels * patch_size**2`.
        num_layers: Number of pairs, in which the two halves of the features take turns.
        patch_size: Side of the patches that frames are cut into.
        couplings: Number of couplings of the autoencoder.
        kernel_size: See `ReversiblePair`.
        forget_bias: See `ReversiblePair`.
        checkpointing: See `RecurrentForecaster`.

    Raises:
        ValueError: If a number is not positive, or `feature_channels` odd or too few.
    """
    check_positive(num_layers=num_layers, couplings=couplings)
    encoder = TwoWayEncoder(frame.in_channels, feature_channels, patch_size=patch_size, depth=couplings)
    pairs = (
        ReversiblePair(feature_channels, kernel_size=kernel_size, forget_bias=forget_bias) for _ in range(num_layers)
    )
    return RecurrentForecaster(
        encoder,
        RecurrentStack([Cell(pair) for pair in pairs]),
        nn.Sequential(TwoWayDecoder(encoder), frame.readout()),
        size_multiple=patch_size,
        checkpointing=checkpointing,
        in_channels=frame.in_channels,
        out_channels=frame.forecast_channels,
    )


@register_base
def reversible(frame: PatchFrame, *, forget_bias: float = 1.0) -> Base:
    """Layers of reversible pairs, for `hybrid`."""
    return Base(lambda place: [ReversiblePair(place.channels, forget_bias=forget_bias, **place.options)], embed=True)
