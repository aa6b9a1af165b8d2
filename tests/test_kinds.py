"""Options of the wrong kind are refused by name, whatever the model."""

import inspect
import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Optional, Union

import pytest

from stblocks import create_model, list_models
from stblocks.borders.kinds import check_kinds, signature_of
from stblocks.core import model_entry


@pytest.mark.parametrize("name", list_models())
def test_every_option_of_every_model_is_of_its_kind(name):
    for option, parameter in inspect.signature(model_entry(name).build).parameters.items():
        wrong = [{"a": 1}, *(["false", 1] if parameter.annotation is bool else [])]
        wrong += ["1.0", float("nan")] if parameter.annotation is float else []
        for value in wrong:
            with pytest.raises(ValueError, match=f"^{option} must be .*, got "):
                create_model(name, **{option: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 1.5}, "channels must be an integer or a list of integers, got 1.5"),
        ({"channels": [8, "8"]}, r"channels must be an integer or a list of integers, got \[8, '8'\]"),
        ({"norm": 3}, "norm must be a text or None, got 3"),
        ({"num_layers": True}, "num_layers must be an integer, got True"),
        ({"forget_bias": float("inf")}, "forget_bias must be a finite number, got inf"),
    ],
)
def test_what_an_option_must_be(options, message):
    with pytest.raises(ValueError, match=message):
        model_entry("predrnn").build(**options)


def taken(
    width: int = None,  # noqa: RUF013
    rate: float = math.inf,
    pair: Sequence[int] = (1, 2),
    either: Union[int, str] = 1,  # noqa: UP007
    maybe: Optional[int] = None,  # noqa: UP045
    bounded: Annotated[int, {"min": 1}] = 1,
    said: "int" = 1,
    bare: Sequence = (1,),
    word: Literal["a", "b"] = "a",
    other: Any = None,
    untold=None,
    *rest: int,
    **more: int,
):
    """Annotations as they are found."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, None),
        ({"pair": [1, 2], "width": 10**400, "bare": "x", "word": "c", "other": {}, "untold": "x"}, None),
        ({"either": "x", "maybe": 3, "rest": (1,), "more": {"further": 1}}, None),
        ({"width": "x"}, "width must be an integer, got 'x'"),
        ({"rate": math.nan}, "rate must be a finite number, got nan"),
        ({"pair": [1, "2"]}, "pair must be a list of integers"),
        ({"either": 1.5}, "either must be an integer or a text, got 1.5"),
        ({"maybe": "x"}, "maybe must be an integer or None, got 'x'"),
        ({"bounded": "x"}, "bounded must be an integer, got 'x'"),
        ({"said": "x"}, "said must be an integer, got 'x'"),
    ],
)
def test_annotations_and_defaults_of_others(arguments, message):
    """A default is of the kind of its parameter, whatever the annotation says."""
    signature = signature_of(taken)
    bound = inspect.BoundArguments(signature, {})
    bound.apply_defaults()
    given = bound.arguments | arguments
    if message is None:
        check_kinds(signature, given)
    else:
        with pytest.raises(ValueError, match=message):
            check_kinds(signature, given)
