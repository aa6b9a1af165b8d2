"""PredNet: up through the levels go errors, down come representations; a stack in the shape of a U."""

from collections.abc import Sequence

from torch import nn

from ..blocks.recurrent.prednet import Double, Expectation, Halve, PredictionError, Representation
from ..borders.checks import check_each_positive
from ..core import Cell, RecurrentForecaster, RecurrentStack, register_model
from .frame import Frame


@register_model(frame=Frame, paper="Lotter et al., PredNet, ICLR 2017")
def prednet(
    frame: Frame,
    *,
    widths: Sequence[int] = (48, 96, 192),
    kernel_size: int = 3,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """PredNet (paper, Fig. 1, Algorithm 1), for frames in [0, 1], as what it expects is cut at these.

    A step takes a frame, compares it with what was expected, level by level, and then makes from the top down what is
    expected next, which is the forecast. The paper's loss is `Objective(l1=1, l2=0)`, that of the lowest level.

    Args:
        frame: See `Frame`. Other `out_channels` are made of the frame that is expected, by a 1x1 convolution.
        widths: Channels of each level above the frame, bottom to top.
        kernel_size: Side of the kernels.
        checkpointing: See `RecurrentForecaster`.

    Raises:
        ValueError: If a number is not positive, or there is no level above the frame.
    """
    check_each_positive("widths", widths)
    if not widths:
        raise ValueError("widths must hold the channels of one level at least, got none.")
    levels, top = [frame.in_channels, *widths], len(widths)
    layers: list[nn.Module] = []
    for level, (width, above) in enumerate(zip(levels, [*levels[1:], None], strict=True)):
        layers.append(Cell(PredictionError(width, above, level=level, kernel_size=kernel_size)))
        layers += [] if above is None else [Halve()]
    for level in reversed(range(top + 1)):
        width, below = levels[level], 2 * levels[top] if level == top else levels[level + 1]
        layers += [] if level == top else [Double()]
        stages = [Representation(below, width, level=level, top=level == top, kernel_size=kernel_size)]
        expectation = Expectation(width, level=level, kernel_size=kernel_size)
        layers += [Cell(*stages, expectation)] if level else [Cell(*stages), Cell(expectation)]
    readout = frame.readout()
    model = RecurrentForecaster(
        nn.Identity(),
        RecurrentStack(layers),
        readout,
        size_multiple=2**top,
        checkpointing=checkpointing,
        in_channels=frame.in_channels,
        out_channels=frame.forecast_channels,
    )
    if isinstance(readout, nn.Identity):  # the frame is what is expected, which is cut
        model.output_range = (0.0, 1.0)
    return model
