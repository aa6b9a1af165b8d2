"""Shows the fields of settings on the pages, as `Annotated[type, check, Help("...")] = default` says them."""

import ast
from typing import Any

from griffe import Attribute, Class, ExprCall, Extension


class SettingsExtension(Extension):
    """Gives each field its bare type, and the docstring of its class what it is."""

    def on_class(self, *, cls: Class, **_: Any) -> None:
        """Runs once for each class."""
        described = {name: field for name, field in cls.members.items() if is_described(field)}
        if not described:
            return
        section = ["", "", "Args:"]
        for name, field in described.items():
            field.annotation, *said = field.annotation.slice.elements
            if name in cls.parameters:
                cls.parameters[name].annotation = field.annotation
            section += [f"    {name}: {ast.literal_eval(str(each.arguments[0]))}" for each in said if is_help(each)]
        cls.docstring.value += "\n".join(section)


def is_described(field: object) -> bool:
    """Whether it is a field whose annotation says more than its type."""
    return isinstance(field, Attribute) and str(getattr(field.annotation, "left", "")) == "Annotated"


def is_help(said: object) -> bool:
    """Whether it is the help among what an annotation says."""
    return isinstance(said, ExprCall) and str(said.function) in ("Help", "Option")
