"""Crops: the part of a large frame that a sample is made of, drawn anew in every epoch of training."""

from bisect import bisect_right
from math import isnan
from typing import Any, Self

import torch
from torch.utils.data import ConcatDataset, Dataset, Subset

from ..borders.checks import check_image_size, is_number
from .cut import Cut, Made, Window
from .scaler import plain
from .sequence import Sequence, to_tensor


class Crops:
    """Places of one size, drawn at random.

    Args:
        size: `(H, W)`.
        where: Least value that a cell of each crop must have, if any has; `None` asks for none.
        frame: The frame of a window that is looked at for that.
    """

    def __init__(self, size: tuple[int, int], where: float | None, frame: int) -> None:
        self.size, self.where, self.frame = size, where, frame

    @classmethod
    def given(cls, crop: tuple[int, int] | None, where: float | None, in_frames: int) -> Self | None:
        """Those that a data set was asked for, if it was.

        Raises:
            ValueError: If `crop` is no size, or `where` no number or NaN, or given without a crop.
        """
        where = plain(where)
        if where is not None and (crop is None or not is_number(where) or isnan(where)):
            raise ValueError(f"crop_where must be a number, beside crop=(H, W), got {where!r} and crop={crop!r}.")
        if crop is None:
            return None
        check_image_size(crop, "crop")
        return cls((int(crop[0]), int(crop[1])), where, in_frames - 1)

    def check(self, windows: Cut | Made) -> None:
        """Raise a `ValueError` if frames are smaller than a crop."""
        for name, size in windows.sizes().items():
            self._check(size, name)

    def place(self, window: Window, seed: int) -> tuple[slice, slice]:
        """Rows and columns of a window; the same seed draws the same.

        Raises:
            ValueError: If the window is smaller than a crop.
        """
        self._check(window.size, window.name)
        free = [whole - part for whole, part in zip(window.size, self.size, strict=True)]
        generator = torch.Generator().manual_seed(seed)
        corner = [_below(most + 1, generator) for most in free]
        if self.where is not None:
            frame = to_tensor(window.read(frame=self.frame))[0, 0]
            cells = (frame >= self.where).nonzero()  # NaN is not
            if len(cells):
                cell = cells[_below(len(cells), generator)].tolist()
                within = [_below(side, generator) for side in self.size]
                corner = [min(max(at - by, 0), most) for at, by, most in zip(cell, within, free, strict=True)]
        rows, columns = (slice(start, start + side) for start, side in zip(corner, self.size, strict=True))
        return rows, columns

    def _check(self, size: tuple[int, int], name: str) -> None:
        if any(whole < part for whole, part in zip(size, self.size, strict=True)):
            raise ValueError(f"crop={self.size} must be no larger than the frames, got {tuple(size)} in {name}.")


def draw(dataset: Dataset[Sequence], index: int, seed: int) -> Sequence:
    """A sample for training: `dataset.draw(index, seed)` where a data set, or what it is a part or chain of, draws."""
    source: Any = dataset
    if type(source) is Subset:  # what is derived from it may do more than pick
        return draw(source.dataset, source.indices[index], seed)
    if type(source) is ConcatDataset:
        index += len(source) if index < 0 else 0
        number = bisect_right(source.cumulative_sizes, index)
        return draw(source.datasets[number], index - (source.cumulative_sizes[number - 1] if number else 0), seed)
    return Sequence(*(source.draw(index, seed) if hasattr(source, "draw") else source[index]))


def _below(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))
