"""Settings as typed fields, each said in one line: name, type, check, help and default."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from inspect import get_annotations
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args, get_origin, get_type_hints

from ..borders.checks import did_you_mean


class Help(str):
    """What a setting is, in a sentence."""


class Option(Help):
    """The help of a setting that is an option of the model too, under the same name."""


class Check(NamedTuple):
    """What a value must be, and whether it is.

    Attributes:
        expected: What it must be, in words: `"an odd number"`.
        fits: Whether a value is.
    """

    expected: str
    fits: Callable[[Any], bool]


class Described(NamedTuple):
    """All that is said of a setting but its name and default."""

    type: Any
    check: Check | None
    help: Help


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of settings, whose fields are `name: Annotated[type, check, Help("...")] = default`; a check is not needed.

    Subclasses are dataclasses, `@dataclass(frozen=True, kw_only=True)`. There `epochs = 3` changes the default of an
    inherited field, and a field declared anew with a bare type keeps its check and its help.

    Raises:
        TypeError: If a class or a call gives a value to a setting that there is not, or a class is no dataclass.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = get_annotations(cls)
        inherited: dict[str, Any] = {}
        for base in reversed(cls.__mro__[1:]):
            inherited |= get_type_hints(base, include_extras=True)
        for name, value in vars(cls).items():
            known = name.startswith("_") or name in own or name in inherited
            if not (known or callable(value) or hasattr(value, "__get__")):
                raise TypeError(f"{cls.__name__}.{name} must be a setting, one of {', '.join(inherited)}.")
        # A dataclass takes the defaults of annotated names alone, and of those the class attributes.
        cls.__annotations__ = {name: hint for name, hint in inherited.items() if hasattr(cls, name)} | own

    def __new__(cls, *_: Any, **given: Any) -> Self:
        """Refuse unknown names with those near them, which `__init__` would not say."""
        known = {field.name for field in fields(cls)} if hasattr(cls, "__dataclass_fields__") else set(given)
        if unknown := [name for name in given if name not in known]:
            raise TypeError(f"{cls.__name__} has no setting {unknown[0]!r}; {did_you_mean(unknown[0], sorted(known))}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if "__dataclass_fields__" not in vars(type(self)):
            raise TypeError(f"{type(self).__name__} must be decorated with @dataclass(frozen=True, kw_only=True).")

    def problems(self) -> list[str]:
        """What is wrong with the settings, a phrase each."""
        found = []
        for name, (hint, check, _) in described(type(self)).items():
            value, optional = getattr(self, name), NoneType in get_args(hint)
            if check is not None and not (value is None and optional) and not check.fits(value):
                found.append(f"{name} must be {check.expected}{' or None' if optional else ''}, got {value!r}")
        return found

    def model_options(self) -> dict[str, Any]:
        """The settings that are options of the model."""
        table = described(type(self))
        return {name: getattr(self, name) for name, said in table.items() if isinstance(said.help, Option)}


def described(settings: type[Settings]) -> dict[str, Described]:
    """What a class of settings and its bases say of each field."""
    table: dict[str, Described] = {}
    for base in reversed(settings.__mro__):
        hints = get_type_hints(base, include_extras=True)
        for name in get_annotations(base):
            table[name] = _described(hints[name], table.get(name))
    return {field.name: table[field.name] for field in fields(settings)}


def _described(hint: Any, before: Described | None) -> Described:
    said: list[Any] = []
    if get_origin(hint) is Annotated:
        hint, *said = get_args(hint)
    if before is not None:
        said += [before.check, before.help]
    check = next((each for each in said if isinstance(each, Check)), None)
    text = next((each for each in said if isinstance(each, Help)), Help())
    return Described(hint, _of_type(hint) or check, text)


def _of_type(hint: Any) -> Check | None:
    """The check that a type makes needless to spell out."""
    if hint is bool:
        return Check("True or False", lambda value: type(value) is bool)
    if get_origin(hint) is Literal:
        options, names = {(type(each), each) for each in get_args(hint)}, [*map(repr, get_args(hint))]
        words = all(type(each) is str for each in get_args(hint))
        expected = f"one of {', '.join(names)}" if words else f"{', '.join(names[:-1])} or {names[-1]}"
        return Check(expected, lambda value: value.__hash__ is not None and (type(value), value) in options)
    return None


def whole(least: int) -> Check:
    """An integer that is not too small."""
    return Check(f"an integer >= {least}", lambda value: type(value) is int and value >= least)


def above(bound: float) -> Check:
    """A finite number above a bound."""
    return Check(f"a number > {bound:g}", lambda value: _is_number(value) and value > bound)


def at_least(least: float) -> Check:
    """A finite number that is not too small."""
    return Check(f"a number >= {least:g}", lambda value: _is_number(value) and value >= least)


def among(known: Collection[str]) -> Check:
    """Any number of known names."""
    expected = f"a tuple of names among {', '.join(known)}"
    return Check(expected, lambda value: type(value) is tuple and {*value} <= {*known})


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


#: A share that is not the whole.
SHARE = Check("in [0, 1)", lambda value: _is_number(value) and 0 <= value < 1)
#: Any number of numbers.
NUMBERS = Check("a tuple of numbers", lambda value: type(value) is tuple and all(map(_is_number, value)))
