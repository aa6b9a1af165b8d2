"""The command `stblocks`: which models there are, what one of them takes, and recipes to train them.

stblocks list 'predrnn*'
stblocks info gmg_l
stblocks info gmg_l --channels 64 --norm group --image_size 101 101 --horizon 20
stblocks train gmg_cikm --help
"""

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from .borders.checks import did_you_mean
from .core import ModelEntry, create_model, list_models, model_entry
from .flops import count_multiply_adds


class Setting(NamedTuple):
    """What a model forecasts from what."""

    in_channels: int = 1
    image_size: Sequence[int] = (64, 64)
    in_frames: int = 10
    horizon: int = 10


#: The settings of published figures, by data set.
SETTINGS = {
    "CIKM2017": Setting(in_frames=5),
    "Moving MNIST": Setting(),
    "TaxiBJ": Setting(in_channels=2, image_size=(32, 32), in_frames=4, horizon=4),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        argv: The arguments; by default the process's.

    Raises:
        SystemExit: If an argument is wrong, with a message that says what.
    """
    parser = argparse.ArgumentParser(
        "stblocks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="models and their published figures", allow_abbrev=False)
    listing.add_argument("pattern", nargs="?", default="*", help="which models, as a shell pattern")
    commands.add_parser("train", help="run a recipe; without a name, list them", add_help=False)
    about = commands.add_parser(
        "info",
        help="parameters, multiply-adds and shapes of a model",
        epilog="Options of the model follow as --option value, where the value is JSON or a word.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    about.add_argument("name", help="which model")
    about.add_argument("--in_channels", type=_positive, metavar="C", help="channels of a frame")
    about.add_argument("--image_size", type=_positive, nargs=2, metavar=("H", "W"), help="size of a frame")
    about.add_argument("--in_frames", type=_positive, metavar="T", help="observed frames")
    about.add_argument("--horizon", type=_positive, metavar="N", help="frames to forecast")
    about.add_argument("--batch", type=_positive, metavar="B", help="sequences at once")
    arguments = sys.argv[1:] if argv is None else argv
    if [*arguments[:1]] == ["train"]:  # a recipe reads its flags itself
        return train(*arguments[1:])
    given, rest = parser.parse_known_args([_with_underscores(argument) for argument in arguments])
    options = vars(given)
    command = options.pop("command")
    try:
        if command == "info":
            print(model_info(**options, **_model_options(rest)))
        elif rest:
            raise ValueError(f"list takes a pattern and no more, got {' '.join(rest)}.")
        else:
            print(model_table(given.pattern))
    except (TypeError, ValueError) as error:
        parser.exit(2, f"stblocks {command}: {error}\n")


def train(name: str | None = None, *flags: str) -> None:
    """Run a recipe, or list the recipes.

    Args:
        name: Of a file of `recipes/`, without its ending; `None` lists them.
        *flags: Those of the recipe.

    Raises:
        SystemExit: If there is no such recipe, or it ends with a mistake of its user.
    """
    recipes = importlib.import_module("stblocks.recipes")
    names = sorted(module.name for module in pkgutil.iter_modules(recipes.__path__))
    if name is None:
        print("\n".join(names))
    elif name not in names:
        raise SystemExit(f"stblocks train: There is no recipe {name!r}; {did_you_mean(name, names)}")
    else:
        from .train import run_recipe  # which needs the extra `train`

        run_recipe(lambda: importlib.import_module(f"stblocks.recipes.{name}").main(flags))


def model_table(pattern: str = "*") -> str:
    """A line for each model: published parameters and multiply-adds, data set and paper.

    Args:
        pattern: A shell pattern of names.

    Raises:
        ValueError: If no name matches.
    """
    names = list_models(pattern)
    if not names:
        raise ValueError(f"pattern must match a model, got {pattern!r}; there are {', '.join(list_models())}.")
    rows = [["model", "parameters", "multiply-adds", "data set", "paper"]]
    for entry in map(model_entry, names):
        rows.append([entry.name, _number(entry.parameters), _number(entry.flops), entry.dataset, entry.paper])
    return _aligned(rows, "<>><<")


def model_info(
    name: str,
    *,
    in_channels: int | None = None,
    image_size: Sequence[int] | None = None,
    in_frames: int | None = None,
    horizon: int | None = None,
    batch: int = 1,
    **overrides: Any,
) -> str:
    """Parameters, multiply-adds and shapes of a model, beside the published figures if these are for the same options.

    What is left out is as in the setting of the published figures; of models with a fixed number of frames, as many;
    of recurrent ones with other channels out than in, one frame to forecast.

    Args:
        name: One of `list_models()`.
        in_channels: See `create_model`.
        image_size: See `create_model`.
        in_frames: Frames to forecast from.
        horizon: Frames to forecast.
        batch: Sequences at once.
        **overrides: Options of the model.

    Raises:
        ValueError: If there is no such model, or an option has a value it cannot have.
        TypeError: If the model has no such option.
    """
    entry = model_entry(name)
    setting = SETTINGS.get(entry.dataset, Setting())
    if in_frames is not None and "in_frames" in inspect.signature(entry.build).parameters:
        overrides["in_frames"] = in_frames
    channels, (height, width) = in_channels or setting.in_channels, image_size or setting.image_size
    with torch.device("meta"):
        model = create_model(name, channels, (height, width), **overrides)
        if in_frames is None:
            in_frames = getattr(model, "in_frames", setting.in_frames)
        past = torch.empty(batch, in_frames, channels, height, width)
    if horizon is None:  # without a feedback, a recurrent model with other channels out than in forecasts one frame
        horizon = getattr(model, "out_frames", setting.horizon if model.out_channels == channels else 1)
    work = count_multiply_adds(model, past, horizon)
    parts = [(part, count) for part, child in model.named_children() if (count := _parameters(child))]
    rows = [
        ["", "here", "published"],
        ["parameters", _number(_parameters(model)), _number(entry.parameters)],
        *([f"  {part}", _number(count), ""] for part, count in parts),
        ["multiply-adds", _number(work.products), _number(entry.flops)],
        *([["  with the scan", _number(work.total), ""]] if work.formulas else []),
    ]
    defaults = {option: given.default for option, given in inspect.signature(entry.build).parameters.items()}
    asked = Setting(channels, tuple(past.shape[-2:]), in_frames, horizon)
    defaults |= {"model": name, "in_channels": channels, "image_size": (height, width)}
    alike = batch == 1 and asked == setting and model.config == json.loads(json.dumps(defaults))
    if not alike:
        rows = [row[:2] for row in rows]
    options = (f"{option}={json.dumps(value)}" for option, value in model.config.items() if option != "model")
    lines = [
        f"input      {_shape(past.shape)}",
        f"output     {_shape((batch, horizon, model.out_channels, height, width))}",
        f"published  {_published(entry)}" + ("" if alike or entry.parameters is None else "; with other options"),
        textwrap.fill(f"options    {' '.join(options)}", 100, subsequent_indent=" " * 11),
    ]
    return "\n".join([name, "", _aligned(rows, "<>>"[: len(rows[0])]), "", *lines])


def _published(entry: ModelEntry) -> str:
    """Where the published figures are from, and what they are of."""
    if entry.dataset not in SETTINGS:
        return "; ".join(filter(None, (entry.paper, entry.dataset))) or "nowhere"
    channels, size, past, future = SETTINGS[entry.dataset]
    return f"{entry.paper}; {entry.dataset}, one sequence: {past} frames to {future} of {_shape((channels, *size))}"


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _shape(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Rows of text as columns, each to its side."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


_positive.__name__ = "integer"  # what argparse calls it in errors


def _with_underscores(argument: str) -> str:
    """`--num-layers=2` as `--num_layers=2`: options have the names of the model's parameters."""
    name, equals, value = argument.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}" if name.startswith("--") else argument


def _model_options(arguments: Sequence[str]) -> dict[str, Any]:
    """What `--option value ...` say: JSON, or a word; several values are a list."""
    values: dict[str, list[Any]] = {}
    option = None
    for argument in arguments:
        if argument.startswith("--"):
            option, equals, value = argument[2:].partition("=")
            values[option] = [_json_or_word(value)] if equals else []
        elif option is None:
            raise ValueError(f"options of the model must be written --option value, got {argument!r}.")
        else:
            values[option].append(_json_or_word(argument))
    for option, several in values.items():
        if not several:
            raise ValueError(f"--{option} must have a value, got none; a switch is --{option} true.")
    return {option: several[0] if len(several) == 1 else several for option, several in values.items()}


def _json_or_word(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
