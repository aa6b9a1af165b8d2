"""Moving MNIST: digits that move, bounce and overlap, synthetic; and the fixed file it is tested on."""

from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
from torch import Tensor
from torchvision import datasets

from ..borders.checks import check_positive
from .glyphs import read_glyphs
from .numpy_files import open_npy
from .scaler import Scaler
from .series import Coded
from .split import Split
from .windows import SequenceWindows, check_size

STEP = 0.1  # a frame, of the range that a digit's place has along each axis
FRAMES = 20  # of a sequence in the test file


class MovingMNIST(SequenceWindows):
    r"""Sequences of moving digits in [0, 1], each drawn from `(seed, split, index)` alone. Nothing is stored.

    Srivastava et al., ICML 2015, https://arxiv.org/abs/1502.04681, Sec. 3.1. Where a digit of $h \times w$ may be, its
    place $p$ (of its upper left corner) runs over $[0, 1]^2$, from a random start in a random direction $\theta$:

    $$p_t = \operatorname{clip}(p_{t-1} + v_t, 0, 1) \qquad |v| = 0.1 \qquad v_1 = 0.1 \, (\sin\theta, \cos\theta)$$

    and a component of $v$ changes its sign when $p_{t-1} + v_t$ leaves the range: a digit stops at the border for a
    frame, then turns back at the same speed. It is drawn at $\lfloor p \cdot (H - h, W - w) \rfloor$; where digits
    overlap, the brighter pixel shows. The digits of one sample are different glyphs.

    Args:
        length: Number of samples; index 0 to `length - 1`.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        glyphs: What moves, uint8 images:

            * `None`: the digits 0 to 9 in variants, drawn from pillow's font, others for testing than for training;
            * the root of torchvision's `MNIST` or `FashionMNIST`, downloaded before;
            * an `.npz` file with `images`, `(N, H, W)`, and the indices `train_index` and `test_index` into them;
            * an array or tensor `(N, H, W)`. It serves any split, and so does an `.npz` file without indices.

            Where glyphs for training are told from those for testing, the last tenth of them is for validation.
        split: Which glyphs move. Samples differ between splits even if the glyphs do not.
        digits: Digits in a sample.
        size: `(H, W)` of the frames, at least that of the glyphs.
        seed: Another seed, other samples.

    Raises:
        ValueError: If a count is below 1, the seed negative, there are fewer glyphs than digits, the frames are smaller
            than a glyph, or glyphs cannot be read.
    """

    def __init__(
        self,
        length: int,
        in_frames: int = 10,
        out_frames: int = 10,
        *,
        glyphs: str | Path | np.ndarray | Tensor | None = None,
        split: Split = "train",
        digits: int = 2,
        size: tuple[int, int] = (64, 64),
        seed: int = 0,
    ) -> None:
        check_positive(in_frames=in_frames, out_frames=out_frames, digits=digits)
        if seed < 0:
            raise ValueError(f"seed must not be negative, got {seed}.")
        images = read_glyphs(glyphs, split)
        if digits > len(images):
            raise ValueError(
                f"digits must be at most {len(images)}, the number of glyphs to {split} with, got {digits}; "
                f"take fewer digits or more glyphs."
            )
        height, width = images.shape[1:]
        check_size(size)
        if size[0] < height or size[1] < width:
            raise ValueError(
                f"size must be at least (H, W) = {(height, width)}, that of a glyph, got {tuple(size)}; "
                f"take larger frames or smaller glyphs."
            )
        motion = partial(
            move_glyphs, glyphs=images, seed=seed, split=split, frames=in_frames + out_frames, digits=digits, size=size
        )
        super().__init__(motion, in_frames, out_frames, length=length)


def move_glyphs(
    index: int, *, glyphs: np.ndarray, seed: int, split: Split, frames: int, digits: int, size: tuple[int, int]
) -> np.ndarray:
    """One sample, `(frames, 1, H, W)` in [0, 1]."""
    rng = np.random.default_rng((seed, get_args(Split).index(split), index))
    chosen = glyphs[rng.choice(len(glyphs), digits, replace=False)]
    height, width = glyphs.shape[1:]
    corners = _paths(rng, frames, digits) * (size[0] - height, size[1] - width)
    canvas = np.zeros((frames, *size), np.uint8)
    for frame, places in zip(canvas, corners.astype(int), strict=True):
        for glyph, (y, x) in zip(chosen, places, strict=True):
            window = frame[y : y + height, x : x + width]
            np.maximum(window, glyph, out=window)
    return canvas[:, None].astype(np.float32) / 255


def _paths(rng: np.random.Generator, frames: int, digits: int) -> np.ndarray:
    """The places p of all digits, `(frames, digits, 2)` in [0, 1]."""
    place = rng.uniform(size=(digits, 2))
    angle = rng.uniform(0, 2 * np.pi, digits)
    velocity = STEP * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    path = np.empty((frames, digits, 2))
    for t in range(frames):
        step = place + velocity
        place = path[t] = step.clip(0, 1)
        velocity = np.where(step == place, velocity, -velocity)
    return path


def moving_mnist_test(
    root: str | Path, in_frames: int = 10, out_frames: int = 10, download: bool = False
) -> SequenceWindows:
    """The 10,000 fixed sequences that forecasts of Moving MNIST are scored on, 20 frames of 64 x 64 in [0, 1] each.

    The file is `MovingMNIST/mnist_test_seq.npy` below `root`, uint8 `(20, N, H, W)`, read into memory (800 MB) as
    torchvision's `MovingMNIST` does. A sample is the first `in_frames + out_frames` frames of a sequence.

    Args:
        root: Folder to find it in, or to load it down to.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        download: Fetch the file if it is not there.

    Raises:
        ValueError: If the file is not there, cut short or of another layout, or 20 frames are too few.
    """
    file = Path(root) / "MovingMNIST" / "mnist_test_seq.npy"
    if not file.exists():
        if not download:
            raise ValueError(f"There is no {file}; pass download=True to fetch it (800 MB).")
        try:
            datasets.MovingMNIST(root, download=True)
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{file} cannot be fetched ({error}); see if the network and the disk do.") from error
    stored = open_npy(file, "remove it and pass download=True")
    if stored.dtype != np.uint8 or stored.ndim != 4 or stored.shape[0] != FRAMES or 0 in stored.shape:
        raise ValueError(
            f"{file} must hold uint8 ({FRAMES}, N, H, W), got {stored.dtype} {stored.shape}; remove it and pass "
            f"download=True."
        )
    frames = stored.read().swapaxes(0, 1)
    return SequenceWindows([Coded(one, Scaler()) for one in frames], in_frames, out_frames, stride=FRAMES)
