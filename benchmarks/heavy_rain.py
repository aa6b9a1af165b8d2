"""Draws what losses for heavy rain cost, from results/heavy_rain.json: `python -m benchmarks.heavy_rain`."""

import json
from pathlib import Path

from stblocks.viz.paint import new_figure, save

SCORES = Path(__file__).parent / "results" / "heavy_rain.json"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "heavy-rain.png"


def draw(scores: Path = SCORES, picture: Path = PICTURE) -> None:
    """A panel for each threshold: the CSI on held-out places by the MSE there, a point for each run."""
    runs = json.loads(scores.read_text(encoding="utf-8"))["runs"]
    figure, axes = new_figure(1, 2, width=4.2, height=3.4)
    for axis, threshold in zip(axes, (20, 30), strict=True):
        for run in runs:
            found = run["held_out"]
            place = 1000 * found["mse@pixel"], found[f"csi@{threshold}"]
            axis.plot(*place, marker="o", linestyle="")
            axis.annotate(run["name"], place, fontsize=7, xytext=(4, 3), textcoords="offset points")
        axis.set(xlabel="MSE x 1000", title=f"CSI at {threshold} dBZ, held-out places")
        axis.margins(x=0.2)
    save(figure, picture)


if __name__ == "__main__":
    draw()
