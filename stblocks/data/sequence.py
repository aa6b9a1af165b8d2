"""The one sample type of all data sets, and the line between model units and physical units."""

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple, TypeVar

import numpy as np
from torch import Tensor

Values = TypeVar("Values", float, np.ndarray, Tensor)


class Sequence(NamedTuple):
    """One sample: frames seen and frames to forecast, float32, in model units.

    torch's default collation keeps the type and puts a batch axis in front.

    Attributes:
        past: `(in_frames, C, H, W)`, finite.
        future: `(out_frames, C, H, W)`; NaN marks missing cells, in data sets told to let them through.
    """

    past: Tensor
    future: Tensor


@dataclass(frozen=True)
class Scaler:
    r"""Physical units to model units and back.

    $$\text{model} = (\text{physical} - \text{offset}) / \text{scale}$$

    Args:
        offset: The physical value that is 0 to the model.
        scale: Physical units per model unit.
        unit: Name of the physical unit, for tables and pictures.

    Raises:
        ValueError: If a number is not finite, or the scale is 0.
    """

    offset: float = 0.0
    scale: float = 1.0
    unit: str = ""

    def __post_init__(self) -> None:
        if not (isfinite(self.offset) and isfinite(self.scale) and self.scale):
            raise ValueError(f"Scaler needs a finite offset and a finite scale other than 0, got {self}.")

    def to_model(self, physical: Values) -> Values:
        """Numbers, arrays or tensors in model units."""
        return (physical - self.offset) / self.scale

    def to_physical(self, model: Values) -> Values:
        """Numbers, arrays or tensors in physical units."""
        return model * self.scale + self.offset
