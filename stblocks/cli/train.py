"""Run a recipe that the package brings, with flags of its own; without a name, list them. Needs the extra `train`.

stblocks train
stblocks train gmg_cikm --help
stblocks train gmg_cikm --data radar.npz --epochs 2 --out runs/radar
"""

import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module

from ..borders.checks import did_you_mean
from ..borders.command_line import Parser


def main(parser: Parser, arguments: Sequence[str]) -> None:
    """Run the command.

    Raises:
        ValueError: If there is no such recipe.
        SystemExit: With status 2 if the recipe ends with a mistake of its user.
    """
    recipes = import_module("stblocks.recipes")
    names = sorted(module.name for module in pkgutil.iter_modules(recipes.__path__))
    if not arguments:
        print("\n".join(names))
        return
    name, *flags = arguments
    if name.startswith("-"):
        parser.add_argument("recipe", nargs="?", help=f"one of {', '.join(names)}; its flags follow it")
        parser.parse_args(arguments)
    if name not in names:
        raise ValueError(f"there is no recipe {name!r}; {did_you_mean(name, names)}")
    from ..train import run_recipe  # slow to import, and needs the extra

    sys.argv[0] = f"{parser.prog} {name}"  # what the recipe's help calls it
    try:
        run_recipe(lambda: import_module(f"stblocks.recipes.{name}").main(flags))
    except SystemExit as stop:
        if not isinstance(stop.code, str):
            raise
        parser.error(stop.code)
