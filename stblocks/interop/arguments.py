"""The arguments of released classes, as the configs of their repositories hold them."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from ..borders.checks import check_each_positive

Config = Mapping[str, Any]


def check_fixed(config: Config, **only: Any) -> None:
    """Raise a `ValueError` if an argument is given as another than the one value for which there is a module here."""
    for name, value in only.items():
        if (given := config.get(name, value)) != value:
            raise ValueError(f"{name} must be {value}, got {given!r}: there is no such module here.")


def settings_of(config: Config) -> Config:
    """The argument `configs`, a dict or what argparse makes.

    Raises:
        ValueError: If it is neither.
    """
    settings = config["configs"]
    settings = vars(settings) if isinstance(settings, Namespace) else settings
    if not isinstance(settings, Mapping):
        raise ValueError(f"configs must be a dict of arguments, got {settings!r:.80}.")
    return settings


def counts_of(config: Config, name: str) -> list[int]:
    """A list of counts, which configs of OpenSTL write as text, `"128,128"`.

    Raises:
        ValueError: If it is neither.
    """
    counts = config[name]
    if isinstance(counts, str) and all(each.strip().isdecimal() for each in counts.split(",")):
        counts = [int(each) for each in counts.split(",")]
    check_each_positive(name, counts)
    return list(counts)


def frames_of(settings: Config) -> tuple[int, int, int, int]:
    """`in_shape`: the frames of the past, `(T, C, H, W)`.

    Raises:
        ValueError: If it is not four counts.
    """
    shape = settings["in_shape"]
    check_each_positive("in_shape", shape)
    if len(shape) != 4:
        raise ValueError(f"in_shape must be (T, C, H, W) of the past frames, got {list(shape)}.")
    frames, channels, height, width = shape
    return frames, channels, height, width


def widths_of(config: Config) -> list[int]:
    """`num_hidden`: the width of each layer.

    Raises:
        ValueError: If there is not one for each of `num_layers`.
    """
    widths = counts_of(config, "num_hidden")
    if len(widths) != config["num_layers"]:
        raise ValueError(f"num_hidden must hold the widths of num_layers={config['num_layers']} layers, got {widths}.")
    return widths


def width_of(config: Config) -> int:
    """The one width of all layers, where the released model has no other.

    Raises:
        ValueError: If they differ, or there is not one for each of `num_layers`.
    """
    if len(set(widths := widths_of(config))) != 1:
        raise ValueError(f"num_hidden must be one width, num_layers={config['num_layers']} times, got {widths}.")
    return widths[0]
