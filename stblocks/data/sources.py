"""What data sets say of themselves, where one is a part (`Subset`) or a chain (`ConcatDataset`) of others."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import ConcatDataset, Dataset, Subset

from .fill import FILLS, Fill
from .scaler import Scaler
from .sequence import Sequence


def sources(dataset: Any) -> Iterator[Any]:
    """The data sets that it is made of; itself, where it is neither a part nor a chain."""
    if isinstance(dataset, Subset):
        yield from sources(dataset.dataset)
    elif isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from sources(part)
    else:
        yield dataset


def common(values: list[Any]) -> Any:
    """What all of them are, else `None`."""
    return values[0] if all(value == values[0] for value in values) else None


def scaler_of(dataset: Dataset[Sequence]) -> Scaler | None:
    """The scaler of a data set, or of what it is a part or a chain of; `None` if there is none, or several.

    A `scaler` of another type is none of ours, and says nothing that we know.
    """
    return common(_scalers(dataset))


def physical_scaler(dataset: Dataset[Sequence], what: str) -> Scaler:
    """The scaler of a data set for what is said in physical units; without one, values are these.

    Args:
        dataset: A data set, or a part or a chain of some.
        what: What is said in physical units, for the message.

    Raises:
        ValueError: If a chain has several.
    """
    scalers = _scalers(dataset)
    if common(scalers) != scalers[0]:
        several = " and ".join(dict.fromkeys(map(str, scalers)))
        raise ValueError(
            f"{what} must be in units that all data share, but parts of the data set have {several}; give all of them "
            f"one scaler=."
        )
    return scalers[0] or Scaler()


def fill_of(dataset: Dataset[Sequence]) -> Fill | None:
    """How missing cells of past frames are filled; `None` if none are let through, or in several ways.

    A `fill` of another type is none of ours, and says nothing that we know.
    """
    known = [way for source in sources(dataset) if (way := _own_fill(source)) is not None]
    return common(known) if known else None


def _scalers(dataset: Dataset[Sequence]) -> list[Scaler | None]:
    scalers = (getattr(source, "scaler", None) for source in sources(dataset))
    return [each if isinstance(each, Scaler) else None for each in scalers]


def _own_fill(source: object) -> Fill | None:
    fill, missing = getattr(source, "fill", None), getattr(source, "missing", None)
    known = isinstance(fill, str) and isinstance(missing, str) and missing == "mask"
    return next((way for way in FILLS if known and way == fill), None)
