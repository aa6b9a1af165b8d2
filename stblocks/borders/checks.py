"""Checks of arguments that blocks, forecasters and models share."""

import difflib
import math
import os
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path


def check_positive(**numbers: object) -> None:
    """Raise a `ValueError` unless all are integers of at least 1."""
    for name, value in numbers.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < 1:  # np.int64(3) is one
            raise ValueError(f"{name} must be an integer >= 1, got {value!r}.")


def check_integer(argument: str, value: object) -> None:
    """Raise a `ValueError` unless it is an integer."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{argument} must be an integer, got {value!r}.")


def check_each_positive(argument: str, numbers: Sequence[object]) -> None:
    """Raise a `ValueError` unless it is a list of integers of at least 1."""
    if isinstance(numbers, str) or not isinstance(numbers, Sequence):
        raise ValueError(f"{argument} must be a list of integers >= 1, got {numbers!r}.")
    check_positive(**{f"{argument}[{index}]": number for index, number in enumerate(numbers)})


def check_image_size(image_size: Sequence[int], argument: str = "image_size") -> None:
    """Raise a `ValueError` unless it is a height and a width."""
    two = isinstance(image_size, Sequence) and len(image_size) == 2
    if not two or not all(isinstance(side, Integral) and side >= 1 and side is not True for side in image_size):
        raise ValueError(f"{argument} must be (H, W), got {image_size!r}.")


def check_odd(argument: str, kernel_size: int) -> None:
    """Raise a `ValueError` if a kernel has no centre."""
    if not isinstance(kernel_size, Integral) or kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(
            f"{argument} must be an odd integer, so that kernels are centred and H and W kept, got {kernel_size}."
        )


def check_ratio(argument: str, ratio: float) -> None:
    """Raise a `ValueError` unless it is a number above 0, and finite."""
    if not is_number(ratio) or not 0 < ratio < math.inf:
        raise ValueError(f"{argument} must be a number above 0, got {ratio!r}.")


def check_heads(channels: int, num_heads: int) -> None:
    """Raise a `ValueError` if channels cannot be shared out among heads of attention."""
    check_positive(channels=channels)
    if not isinstance(num_heads, Integral) or num_heads < 1 or channels % num_heads:
        raise ValueError(f"num_heads must be a divisor of channels={channels}, got {num_heads!r}.")


def check_rate(argument: str, rate: float) -> None:
    """Raise a `ValueError` unless a chance of being left out leaves something."""
    if not is_number(rate) or not 0 <= rate < 1:
        raise ValueError(f"{argument} must be a rate in [0, 1), got {rate!r}.")


def choose(argument: str, value: str, allowed: tuple[str, ...]) -> str:
    """`value`, if it is one of the allowed words.

    Raises:
        ValueError: If it is not.
    """
    if value not in allowed:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, allowed))}, got {value!r}.")
    return value


def check_directory(argument: str, place: object) -> Path:
    """A place that is a directory, or can become one.

    Raises:
        ValueError: If it is no path, or it or a place above it is a file.
    """
    if not isinstance(place, str | os.PathLike):
        raise ValueError(f"{argument} must be the path of a directory, got {place!r}.")
    path = Path(place)
    if file := next(filter(os.path.isfile, (path, *path.parents)), None):
        raise ValueError(f"{argument} must be a directory, got {path}, and {file} is a file; name another place.")
    return path


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the names near it, or all that there are.

    A name that differs in nothing but capitals and signs is meant for certain: `GMG-L` is `gmg_l`, `PredRNN++` is
    `predrnnpp`.
    """
    alike: dict[str, list[str]] = {}
    for each in known:
        alike.setdefault(_letters(each), []).append(each)
    wanted = _letters(name)
    near = [wanted] if wanted in alike else difflib.get_close_matches(wanted, alike, n=3)
    if not near:
        return f"there are {', '.join(each for names in alike.values() for each in names)}."
    return f"did you mean {' or '.join(each for letters in near for each in alike[letters])}?"


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower().replace("+", "p") if letter.isalnum())


def is_number(value: object) -> bool:
    """Whether an argument is a real number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
