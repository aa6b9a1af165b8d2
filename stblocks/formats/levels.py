"""Levels as channels: which of a file a model's names mean, in the model's order."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from ..data.weather_arrays import level_axis, level_name

NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")


def channel_names(array: Any) -> list[str]:
    """A name for each channel of a variable: its own where it has no levels, or none with a number."""
    axis = level_axis(array)
    if axis is None:
        return [str(array.name)]
    if axis not in array.coords or array[axis].dtype.kind not in "iuf":
        return [str(array.name)] * array.sizes[axis]
    return [level_name(str(array.name), level) for level in array[axis].values.tolist()]


def named_channels(arrays: Mapping[str, Any], names: Sequence[str]) -> list[Any] | None:
    """The variables and levels that channels are named after, in their order; `None` unless all are there.

    Levels of a variable that follow one another are one array, so that a variable may be there twice.
    """
    place = {
        channel: (name, number) for name, array in arrays.items() for number, channel in enumerate(channel_names(array))
    } | {name: (name, None) for name in arrays}
    if not all(name in place for name in names):
        return None
    chosen = []
    for variable, group in groupby((place[name] for name in names), key=lambda each: each[0]):
        array, numbers = arrays[variable], [number for _, number in group]
        whole = None in numbers or level_axis(array) is None
        chosen.append(array if whole else array.isel({level_axis(array): numbers}))
    return chosen


def named_levels(array: Any, names: Sequence[str], variables: Iterable[str], path: Path) -> Any:
    """A variable at the levels that channels are named after, in their order; at all where they name none of it.

    Args:
        array: Of a variable.
        names: Of the channels that a model knows.
        variables: All names in the file, which are no levels of this one.
        path: The file.

    Raises:
        ValueError: If a level is not there.
    """
    own, held = str(array.name), channel_names(array)
    if held == [own] * len(held):
        return array
    asked = levels_among(names, own, variables)
    if missing := [name for name in asked if name not in held]:
        levels = ", ".join(f"{level:g}" for level in array[level_axis(array)].values.tolist())
        raise ValueError(
            f"{path} must have '{own}' at the level of {missing[0]!r}, which the model takes, got the levels {levels}; "
            f"name a file that has it, with levels in the unit of the training data."
        )
    return array.isel({level_axis(array): [held.index(name) for name in asked]}) if asked else array


def levels_among(names: Iterable[str], variable: str, variables: Iterable[str]) -> list[str]:
    """The channels that are named after levels of a variable, such as z500, and are no variables themselves."""
    others = {*variables}
    return [
        name
        for name in names
        if name.startswith(variable) and NUMBER.fullmatch(name.removeprefix(variable)) and name not in others
    ]
