"""PhyDNet: a physical branch and one that learns the rest, side by side."""

from collections.abc import Sequence
from functools import partial

from torch import nn

from ..blocks import ConvLSTM, DCGANDecoder, DCGANEncoder, DCGANUnit, PhyCell
from ..borders.checks import check_each_positive, check_odd, check_positive
from ..core import Cell, Parallel, RecurrentForecaster, RecurrentStack, register_model
from .base import Base, register_base
from .frame import Frame
from .patch_frame import PatchFrame


@register_model(
    frame=Frame,
    paper="Le Guen and Thome, PhyDNet, CVPR 2020",
    dataset="Moving MNIST",
    parameters=3_091_634,
    flops=15.3e9,
)
def phydnet(
    frame: Frame,
    *,
    channels: int = 64,
    hidden_channels: Sequence[int] | None = None,
    patch_size: int = 4,
    kernel_size: int = 7,
    gain: str = "tanh",
    derivative_groups: int | None = None,
    groups: int = 16,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """PhyDNet (paper, Fig. 2, 3), for frames in [0, 1], as the last layer is a sigmoid.

    An encoder, then a `PhyCell` and a stack of ConvLSTMs in `Parallel`, each between two convolutions of its own, then
    a decoder of their sum. The distance of the PhyCell's kernels from those of derivatives is
    `rollout(...).aux["moment"]`.

    Args:
        frame: See `Frame`.
        channels: Of the features that both branches get and make.
        hidden_channels: Of each ConvLSTM, bottom to top, the last as wide as the features; `None` is twice, twice and
            once the `channels`.
        patch_size: 1, 2, 4 or 8 pixels, which one position of the features stands for.
        kernel_size: Side of the PhyCell's kernels, of which there is one for each derivative.
        gain: See `PhyCell`; `"sigmoid"` as released.
        derivative_groups: Groups of a norm of the derivatives; 7 as released.
        groups: Of the norms in encoder and decoder, and in the convolutions before and after each branch.
        checkpointing: See `RecurrentForecaster`.

    Raises:
        ValueError: If the last of `hidden_channels` is not `channels`, `channels` is odd or `groups` does not divide
            it, `derivative_groups` does not divide the number of derivatives, `patch_size` is another number, a kernel
            is even, or `gain` is another word.
    """
    hidden = [2 * channels, 2 * channels, channels] if hidden_channels is None else hidden_channels
    check_each_positive("hidden_channels", hidden)
    if not hidden or hidden[-1] != channels:
        raise ValueError(f"hidden_channels must end in channels={channels}, as both branches are added, got {hidden}.")
    check_odd("kernel_size", kernel_size)
    if derivative_groups is not None:
        check_positive(derivative_groups=derivative_groups)
        if kernel_size**2 % derivative_groups:
            raise ValueError(
                f"derivative_groups must be a divisor of the {kernel_size**2} derivatives of a kernel of side "
                f"{kernel_size}, got {derivative_groups}."
            )
    norm = None if derivative_groups is None else partial(nn.GroupNorm, derivative_groups)
    physics = PhyCell(channels, channels, kernel_size=kernel_size, gain=gain, norm=norm)
    widths = zip([channels, *hidden], hidden, strict=False)
    rest = [ConvLSTM(below, width, kernel_size=3, bias=True) for below, width in widths]

    def branch(*blocks: PhyCell | ConvLSTM) -> RecurrentStack:
        ends = [DCGANUnit(channels, channels, groups=groups, up=up) for up in (False, False, True, True)]
        return RecurrentStack([*ends[:2], *(Cell(block) for block in blocks), *ends[2:]])

    model = RecurrentForecaster(
        DCGANEncoder(frame.in_channels, channels, patch_size=patch_size, groups=groups),
        RecurrentStack([Parallel(branch(physics), branch(*rest))]),
        nn.Sequential(
            DCGANDecoder(channels, frame.forecast_channels, patch_size=patch_size, groups=groups), nn.Sigmoid()
        ),
        size_multiple=patch_size,
        checkpointing=checkpointing,
        in_channels=frame.in_channels,
        out_channels=frame.forecast_channels,
    )
    model.output_range = (0.0, 1.0)
    return model


@register_base
def phycell(frame: PatchFrame) -> Base:
    """Layers of PhyCells, for `hybrid`: as `base=`, or `beside=` another one; with the gain that stays above 0."""
    return Base(lambda place: [PhyCell(place.in_channels, place.channels, gain="sigmoid", **place.options)])
