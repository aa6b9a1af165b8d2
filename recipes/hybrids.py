"""The plug-in board: train a base and hybrids of it for the same budget, and rank them.

    python recipes/hybrids.py --base predrnn --plug gfm
    python recipes/hybrids.py --base convlstm predrnn sa_convlstm --plug ce se --grid
    python recipes/hybrids.py --base predrnn --plug gfm sam mgm --each --data radar --path CIKM2017/ --seeds 3

Each base is compared with one hybrid that has all plugs; with `--each` also with one for each plug, with `--grid` with
every combination of them. The run's directory ends up with `leaderboard.md`, `.csv` and `.png`, `efficiency.png`, and a
run for every model and seed.
"""

from collections.abc import Sequence

from stblocks.tasks.board import run_board
from stblocks.tasks.plug_board import PlugSettings
from stblocks.train import run_recipe


def main(argv: Sequence[str] | None = None) -> None:
    run_board("hybrids", PlugSettings(), __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
