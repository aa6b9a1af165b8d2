"""Models by name: a registered function builds each, and its signature is the list of its options."""

import inspect
import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from .options import Builder, check_known, with_options
from .registry import Registry

Former = Callable[[dict[str, Any]], dict[str, Any]]


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
        former: From the options that a saved model of an earlier version has to those of now.
    """

    name: str
    build: Builder
    paper: str = ""
    dataset: str = ""
    parameters: int | None = None
    flops: float | None = None
    former: Former = dict


MODELS = Registry[ModelEntry]("model", "stblocks.models", home="stblocks.models")


def register_model(
    *,
    frame: Callable[..., Any] | None = None,
    paper: str = "",
    dataset: str = "",
    parameters: int | None = None,
    flops: float | None = None,
    former: Former = dict,
    **defaults: Any,
) -> Callable[[Builder], Builder]:
    """Register a function that builds a model, under the function's name.

    Its parameters are the model's options: keywords with JSON values, `in_channels` and `image_size` among them. It
    must build under `torch.device("meta")` too, where `from_pretrained` compares the model with saved weights.

    Args:
        frame: What many models have in common, such as `PatchFrame`: its parameters are options of the model, too, and
            what it makes of them is given to the function as its first argument.
        paper: See `ModelEntry`.
        dataset: See `ModelEntry`.
        parameters: See `ModelEntry`.
        flops: See `ModelEntry`.
        former: See `ModelEntry`.
        **defaults: Of options, where they are others than those of the function or its frame.

    Returns:
        A decorator to the function of all options.

    Raises:
        ValueError: If the name is taken, or function and frame have an option of the same name.
        TypeError: If there is no option that a default is given for.

    Example:
        >>> @register_model(frame=PatchFrame, paper="ours", channels=32)
        ... def tiny_rnn(frame: PatchFrame, *, forget_bias=1.0):
        ...     return frame.build(Base(lambda place: [STConvLSTM(place.in_channels, place.channels)]))
    """

    def register(build: Builder) -> Builder:
        whole = with_options(build, frame, defaults)
        MODELS.register(build.__name__)(ModelEntry(build.__name__, whole, paper, dataset, parameters, flops, former))
        return whole

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
    """Register a model that has the options of `base`, a registered model's function, with other defaults.

    Args:
        name: Of the model.
        base: The registered function that builds both.
        paper: See `ModelEntry`.
        dataset: See `ModelEntry`.
        parameters: See `ModelEntry`.
        flops: See `ModelEntry`.
        **defaults: Of options, where they are others than those of `base`.

    Raises:
        ValueError: If the name is taken.
        TypeError: If there is no option that a default is given for.
    """
    build, former = with_options(base, None, defaults), model_entry(base.__name__).former
    MODELS.register(name)(ModelEntry(name, build, paper, dataset, parameters, flops, former))


def model_entry(name: str) -> ModelEntry:
    """What is known about a model: its builder, paper and published figures.

    Raises:
        ValueError: If there is no such model; the nearest names are listed.
    """
    return MODELS.find(name)


def list_models(pattern: str = "*") -> list[str]:
    """Names of the registered models, in order.

    Args:
        pattern: A shell pattern that they match, such as `"gmg*"`.
    """
    return MODELS.names(pattern)


def create_model(name: str, in_channels: int = 1, image_size: tuple[int, int] = (64, 64), **overrides: Any) -> Any:
    """Build a registered model.

    Args:
        name: One of `list_models()`.
        in_channels: Channels of a frame.
        image_size: `(H, W)` of a frame. Only models with size-bound parameters insist on it.
        **overrides: Options of that model, JSON values or numbers of NumPy; see its function.

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
    check_known(name, options, signature)
    bound = signature.bind(**options)
    bound.apply_defaults()
    for option, value in bound.arguments.items():
        try:
            bound.arguments[option] = json.loads(json.dumps(value, default=_plain))
        except TypeError as error:
            raise TypeError(
                f"{name}: option {option} must be a JSON value, got {value!r}; compose the model by hand."
            ) from error
    model: Any = build(**bound.arguments)
    model.config = {"model": name, **deepcopy(bound.arguments)}
    return model


def _plain(value: object) -> Any:
    """Numbers of NumPy, which sizes are that were computed, as those of Python."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} is no JSON value")
