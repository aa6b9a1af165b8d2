"""The plug-in board: train a base and hybrids of it for the same budget, and rank them.

    python recipes/hybrids.py --base predrnn --plug gfm
    python recipes/hybrids.py --base convlstm predrnn sa_convlstm --plug ce se --grid
    python recipes/hybrids.py --base predrnn --plug gfm sam mgm --grid --data radar --path CIKM2017/ --seeds 3

Without `--grid` each base is compared with one hybrid that has all plugs, with it with every combination of them. The
run's directory ends up with `leaderboard.md`, `.csv` and `.png`, `efficiency.png`, and a run for every model and seed.
"""

from collections.abc import Sequence

from stblocks.tasks.board import BoardSettings, run_board
from stblocks.train import run_recipe


def main(argv: Sequence[str] | None = None) -> None:
    run_board("hybrids", BoardSettings(), __doc__, argv)


if __name__ == "__main__":
    run_recipe(main)
