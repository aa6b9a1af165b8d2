"""Models by name: a registered function builds each, and its signature is the list of its options."""

import difflib
import fnmatch
import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from typing import Any

Builder = Callable[..., Any]

#: Packages add models by an entry point of this group that imports the module which registers them.
ENTRY_POINTS = "stblocks.models"

_entries: dict[str, "ModelEntry"] = {}


@dataclass(frozen=True)
class ModelEntry:
    """A registered model.

    Args:
        name: What `create_model` calls it.
        build: Function from options to the model.
        paper: Where it was published.
        dataset: The setting of the published figures.
        parameters: Number of parameters in that setting: as published, less those that never take part.
        flops: Published multiply-adds of one sequence of that setting.
    """

    name: str
    build: Builder
    paper: str = ""
    dataset: str = ""
    parameters: int | None = None
    flops: float | None = None


def register_model(
    *, paper: str = "", dataset: str = "", parameters: int | None = None, flops: float | None = None
) -> Callable[[Builder], Builder]:
    """Register a function that builds a model, under the function's name.

    Its parameters are the model's options: keywords with JSON values, `in_channels` and `image_size` among them. It
    must build under `torch.device("meta")` too, where `from_pretrained` compares the model with saved weights.

    Raises:
        ValueError: If the name is taken.

    Example:
        >>> @register_model(paper="ours")
        ... def tiny_rnn(in_channels=1, image_size=(64, 64), *, channels=8):
        ...     return RecurrentForecaster(...)
    """

    def register(build: Builder) -> Builder:
        _add(ModelEntry(build.__name__, build, paper, dataset, parameters, flops))
        return build

    return register


def register_variant(
    name: str,
    base: Builder,
    *,
    paper: str = "",
    dataset: str = "",
    parameters: int | None = None,
    flops: float | None = None,
    **defaults: Any,
) -> None:
    """Register a model that has the options of `base`, with other defaults.

    Raises:
        ValueError: If the name is taken.
    """
    _add(ModelEntry(name, partial(base, **defaults), paper, dataset, parameters, flops))


def model_entry(name: str) -> ModelEntry:
    """What is known about a model: its builder, paper and published figures.

    Raises:
        ValueError: If there is no such model; the nearest names are listed.
    """
    _load_plugins()
    if name not in _entries:
        near = difflib.get_close_matches(name, _entries, n=3, cutoff=0.4) or sorted(_entries)
        raise ValueError(f"There is no model {name!r}; did you mean {' or '.join(near)}? list_models() names all.")
    return _entries[name]


def list_models(pattern: str = "*") -> list[str]:
    """Names of the registered models that match a shell pattern, in order."""
    _load_plugins()
    return sorted(fnmatch.filter(_entries, pattern))


def create_model(name: str, in_channels: int = 1, image_size: tuple[int, int] = (64, 64), **overrides: Any) -> Any:
    """Build a registered model.

    Args:
        name: One of `list_models()`.
        in_channels: Channels of a frame.
        image_size: `(H, W)` of a frame. Only models with size-bound parameters insist on it.
        **overrides: Options of that model, JSON values; see its function.

    Returns:
        The model; `model.config` holds all options, the defaults too.

    Raises:
        ValueError: If there is no such model, or an option has a value it cannot have.
        TypeError: If the model has no such option.
    """
    build = model_entry(name).build
    signature = inspect.signature(build)
    if not isinstance(image_size, Iterable):
        raise ValueError(f"image_size must be (H, W), got {image_size!r}.")
    options = {"in_channels": in_channels, "image_size": list(image_size), **overrides}
    unknown = [option for option in options if option not in signature.parameters]
    if unknown:
        near = difflib.get_close_matches(unknown[0], signature.parameters, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(signature.parameters)}."
        raise TypeError(f"{name} has no option {unknown[0]!r}{hint}")
    bound = signature.bind(**options)
    bound.apply_defaults()
    for option, value in bound.arguments.items():
        try:
            json.dumps(value)
        except TypeError as error:
            raise TypeError(
                f"{name}: option {option} must be a JSON value, got {value!r}; compose the model by hand."
            ) from error
    model: Any = build(**bound.arguments)
    model.config = {"model": name, **json.loads(json.dumps(bound.arguments))}
    return model


def _add(entry: ModelEntry) -> None:
    if entry.name in _entries:
        raise ValueError(f"A model named {entry.name!r} is already registered; give yours another name.")
    _entries[entry.name] = entry


@cache
def _load_plugins() -> None:
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()
