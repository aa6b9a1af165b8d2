"""PredNet: levels that pass up what they did not expect, and down what they make of it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...core.block import Block
from ...core.slot import DEPTH, ZIGZAG, C, H, Slot, X
from ..layers import conv, side_by_side
from .convlstm import ConvLSTM


def error_slot(level: int) -> Slot:
    """The error of a level, which its `Representation` finds further up in the same step."""
    return Slot(f"e{level}", f"E_{level}", DEPTH, f"error of level {level}")


def expected_slot(level: int) -> Slot:
    """What a level expects of the next step, which its `PredictionError` finds there."""
    return Slot(f"a{level}", f"A_{level}", ZIGZAG, f"what level {level} expects")


class PredictionError(Block):
    r"""Compares the input of a level with what was expected, and makes of the error the input of the level above.

    Lotter et al. (PredNet), ICLR 2017, https://arxiv.org/abs/1605.08104, Eqs. 1 and 3; with $A^l_t$ the input of level
    l and $\hat A^l_t$ the expectation,

    $$E^l_t = [\mathrm{ReLU}(A^l_t - \hat A^l_t); \mathrm{ReLU}(\hat A^l_t - A^l_t)] \tag{3}$$
    $$A^{l+1}_t = \mathrm{MaxPool}(\mathrm{ReLU}(W * E^l_t)) \tag{1}$$

    the pooling of which is a layer of its own.

    Args:
        channels: Of the input.
        above: Channels of the level above; `None` at the top, where the error itself goes on.
        level: l, counted from 0, the frame.
        kernel_size: Side of the kernel, odd.

    Shapes:
        x, a<level>: `(B, channels, H, W)`; the expectation, left out, is zero.
        returns: `h`, `(B, above, H, W)`, and below the top `e<level>`, `(B, 2 * channels, H, W)`.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    def __init__(self, channels: int, above: int | None, *, level: int = 0, kernel_size: int = 3) -> None:
        error, expected = error_slot(level), expected_slot(level)
        self.reads, self.owns = (X, expected), (expected,)
        self.writes = (H,) if above is None else (H, error)
        widths = {X: channels, expected: channels, H: 2 * channels if above is None else above}
        super().__init__(widths | ({} if above is None else {error: 2 * channels}))
        self.up = None if above is None else conv(2 * channels, above, kernel_size, bias=True)

    def forward(self, x: Tensor, a: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """`h`, and below the top the error."""
        x, a = self.take(x, a)
        e = side_by_side(torch.relu(x - a), torch.relu(a - x))  # (3)
        return e if self.up is None else (torch.relu(self.up(e)), e)  # (1)


class Representation(Block):
    r"""What a level makes of its error and of the level above: a ConvLSTM over both.

    Lotter et al. (PredNet), ICLR 2017, Eq. 4, a step later: the error is that of the frame that has just come, so that
    what is made of it is for the next one.

    $$R^l_{t+1} = \mathrm{ConvLSTM}(E^l_t, R^l_t, \mathrm{Upsample}(R^{l+1}_{t+1})) \tag{4}$$

    Args:
        in_channels: Channels of `x`: $R^{l+1}$, made larger by a layer of its own, or at the top the error.
        channels: Of $R^l$ and of the level's input.
        level: l.
        top: Whether this is the highest level, whose error is `x`.
        kernel_size: Side of the kernels, odd.

    Shapes:
        x: `(B, in_channels, H, W)`.
        e<level>: `(B, 2 * channels, H, W)`, below the top.
        h, c: `(B, channels, H, W)`; left out, they start from zeros.
        returns: `h, c`.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    writes = (H, C)
    owns = (H, C)

    def __init__(
        self, in_channels: int, channels: int, *, level: int = 0, top: bool = False, kernel_size: int = 3
    ) -> None:
        error = {} if top else {error_slot(level): 2 * channels}
        self.reads = (X, *error, H, C)
        super().__init__({X: in_channels, **error, H: channels, C: channels})
        self.lstm = ConvLSTM(in_channels + sum(error.values()), channels, kernel_size=kernel_size, bias=True)

    def forward(self, *given: Tensor | None) -> tuple[Tensor, Tensor]:
        """`h, c`."""
        *seen, h, c = self.take(*given, *[None] * (len(self.reads) - len(given)))
        h, c, _ = self.lstm(side_by_side(*seen), h, c)
        return h, c


class Expectation(Block):
    r"""What a level expects of its next input.

    Lotter et al. (PredNet), ICLR 2017, Eq. 2, where that of the frame, level 0, is cut at 1:

    $$\hat A^l = \mathrm{ReLU}(W * R^l) \tag{2}$$

    Args:
        channels: Of both.
        level: l. At level 0 it is a layer of its own: its input is $R^0$, its output the frame.
        kernel_size: Side of the kernel, odd.

    Shapes:
        x (level 0) or h: `(B, channels, H, W)`.
        returns: `a<level>`, at level 0 `h, a0`, which are equal.

    Raises:
        ValueError: If `kernel_size` is even.
    """

    def __init__(self, channels: int, *, level: int = 0, kernel_size: int = 3) -> None:
        expected = expected_slot(level)
        self.reads, self.writes = ((X,), (H, expected)) if level == 0 else ((H,), (expected,))
        super().__init__(dict.fromkeys((*self.reads, *self.writes), channels))
        self.conv = conv(channels, channels, kernel_size, bias=True)
        self.frame = level == 0

    def forward(self, r: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The expectation, at level 0 twice."""
        (r,) = self.take(r)
        a = torch.relu(self.conv(r))  # (2)
        if not self.frame:
            return a
        a = a.clamp(max=1)
        return a, a


class Halve(nn.MaxPool2d):
    """Half the height and width, by the largest of each 2x2 positions; both must be even."""

    def __init__(self) -> None:
        super().__init__(2)

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """That of the result, from that of the map."""
        return (*shape[:2], *(side // 2 for side in shape[2:]))


class Double(nn.Upsample):
    """Twice the height and width, each position four times."""

    def __init__(self) -> None:
        super().__init__(scale_factor=2, mode="nearest")

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """That of the result, from that of the map."""
        return (*shape[:2], *(2 * side for side in shape[2:]))
