"""Sequences changed at random, past and future alike, for training on more than there is."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from .scaler import Scaler
from .sequence import Sequence


def turned(sample: Sequence, generator: Generator) -> Sequence:
    """A sequence flipped at random in H and in W, with H and W swapped at random if they are equal.

    Those are the 8 symmetries of the square, rotations by quarters among them.

    Args:
        sample: Frames `(T, C, H, W)`.
        generator: Draws which.
    """
    rows, columns, swap = torch.randint(2, (3,), generator=generator).bool().tolist()
    flipped = [axis for axis, flip in ((-2, rows), (-1, columns)) if flip]

    def turn(frames: Tensor) -> Tensor:
        frames = frames.flip(flipped)
        return frames.transpose(-2, -1).contiguous() if swap and frames.shape[-2] == frames.shape[-1] else frames

    return _both(sample, turn)


def jittered(sample: Sequence, deviation: float, scaler: Scaler, generator: Generator) -> Sequence:
    """A sequence of radar with one random number added to all its echoes, as if another radar had been calibrated.

    An echo is a value above 0 in model units; it never falls below that. What has no echo stays so, and what is
    missing, too.

    Args:
        sample: Frames `(T, C, H, W)` in model units.
        deviation: Standard deviation of the number, in physical units such as dBZ.
        scaler: From physical to model units.
        generator: Draws the number.
    """
    shift = deviation * float(torch.randn((), generator=generator))

    def move(frames: Tensor) -> Tensor:
        moved = scaler.to_model(scaler.to_physical(frames) + shift)
        return torch.where(frames > 0, moved.clamp_min(0), frames)

    return _both(sample, move)


def _both(sample: Sequence, change: Callable[[Tensor], Tensor]) -> Sequence:
    return Sequence(change(sample.past), change(sample.future))
