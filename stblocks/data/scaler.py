"""The line between model units and physical units."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..borders.checks import is_number
from .sequence import to_tensor

Values = TypeVar("Values", float, np.ndarray, Tensor)
Entry = TypeVar("Entry", float, str)
ROUNDING = 1e-6  # of a scale: scalers that differ by less are alike
BLOCK = 2**25  # bytes in memory at a time, in double precision


class Sliced(Protocol):
    """What a scaler is fitted to: an array, memmap, tensor, or whatever else has a shape and can be sliced."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(T, C, H, W)` or `(T, H, W)`."""
        ...

    def __getitem__(self, frames: slice, /) -> Any:
        """Some of the frames."""
        ...


@dataclass(frozen=True)
class Scaler:
    r"""Physical units to model units and back.

    $$\text{model} = (\text{physical} - \text{offset}) / \text{scale}$$

    Numbers are for all channels. Tuples have an entry for each channel of `(..., C, H, W)`; frames with fewer channels
    take the first entries, as forecasts have the first channels of what was seen.

    Args:
        offset: The physical value that is 0 to the model: a number, or a list, array or tensor `(C,)`.
        scale: Physical units per model unit, alike.
        unit: Name of the physical unit, for tables and pictures.

    Raises:
        ValueError: If an offset or scale is no number or not finite, a scale is 0, or tuples differ in length.
    """

    offset: float | tuple[float, ...] = 0.0
    scale: float | tuple[float, ...] = 1.0
    unit: str | tuple[str, ...] = ""

    def __post_init__(self) -> None:
        for name in ("offset", "scale", "unit"):
            object.__setattr__(self, name, plain(getattr(self, name)))
            if name != "unit" and not all(map(is_number, _entries(getattr(self, name)))):
                raise ValueError(
                    f"{name} of a Scaler must be a number, or one for each channel, got {getattr(self, name)!r:.80}; "
                    f"take the numbers of channels alone, such as frames.mean((0, 2, 3)) of (T, C, H, W)."
                )
        offsets, scales = _entries(self.offset), _entries(self.scale)
        if not (offsets and scales and all(map(isfinite, offsets + scales)) and all(scales)):
            raise ValueError(f"Scaler needs a finite offset and a finite scale other than 0, got {self}.")
        lengths = {len(each) for each in (self.offset, self.scale, self.unit) if isinstance(each, tuple)}
        if len(lengths) > 1:
            raise ValueError(f"Scaler needs tuples of one length, an entry for each channel, got {self}.")

    @classmethod
    def standard(cls, values: Sliced, unit: str | tuple[str, ...] = "") -> Self:
        """Mean 0 and standard deviation 1 to the model: in each channel of `(T, C, H, W)`, or all over `(T, H, W)`.

        Memmaps and files are read a few frames at a time; NaN is left out.

        Raises:
            ValueError: If a channel is constant, or has no values.
        """
        *_, mean, deviation = _statistics(values)
        return cls(_field(mean, values), _field(deviation, values), unit)

    @classmethod
    def min_max(cls, values: Sliced, unit: str | tuple[str, ...] = "", *, low: float = 0.0) -> Self:
        """From `low` (0 or -1, say) to 1 to the model: in each channel of `(T, C, H, W)`, or all over `(T, H, W)`.

        Memmaps and files are read a few frames at a time; NaN is left out.

        Raises:
            ValueError: If a channel is constant, or has no values, or `low` is not below 1.
        """
        if not low < 1:
            raise ValueError(f"low must be below 1, the model's value of the maximum, got {low}.")
        least, most, *_ = _statistics(values)
        scale = (most - least) / (1 - low)
        return cls(_field(least - low * scale, values), _field(scale, values), unit)

    @classmethod
    def of_channels(cls, channels: Iterable["Scaler"]) -> Self:
        """One scaler out of one for each channel.

        Raises:
            ValueError: If there are none, or one has tuples.
        """
        each = list(channels)
        if not each:
            raise ValueError("channels must have a scaler for each channel, at least one, got none.")
        for index, scaler in enumerate(each):
            if any(isinstance(entry, tuple) for entry in (scaler.offset, scaler.scale, scaler.unit)):
                raise ValueError(
                    f"channels must be scalers of one channel, got {scaler} as entry {index}; "
                    f"scaler.channel(i) is that of its channel i."
                )
        offset, scale, unit = zip(*((one.offset, one.scale, one.unit) for one in each), strict=True)
        return cls(offset, scale, unit)

    def to_model(self, physical: Values) -> Values:
        """Numbers, arrays or tensors in model units; integers become floats."""
        physical = _real(physical)
        return (physical - _column(self.offset, physical)) / _column(self.scale, physical)

    def to_physical(self, model: Values) -> Values:
        """Numbers, arrays or tensors in physical units; integers become floats."""
        model = _real(model)
        return model * _column(self.scale, model) + _column(self.offset, model)

    def channel(self, index: int) -> "Scaler":
        """That of one channel alone, for arrays without a channel axis.

        Raises:
            ValueError: If there is no such channel.
        """
        for each in (self.offset, self.scale, self.unit):
            if isinstance(each, tuple) and not 0 <= index < len(each):
                raise ValueError(f"index must be from 0 to {len(each) - 1}, the channels of the scaler, got {index}.")
        return Scaler(_entry(self.offset, index), _entry(self.scale, index), _entry(self.unit, index))


