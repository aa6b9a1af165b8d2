"""Options of the wrong kind are refused by name, whatever the model."""

import inspect

import pytest

from stblocks import create_model, list_models
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
