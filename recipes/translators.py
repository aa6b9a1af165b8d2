"""The board of translators: train SimVP with one and another for the same budget, and rank them.

    python recipes/translators.py
    python recipes/translators.py --translator gsta tau vss --data radar --path CIKM2017/ --seeds 3

The run's directory ends up with `leaderboard.md`, `.csv` and `.png`, `efficiency.png`, and a run for every model and
seed.
"""

from collections.abc import Sequence

from stblocks.tasks.board import run_board
from stblocks.tasks.translator_board import TranslatorSettings
from stblocks.train import run_recipe


def main(argv: Sequence[str] | None = None) -> None:
    run_board("translators", TranslatorSettings(), __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
