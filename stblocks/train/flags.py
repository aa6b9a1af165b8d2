"""Command-line flags from a dataclass of settings: one per field, its type, default and help taken from the class."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from ..borders.command_line import Parser
from ..runtime.processes import from_main
from ..runtime.signals import StopSignal
from .config import TrainConfig
from .settings import described


class RecipeFlags(NamedTuple):
    """What a recipe was asked to do.

    Attributes:
        settings: Of the class of the presets.
        out: The run's directory.
        resume: Whether to go on with the run that is there.
    """

    settings: Any
    out: Path
    resume: bool


def read_flags(
    name: str,
    default: TrainConfig,
    presets: Mapping[str, TrainConfig],
    argv: Sequence[str] | None = None,
    description: str | None = None,
) -> RecipeFlags:
    """Read a recipe's command line.

    Every field of the settings is a flag (`--batch_size 8`; `none` where that is allowed), beside `--out`, `--resume`
    and one flag per preset.

    Args:
        name: Of the recipe; without `--out`, runs go to `runs/<name>-1`, `-2` and so on.
        default: The settings that flags change.
        presets: Flag to the settings it starts from instead, such as `{"paper": Settings(...)}`.
        argv: The arguments; by default the process's.
        description: For `--help`.

    Raises:
        SystemExit: If a flag is unknown or its value cannot be read.
    """
    parser = Parser(description=description, argument_default=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=None, help=f"the run's directory (a new one, runs/{name}-<number>)")
    parser.add_argument("--resume", action="store_true", default=False, help="go on with the run in --out (the newest)")
    starts = parser.add_mutually_exclusive_group() if presets else parser  # argparse cannot print an empty group
    for preset in presets:
        starts.add_argument(
            f"--{preset}", dest="preset", action="store_const", const=preset, help=f"the {preset}'s settings"
        )
    for field, (hint, _, help_) in described(type(default)).items():
        text = f"{help_} ({getattr(default, field)})".replace("%", "%%").strip()
        parser.add_argument(f"--{field}", help=text, **_reader(hint))
    given = vars(parser.parse_args(argv))
    out, resume, preset = given.pop("out"), given.pop("resume"), given.pop("preset", None)
    given = {field: tuple(value) if isinstance(value, list) else value for field, value in given.items()}
    settings = replace(default if preset is None else presets[preset], **given)
    return RecipeFlags(settings, from_main(run_directory(name, resume)) if out is None else out, resume)


def run_recipe(main: Callable[[], object]) -> None:
    """Run a recipe's `main`: a mistake of its user ends it with a message in place of a traceback, and so does Ctrl-C.

    Args:
        main: A function without arguments.

    Raises:
        SystemExit: With status 1 after a `ValueError`, a `FloatingPointError` or the loss of another process, 130 after
            Ctrl-C or SIGTERM.
    """
    with StopSignal():
        try:
            main()
        except (ValueError, FloatingPointError, ConnectionError) as error:
            raise SystemExit(f"{type(error).__name__}: {error}") from error
        except KeyboardInterrupt as stop:
            print(f"Interrupted: {stop}" if stop.args else "Interrupted.", file=sys.stderr)
            raise SystemExit(130) from stop


def run_directory(name: str, resume: bool) -> Path:
    """The next free one of `runs/<name>-1`, `-2`, ...; the newest there is, to resume."""
    numbers = [
        int(path.name.rpartition("-")[2])
        for path in Path("runs").glob(f"{name}-*")
        if path.name[len(name) + 1 :].isdigit()
    ]
    return Path("runs") / f"{name}-{max(numbers, default=0) + (0 if resume and numbers else 1)}"


def _reader(hint: Any) -> dict[str, Any]:
    """The options of `add_argument` that read a value of a type."""
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (option for option in get_args(hint) if option is not NoneType)

        def read(text: str) -> Any:
            return None if text == "none" else inner(text)

        read.__name__ = inner.__name__  # what argparse calls it in errors
        return {"type": read, "metavar": f"{inner.__name__.upper()}|none"}
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(hint) is Literal:
        options = {str(option).lower(): option for option in get_args(hint)}
        return {"type": lambda text: options.get(text.lower(), text), "choices": get_args(hint)}
    if get_origin(hint) is tuple:
        return {"type": get_args(hint)[0], "nargs": "*"}
    return {"type": hint}
