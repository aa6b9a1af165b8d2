"""Arguments against the annotations of their parameters: a word is no switch, and a text no number."""

import collections.abc
import inspect
from collections.abc import Mapping
from math import isfinite
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

WORDS = {
    bool: "True or False",
    int: "an integer",
    float: "a finite number",
    str: "a text",
    NoneType: "None",
}
SEVERAL = {int: "a list of integers", float: "a list of finite numbers", str: "a list of texts"}


def check_kinds(signature: inspect.Signature, arguments: Mapping[str, Any]) -> None:
    """Raise a `ValueError` for the first argument that is not of the kind its parameter says.

    Annotations are looked at that are made of `bool`, `int`, `float`, `str`, `None` and sequences of these; others are
    left to those who take them.
    """
    for name, value in arguments.items():
        kinds = _alternatives(signature.parameters[name].annotation)
        if all(map(_in_words, kinds)) and not any(_fits(value, kind) for kind in kinds):
            raise ValueError(f"{name} must be {' or '.join(map(str, map(_in_words, kinds)))}, got {value!r}.")


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)


def _in_words(kind: Any) -> str | None:
    """What a kind is called; `None` for one that is not looked at."""
    if get_origin(kind) is collections.abc.Sequence:
        return SEVERAL.get(get_args(kind)[0])
    return WORDS.get(kind)


def _fits(value: object, kind: Any) -> bool:
    if get_origin(kind) is collections.abc.Sequence:
        several = isinstance(value, collections.abc.Sequence) and not isinstance(value, str)
        return several and all(_fits(each, get_args(kind)[0]) for each in value)  # type: ignore[attr-defined]
    if kind in (int, float):
        number = isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
        return number and isfinite(value)  # type: ignore[arg-type]
    return isinstance(value, kind)
