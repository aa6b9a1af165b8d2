"""The options of a model, as `stblocks info NAME --help` lists them."""

import inspect
import json
import re
import textwrap
from collections.abc import Iterator

from ..core import model_entry
from ..models import Frame


def options_help(name: str) -> str:
    """What a model is, and each of its options: name, default, and what its docstring says of it.

    Raises:
        ValueError: If there is no such model.
    """
    build = model_entry(name).build
    about = (inspect.getdoc(build) or "").partition("\nArgs:\n")[0].strip()
    frames = {frame.__name__: arguments_told(frame) for frame in _below(Frame)}
    told = arguments_told(build)
    lines = [f"usage: stblocks info {name} [--option value ...]", "", about, "", "options:"]
    for option, parameter in inspect.signature(build).parameters.items():
        lines.append(f"  --{option} {json.dumps(parameter.default)}")
        text = told.get(option, "")
        while (other := re.match(r"See `(\w+)`[.;] ?", text)) and other[1] in frames:
            rest = text[other.end() :]
            text = f"{frames[other[1]][option]} {rest[:1].upper()}{rest[1:]}".strip()
        if text:
            lines.append(textwrap.fill(text, 110, initial_indent=" " * 8, subsequent_indent=" " * 8))
    return "\n".join(lines)


def _below(cls: type[Frame]) -> Iterator[type[Frame]]:
    """A class and all below it."""
    yield cls
    for child in cls.__subclasses__():
        yield from _below(child)


def arguments_told(documented: object) -> dict[str, str]:
    """What a docstring says of each argument."""
    arguments = (inspect.getdoc(documented) or "").partition("\nArgs:\n")[2]
    found = re.finditer(r"^    (\w+): (.*(?:\n      .*)*)", arguments, flags=re.M)
    return {each[1]: " ".join(each[2].split()) for each in found}
