"""The options of a registered model: its function and its frame as one function of the options of both."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from ..borders.checks import did_you_mean
from ..borders.kinds import check_kinds, signature_of

Builder = Callable[..., Any]


def with_options(build: Builder, frame: Callable[..., Any] | None, defaults: Mapping[str, Any]) -> Builder:
    """A function whose first argument `frame` makes, if there is one, as a function of the options of both.

    Args:
        build: The function.
        frame: What makes its first argument of options of its own, or `None`.
        defaults: Of options, where they are others than those of the function or its frame.

    Returns:
        The function; signature and docstring have the options of both. It raises a `ValueError` for an option that is
        not of the kind its annotation says, see `check_kinds`.

    Raises:
        ValueError: If both have an option of the same name.
        TypeError: If there is no option that a default is given for.
    """
    signature = signature_of(build)
    options, of_frame = list(signature.parameters.values()), []
    if frame is not None:
        options, of_frame = options[1:], list(signature_of(frame).parameters.values())
    shared = [option.name for option in of_frame]
    if twice := [option.name for option in options if option.name in shared]:
        raise ValueError(f"{build.__name__} and its frame both have the option {twice[0]}; leave it to one of them.")
    signature = signature.replace(
        parameters=[option.replace(default=defaults.get(option.name, option.default)) for option in of_frame + options]
    )
    check_known(build.__name__, defaults, signature)

    @wraps(build)
    def whole(*arguments: Any, **given: Any) -> Any:
        bound = signature.bind(*arguments, **given)
        bound.apply_defaults()
        check_kinds(signature, bound.arguments)
        if frame is None:
            return build(*bound.args, **bound.kwargs)
        made = frame(**{option: bound.arguments.pop(option) for option in shared})
        return build(made, **bound.arguments)

    whole.__signature__ = signature  # type: ignore[attr-defined]
    if frame is not None:
        whole.__doc__ = _described(build, frame)
    return whole


def check_known(name: str, options: Iterable[str], signature: inspect.Signature) -> None:
    """Raise a `TypeError` if a model has no option of a name."""
    for option in options:
        if option not in signature.parameters:
            raise TypeError(f"{name} has no option {option!r}; {did_you_mean(option, signature.parameters)}")


def _described(build: Builder, frame: Callable[..., Any]) -> str | None:
    """The docstring of a function, where the arguments of its frame stand in place of the frame."""
    told, shared, own = inspect.getdoc(build), _arguments(getattr(frame, "func", frame)), _arguments(build)
    if told is None or not shared:
        return told
    first = next(iter(inspect.signature(build).parameters))
    both = shared + re.sub(rf"^    {first}:.*\n(?:     .*\n)*", "", own, flags=re.M)
    return f"{told}\n".replace(own, both) if own else f"{told}\n\nArgs:\n{both}"


def _arguments(documented: object) -> str:
    """The lines below `Args:` in a docstring."""
    found = re.search(r"^Args:\n((?: .*\n)+)", f"{inspect.getdoc(documented)}\n", flags=re.M)
    return found[1] if found else ""
