"""What a model must know of its data, beside its weights, to forecast from other frames."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, Self

from torch import nn
from torch.utils.data import Dataset

from ..borders.checks import did_you_mean, is_number
from .fill import FILLS, Fill
from .scaler import Scaler, alike, plain
from .sequence import Sequence
from .sources import common, fill_of, scaler_of, sources


@dataclass(frozen=True)
class DataSpec:
    """The units, channels, times and sizes of the data that a model was trained on.

    `fit` leaves it with the model, as the dict `model.data_spec`, and saved models keep it in their `config.json`:

    ```python
    spec = DataSpec.of_model(Forecaster.from_pretrained("runs/a/best"))
    frames = spec.scaler().to_model(physical)
    ```

    Args:
        offset: The physical value that is 0 to the model, or one for each channel, see `Scaler`; `None` if unknown.
        scale: Physical units per model unit, or one for each channel; `None` if unknown.
        unit: Name of the physical unit, or one for each channel.
        variables: Names of the channels that are forecast; `None` if they have none.
        step: Seconds from one frame to the next; `None` if unknown.
        in_frames: Frames a forecast started from.
        out_frames: Frames that were forecast.
        image_size: `(H, W)` of the frames.
        fill: What missing cells of past frames became, see `SequenceWindows`; `None` where none were let through.

    Raises:
        ValueError: If a field is of another type, offset or scale is not finite, a scale is 0, or numbers of channels
            differ.
    """

    offset: float | tuple[float, ...] | None = None
    scale: float | tuple[float, ...] | None = None
    unit: str | tuple[str, ...] = ""
    variables: tuple[str, ...] | None = None
    step: float | None = None
    in_frames: int | None = None
    out_frames: int | None = None
    image_size: tuple[int, int] | None = None
    fill: Fill | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
        for name, (allowed, what) in _CHECKS.items():
            if not allowed(value := getattr(self, name)):
                raise ValueError(f"{name} of a DataSpec must be {what}, got {value!r:.80}.")
        if (self.offset is None) != (self.scale is None):
            raise ValueError(
                f"A DataSpec needs offset and scale, or neither, got offset={self.offset!r:.80} and "
                f"scale={self.scale!r:.80}."
            )
        if self.offset is not None:
            self.scaler()  # checks the numbers
        if self.channels is not None and self.variables is not None and len(self.variables) > self.channels:
            raise ValueError(
                f"variables of a DataSpec must be at most the {self.channels} channels of its scaler, "
                f"got {len(self.variables)}."
            )

    @classmethod
    def of(cls, dataset: Dataset[Sequence]) -> Self:
        """That of a data set: of its first sample, and of its `scaler`, `variables`, `seconds`, and with
        `missing="mask"` its `fill`, if it has them.

        What a data set does not say, or parts of a `ConcatDataset` say differently, is `None`.

        Raises:
            ValueError: If `variables` are no names or too many, or `seconds` no positive number.
        """
        past, future = dataset[0]
        scaler, variables = scaler_of(dataset), _agreed(dataset, "variables")
        return cls(
            offset=None if scaler is None else scaler.offset,
            scale=None if scaler is None else scaler.scale,
            unit="" if scaler is None else scaler.unit,
            variables=variables,
            step=_agreed(dataset, "seconds"),
            in_frames=len(past),
            out_frames=len(future),
            image_size=(past.shape[-2], past.shape[-1]),
            fill=fill_of(dataset),
        )

    @classmethod
    def of_model(cls, model: nn.Module) -> Self:
        """That of a trained model, `model.data_spec`.

        Raises:
            ValueError: If the model has none, or one that does not fit it.
        """
        saved = getattr(model, "data_spec", None)
        if saved is None:
            raise ValueError(
                "This model does not know its data (model.data_spec is None): it was not trained by fit, or before "
                "models kept them. Say what its 0 and 1 stand for: "
                "model.data_spec = DataSpec(offset=-10.0, scale=95.0, unit='dBZ').to_dict(), for example."
            )
        spec = cls.from_dict(saved)
        own = {name: getattr(model, name, None) for name in ("in_channels", "out_channels", "in_frames", "image_size")}
        pairs = {
            "in_channels": spec.channels,
            "out_channels": None if spec.variables is None else len(spec.variables),
            "in_frames": spec.in_frames,
            "image_size": spec.image_size,
        }
        for name, value in pairs.items():
            expected = own[name]
            expected = tuple(expected) if isinstance(expected, list) else expected
            if None not in (value, expected) and value != expected:
                raise ValueError(
                    f"model.data_spec must fit the model's {name}={expected}, got one for {value}; "
                    f"give the model that of its data: model.data_spec = DataSpec.of(dataset).to_dict()."
                )
        return spec

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` returned.

        Raises:
            ValueError: If it is no dict, has a key that a `DataSpec` has not, or a value that it cannot have.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"A data_spec must be a dict, got {type(values).__name__}.")
        known = [field.name for field in fields(cls)]
        if unknown := [str(key) for key in values if key not in known]:
            raise ValueError(f"A data_spec has no {unknown[0]!r:.80}; {did_you_mean(unknown[0][:80], known)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @property
    def channels(self) -> int | None:
        """The number of channels that the scaler has numbers for; `None` if they are for any."""
        return next((len(each) for each in (self.offset, self.scale, self.unit) if isinstance(each, tuple)), None)

    def scaler(self) -> Scaler:
        """From physical to model units.

        Raises:
            ValueError: If these are unknown.
        """
        if self.offset is None or self.scale is None:
            raise ValueError(
                "It is not known what 0 and 1 stand for in these data: they had no scaler. Give one: "
                "Scaler(offset=-10.0, scale=95.0, unit='dBZ'), for example, or Scaler() if values are in model units."
            )
        return Scaler(self.offset, self.scale, self.unit)


def spec_of(model: nn.Module) -> DataSpec:
    """That of a trained model; of one without, a spec that says nothing.

    Raises:
        ValueError: If it has one that does not fit it.
    """
    return DataSpec() if getattr(model, "data_spec", None) is None else DataSpec.of_model(model)


def warn_of_other_scaler(model: nn.Module, dataset: Dataset[Sequence]) -> None:
    """Warn if 0 and 1 stand for other values in a data set than in the one that a model was trained on."""
    spec = spec_of(model)
    held = scaler_of(dataset)
    if held is None or spec.offset is None:
        return
    if not alike(held, trained := spec.scaler()):
        warnings.warn(
            f"data are scaled by {held}, those that the model was trained on by {trained}: the same frames are others "
            f"to the model. Give the data set scaler=DataSpec.of_model(model).scaler().",
            stacklevel=3,
        )


def _agreed(dataset: Dataset[Sequence], name: str) -> Any:
    """`variables` or `seconds` that all sources of a data set have alike, else `None`."""
    allowed, what = _CHECKS["step" if name == "seconds" else name]
    values = []
    for source in sources(dataset):
        value = plain(getattr(source, name, None))
        if not allowed(value):
            raise ValueError(
                f"{name} of a data set must be {what}, got {value!r:.80} of {type(source).__name__}; call the "
                f"attribute something else if that is what it is."
            )
        values.append(value)
    return common(values)


def _one_or_all(value: object, kind: Any) -> bool:
    several = value if isinstance(value, tuple) else (value,)
    return bool(several) and all(kind(each) for each in several)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1


_CHECKS: dict[str, tuple[Any, str]] = {
    "offset": (lambda v: v is None or _one_or_all(v, is_number), "a number, or one for each channel"),
    "scale": (lambda v: v is None or _one_or_all(v, is_number), "a number, or one for each channel"),
    "unit": (lambda v: _one_or_all(v, _is_text), "a text, or one for each channel"),
    "variables": (
        lambda v: v is None or (isinstance(v, tuple) and _one_or_all(v, _is_text)),
        "a list of names, or None",
    ),
    "step": (lambda v: v is None or (is_number(v) and isfinite(v) and v > 0), "seconds, more than 0, or None"),
    "in_frames": (lambda v: v is None or _is_count(v), "an integer of at least 1, or None"),
    "out_frames": (lambda v: v is None or _is_count(v), "an integer of at least 1, or None"),
    "image_size": (
        lambda v: v is None or (isinstance(v, tuple) and len(v) == 2 and all(map(_is_count, v))),
        "(H, W), or None",
    ),
    "fill": (lambda v: v is None or v in FILLS, f"one of {', '.join(map(repr, FILLS))}, or None"),
}
