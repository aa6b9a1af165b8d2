"""The registered models: published parameters and multiply-adds, data set and paper.

stblocks list
stblocks list 'predrnn*'
"""

from collections.abc import Sequence

from ..borders.command_line import Parser
from .columns import aligned, number


def main(parser: Parser, arguments: Sequence[str]) -> None:
    """Run the command."""
    parser.add_argument("pattern", nargs="?", default="*", help="which models, as a shell pattern")
    print(model_table(parser.parse_args(arguments).pattern))


def model_table(pattern: str = "*") -> str:
    """A line for each model.

    Args:
        pattern: A shell pattern of names.

    Raises:
        ValueError: If no name matches.
    """
    from ..core import list_models, model_entry  # slow to import

    names = list_models(pattern)
    if not names:
        raise ValueError(f"pattern must match a model, got {pattern!r}; there are {', '.join(list_models())}.")
    rows = [["model", "parameters", "multiply-adds", "data set", "paper"]]
    for entry in map(model_entry, names):
        rows.append([entry.name, number(entry.parameters), number(entry.flops), entry.dataset, entry.paper])
    return aligned(rows, "<>><<")
