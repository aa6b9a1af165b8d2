"""Arguments of commands: one parser for all, whose errors are one line and name what was likely meant."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .checks import did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and that takes `--batch-size` for `--batch_size` and `-1e-3` for a number.

    Args:
        prog: The command, as it is typed.
        description: What it does, with examples.
        **options: Others of `argparse.ArgumentParser`.
    """

    def __init__(self, prog: str | None = None, description: str | None = None, **options: Any) -> None:
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, description=description, formatter_class=raw, allow_abbrev=False, **options)
        self._negative_number_matcher = re.compile(r"-\.?\d")  # Python 3.14's: before, -1e-3 was taken for a flag

    def error(self, message: str) -> NoReturn:
        """End with status 2 and one line on stderr."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")

    def note(self, message: object, *_: object, **__: object) -> None:
        """Print a warning as one line on stderr; takes the place of `warnings.showwarning`."""
        print(f"{self.prog}: note: {' '.join(str(message).split())}", file=sys.stderr)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Options, and what is left over."""
        flags = {with_underscores(flag): flag for flag in self._flags()}
        given = []
        for argument in sys.argv[1:] if args is None else args:
            name, equals, value = with_underscores(argument).partition("=")
            given.append(f"{flags.get(name, name)}{equals}{value}")
        return super().parse_known_args(given, namespace)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Options; anything left over is an error that names the flags near it."""
        options, rest = self.parse_known_args(args, namespace)
        if rest:
            hint = did_you_mean(rest[0], self._flags()) if rest[0].startswith("-") else ""
            way_out = hint if hint.endswith("?") else f"see {self.prog} --help."
            self.error(f"there is no argument {' '.join(rest)}; {way_out}")
        return options

    def _flags(self) -> list[str]:
        return [flag for action in self._actions for flag in action.option_strings]


def with_underscores(argument: str) -> str:
    """`--num-layers=2` as `--num_layers=2`: flags have the names of Python's arguments."""
    name, equals, value = argument.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}" if name.startswith("--") else argument


def positive(text: str) -> int:
    """An integer of at least 1, for `type=`."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


positive.__name__ = "integer"  # what argparse calls it in errors
