"""Parameters, multiply-adds, shapes and cells of a model. Nothing is computed without --speed: any size will do.

stblocks info gmg_l
stblocks info gmg_l --help
stblocks info gmg_l --channels 64 --norm group --image_size 101 101 --horizon 20
stblocks info runs/gmg_cikm-1/model
stblocks info simvpv2_s --speed --device cuda
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..borders.command_line import Parser, positive
from .saved import DEVICE

EPILOG = (
    "Options of the model follow as --option value, where the value is JSON or a word; info NAME --help lists them."
)


def main(parser: Parser, arguments: Sequence[str]) -> None:
    """Run the command."""
    parser.epilog, parser.argument_default = EPILOG, argparse.SUPPRESS
    parser.add_argument("name", help="which model, or the directory of a saved one")
    parser.add_argument("--in_channels", type=positive, metavar="C", help="channels of a frame")
    parser.add_argument("--image_size", type=positive, nargs=2, metavar=("H", "W"), help="size of a frame")
    parser.add_argument("--in_frames", type=positive, metavar="T", help="observed frames")
    parser.add_argument("--horizon", type=positive, metavar="N", help="frames to forecast")
    parser.add_argument("--batch", type=positive, metavar="B", help="sequences at once")
    parser.add_argument("--speed", action="store_true", help="time forecasts: frames a second")
    parser.add_argument("--device", help=f"for --speed: {DEVICE}")
    asks_help = {"-h", "--help"} & {*arguments}
    if arguments and not arguments[0].startswith("-") and asks_help:
        from .options import options_help  # slow to import

        print(options_help(saved_options(arguments[0]).get("model", arguments[0])))
        return
    given, rest = parser.parse_known_args(arguments)
    if "device" in given and "speed" not in given:
        raise ValueError("--device goes with --speed: nothing else is computed.")
    from .describe import model_info  # slow to import

    options: dict[str, Any] = model_options(rest)
    saved = saved_options(given.name)
    given.name = saved.pop("model", given.name)
    options = {option: value for option, value in saved.items() if option != "data_spec"} | options
    try:
        print(model_info(**{**options, **vars(given)}))
    except TypeError as error:  # as create_model says that there is no such option
        raise ValueError(str(error)) from error


def saved_options(place: str) -> dict[str, Any]:
    """The config of a saved model; nothing where there is none in the directory, as of a model's name."""
    if not (config := Path(place) / "config.json").is_file():
        return {}
    from ..core.pretrained import read_config  # slow to import

    return dict(read_config(config))


def model_options(arguments: Sequence[str]) -> dict[str, Any]:
    """What `--option value ...` say: JSON, or a word; several values are a list.

    Raises:
        ValueError: If a value has no option, or an option no value.
    """
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
