"""Arguments against the annotations of their parameters: a word is no switch, and a text no number."""

import collections.abc
import inspect
from collections.abc import Callable, Mapping
from math import isfinite
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

WORDS = {bool: "True or False", int: "an integer", float: "a finite number", str: "a text", NoneType: "None"}
SEVERAL = {int: "a list of integers", float: "a list of finite numbers", str: "a list of texts"}


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Its signature, with annotations that are written as texts as what they name, where that is to be had."""
    try:
        return inspect.signature(function, eval_str=True)
    except NameError:  # such as of what is imported for type checkers alone
        return inspect.signature(function)


def check_kinds(signature: inspect.Signature, arguments: Mapping[str, Any]) -> None:
    """Raise a `ValueError` for the first argument that is not of the kind its parameter says.

    Annotations are looked at that are made of `bool`, `int`, `float`, `str`, `None` and sequences of these; others are
    left to those who take them. A parameter's own default is of its kind.
    """
    for name, value in arguments.items():
        parameter = signature.parameters[name]
        kinds = _alternatives(parameter.annotation)
        told = [_in_words(kind) for kind in kinds]
        several = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if (
            several
            or None in told
            or _is_default(value, parameter.default)
            or any(_fits(value, kind) for kind in kinds)
        ):
            continue
        raise ValueError(f"{name} must be {' or '.join(map(str, told))}, got {value!r}.")


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """What an annotation allows, one by one."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _in_words(kind: Any) -> str | None:
    """What a kind is called; `None` for one that is not looked at."""
    if get_origin(kind) is collections.abc.Sequence:
        return next((SEVERAL[inner] for inner in get_args(kind) if isinstance(inner, type) and inner in SEVERAL), None)
    return WORDS.get(kind) if isinstance(kind, type) else None


def _is_default(value: Any, default: Any) -> bool:
    """Is it, maybe as JSON gives it back?"""
    return value is default or (type(value), value) in ((type(default), default), (list, _listed(default)))


def _listed(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is collections.abc.Sequence:
        several = isinstance(value, collections.abc.Sequence) and not isinstance(value, str)
        return several and all(_fits(each, get_args(kind)[0]) for each in value)
    if kind is float:
        return (
            isinstance(value, Real) and not isinstance(value, bool) and (isinstance(value, Integral) or isfinite(value))
        )
    return isinstance(value, Integral if kind is int else kind) and (kind is bool or not isinstance(value, bool))
