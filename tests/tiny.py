"""A forecaster of 11 weights and data it can learn, so that whole runs take a fraction of a second."""

from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from stblocks.core import Rollout
from stblocks.data import Scaler, Sequence
from stblocks.train import Objective, TrainConfig, TrainResult, fit

#: The module, whose name its function has in the package.
FIT = import_module("stblocks.train.fit")


class Tiny(nn.Module):
    """The next frame is a convolution of this one, under dropout, times a gain."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.blur, self.drop = nn.Conv2d(1, 1, 3, padding=1), nn.Dropout(dropout)
        self.gain = nn.Parameter(torch.ones(1))

    def rollout(
        self, past: Tensor, horizon: int, future: Tensor | None = None, teacher_mask: Tensor | None = None
    ) -> Rollout:
        length = past.shape[1]
        truth = past if future is None else torch.cat([past, future], dim=1)
        if teacher_mask is None:
            teacher_mask = (torch.arange(length + horizon - 1) < length).expand(len(past), -1)
        frame, frames = past[:, 0], []
        for t in range(length + horizon - 1):
            if teacher_mask[:, t].any():
                frame = torch.where(teacher_mask[:, t].view(-1, 1, 1, 1), truth[:, t], frame)
            frame = self.gain * self.drop(self.blur(frame))
            frames.append(frame)
        return Rollout(torch.stack(frames, dim=1), 1, {}, None)

    def forward(self, past: Tensor, horizon: int) -> Tensor:
        return self.rollout(past, horizon).frames[:, past.shape[1] - 1 :]


class Drifting(Dataset[Sequence]):
    """Noise that moves by a pixel and fades by a tenth with each of 3 + 2 frames; tests may overwrite `frames`."""

    in_frames, out_frames, frame_shape = 3, 2, (1, 8, 8)
    scaler = Scaler()

    def __init__(self, length: int = 9, seed: int = 0) -> None:
        first = torch.rand(length, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
        self.frames = torch.stack([0.9**t * first.roll(t, dims=-1) for t in range(5)], dim=1)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sequence:
        return Sequence(*self.frames[index].split([self.in_frames, self.out_frames]))


#: Sequences that are read before the first batch: 1 for the checks, 1 for what the model knows of its data, and 5 for
#: the identity of the run; and of the validation data, for checks, whether it can be scored, and identity.
SET_UP = {"data": 7, "validation": 7}

#: Two epochs of two steps; a ninth sequence is left over in each.
SMALL: dict[str, Any] = {"epochs": 2, "batch_size": 4, "lr": 0.05}


def tiny(dropout: float = 0.1) -> Tiny:
    """The same weights every time."""
    torch.manual_seed(0)
    return Tiny(dropout)


def train(
    out: Path,
    *,
    model: nn.Module | None = None,
    data: Dataset[Sequence] | None = None,
    validation: Dataset[Sequence] | None = None,
    objective: Callable[..., nn.Module] = Objective,
    resume: bool = False,
    draw: bool = False,
    clock: Callable[[], float] = float,
    **settings: Any,
) -> TrainResult:
    """A run with the `SMALL` settings and those given, and without its picture, which would take most of the time.

    The clock stands still, so that records of equal runs are equal.
    """
    with nullcontext() if draw else patch.object(FIT, "loss_curve"), patch.object(FIT, "perf_counter", clock):
        return fit(
            tiny() if model is None else model,
            Drifting() if data is None else data,
            Drifting(5, seed=1) if validation is None else validation,
            TrainConfig(**{**SMALL, **settings}),
            out,
            objective=objective,
            resume=resume,
        )


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Bit by bit."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)
