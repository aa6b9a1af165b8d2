"""The command itself: finds the subcommand, and says what is wrong in one line."""

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

import stblocks

from ..borders.checks import did_you_mean
from ..borders.command_line import Parser

#: What each command does. It is `main(parser, arguments)` of the module of its name.
COMMANDS = {
    "predict": "forecast from a saved model and frames on disk",
    "evaluate": "score a saved model on frames on disk, beside persistence",
    "train": "run a recipe; without a name, list them",
    "convert": "turn released weights of a paper's code into a model",
    "export": "write a saved model as ONNX or as a torch program",
    "info": "parameters, multiply-adds, shapes and cells of a model",
    "list": "models and their published figures",
}

HELP = """Composable spatiotemporal blocks: models by name, from training to the forecast.

  stblocks list 'predrnn*'
  stblocks train gmg_cikm --epochs 2
  stblocks predict runs/gmg_cikm-1/model radar.nc --horizon 10 --out forecast.nc

commands, each with a --help and examples of its own:
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        argv: The arguments; by default the process's.

    Raises:
        SystemExit: With status 2 and one line on stderr after a mistake of the user, 130 after Ctrl-C, 1 where nobody
            reads the output on.
    """
    try:
        _run(sys.argv[1:] if argv is None else list(argv))
        if sys.stdout is not None:  # as it is where it was closed
            sys.stdout.flush()
    except BrokenPipeError as error:  # as in `stblocks list | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at exit
        raise SystemExit(1) from error
    except KeyboardInterrupt as stop:
        raise SystemExit(130) from stop


def _run(arguments: Sequence[str]) -> None:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {does}" for name, does in COMMANDS.items())
    parser = Parser("stblocks", HELP + lines, usage="stblocks COMMAND ...")
    parser.add_argument("--version", action="version", version=f"stblocks {stblocks.__version__}")
    if not arguments or arguments[0].startswith("-"):
        parser.parse_args(arguments)
        parser.error(f"there must be a command: {', '.join(COMMANDS)}; see stblocks --help.")
    name, *rest = arguments
    if name not in COMMANDS:
        parser.error(f"there is no command {name!r}; {did_you_mean(name, COMMANDS)}")
    command = import_module(f".{name}", __package__)
    parser = Parser(f"stblocks {name}", command.__doc__)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = parser.note
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", UserWarning)
            command.main(parser, rest)
    except BrokenPipeError:
        raise
    except (ValueError, ImportError, OSError, FloatingPointError) as error:
        parser.error(str(error))
    except (MemoryError, RuntimeError) as error:  # torch says by a RuntimeError that memory is full
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        parser.error(f"there is too little memory: {(str(error).splitlines() or ['it is full'])[0]}")