def plain(value: Any) -> Any:
    """Numbers, arrays and tensors as Python's own, and lists, as JSON has them, as tuples."""
    value = value.tolist() if isinstance(value, np.generic | np.ndarray | Tensor) else value
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


def alike(one: Scaler, other: Scaler) -> bool:
    """Whether both are the same line, up to rounding and to units that are not said, in channels that both have."""
    scalers = (one, other)
    tuples = [each for own in scalers for each in (own.offset, own.scale, own.unit) if isinstance(each, tuple)]
    for index in range(min(map(len, tuples), default=1)):
        (offset, scale, unit), (offset_too, scale_too, unit_too) = (
            (_entry(own.offset, index), _entry(own.scale, index), _entry(own.unit, index)) for own in scalers
        )
        near = ROUNDING * abs(scale)
        if abs(scale - scale_too) > near or abs(offset - offset_too) > near:
            return False
        if unit and unit_too and unit != unit_too:
            return False
    return True


def _entries(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def _entry(value: Entry | tuple[Entry, ...], index: int) -> Entry:
    return value[index] if isinstance(value, tuple) else value


def _real(values: Any) -> Any:
    """Integers and booleans as floats: theirs of 8 bits would run over."""
    if isinstance(values, Tensor):
        real = values.is_floating_point() or values.is_complex()
        return values if real else values.to(torch.get_default_dtype())
    if getattr(getattr(values, "dtype", None), "kind", "f") in "biu":
        return values.astype(np.result_type(values.dtype, np.float32))
    return values


def _column(value: float | tuple[float, ...], like: Any) -> Any:
    """A number as it is; a tuple as `(C, 1, 1)` of the type of the values."""
    if not isinstance(value, tuple):
        return value
    shape = tuple(getattr(like, "shape", ()))
    if len(shape) < 3 or not 1 <= shape[-3] <= len(value):
        raise ValueError(
            f"A scaler with {len(value)} channels needs values (..., C, H, W) of at most as many, got {shape}; "
            f"scaler.channel(index) is for one."
        )
    numbers = np.reshape(value[: shape[-3]], (-1, 1, 1))
    if isinstance(like, Tensor):
        return torch.tensor(numbers, dtype=torch.result_type(like, 1.0), device=like.device)
    return numbers.astype(np.result_type(like.dtype, np.float32))


def _statistics(values: Sliced) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Least, most, mean and standard deviation of each channel, of the values that are not NaN."""
    if len(shape := tuple(getattr(values, "shape", ()))) not in (3, 4) or 0 in shape:
        raise ValueError(
            f"values must be an array or tensor (T, C, H, W) or (T, H, W), got {type(values).__name__} of "
            f"shape {shape}; join several along time, as by np.concatenate."
        )
    low, high = np.array(np.inf), np.array(-np.inf)
    count = total = squares = origin = np.array(0.0)
    for number, block in enumerate(_blocks(values)):
        if (infinite := np.isinf(block).any(axis=1)).any():
            raise ValueError(
                f"Channel {int(np.argmax(infinite))} has infinite values, which no scaler fits; replace them with NaN, "
                f"which is left out."
            )
        known = ~np.isnan(block)
        if number == 0:
            origin = np.nan_to_num(block[:, :1])  # sums of squares lose digits far from it
        apart = np.where(known, block - origin, 0)
        low = np.minimum(low, np.where(known, block, np.inf).min(axis=1))
        high = np.maximum(high, np.where(known, block, -np.inf).max(axis=1))
        count, total, squares = count + known.sum(1), total + apart.sum(1), squares + (apart**2).sum(1)
    if not np.all(count):
        raise ValueError(f"Channel {int(np.argmin(count))} has no values to fit a scaler to; leave it out.")
    if not np.all(high > low):
        channel = int(np.argmin(high > low))
        raise ValueError(
            f"Channel {channel} is {low[channel]:g} everywhere, so there is no scale to fit; leave it out, or give the "
            f"numbers: Scaler(offset, scale)."
        )
    mean = total / count
    return low, high, origin[:, 0] + mean, np.sqrt(squares / count - mean**2)


def _blocks(values: Sliced) -> Iterator[np.ndarray]:
    """The frames of each channel, `(C, n)` in double precision."""
    frames = max(1, BLOCK // (8 * prod(values.shape[1:])))
    for start in range(0, values.shape[0], frames):
        yield to_tensor(values[start : start + frames]).double().transpose(0, 1).flatten(1).numpy()


def _field(numbers: np.ndarray, values: Sliced) -> float | tuple[float, ...]:
    """A number for each channel where there are channels."""
    return tuple(map(float, numbers)) if len(values.shape) == 4 else float(numbers[0])
