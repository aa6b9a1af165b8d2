"""Which weights of a run are the best so far, and whether it still gets better."""

import math
from pathlib import Path

from torch import nn

from ..core.pretrained import read_weights, save_weights
from .checkpoint import State


class Best:
    """Keeps the weights with the lowest scores as files.

    Args:
        directory: Where.
        keep: How many.
        patience: After how many scores in a row that are not a new lowest the run is `exhausted`; `None` for never.
    """

    def __init__(self, directory: Path, keep: int, patience: int | None) -> None:
        self.directory, self.keep, self.patience = directory, keep, patience
        self.ranking: list[tuple[float, int]] = []  # score and step, the lowest first
        self.stale = 0

    @property
    def exhausted(self) -> bool:
        """Has patience run out?"""
        return self.patience is not None and self.stale >= self.patience

    def path(self, step: int) -> Path:
        """The file for the weights of a step."""
        return self.directory / f"step-{step:08d}.safetensors"

    def note(self, score: float, step: int) -> bool:
        """Rank a score; NaN ranks last. Is it among those to keep?"""
        entry = (math.inf if math.isnan(score) else score, step)
        self.stale = 0 if not self.ranking or entry[0] < self.ranking[0][0] else self.stale + 1
        self.ranking = sorted([*self.ranking, entry])[: self.keep]
        return entry in self.ranking

    def save(self, model: nn.Module, step: int) -> None:
        """Write the weights of a step."""
        save_weights(model, self.path(step))

    def prune(self) -> None:
        """Delete what is no longer ranked. Save the ranking first, so that no checkpoint names a file that is gone."""
        kept = {self.path(step) for _, step in self.ranking}
        for path in self.directory.glob("step-*.safetensors"):
            if path not in kept:
                path.unlink()

    def load(self, model: nn.Module) -> int:
        """Give a model the best weights, and return their step."""
        step = self.ranking[0][1]
        read_weights(model, self.path(step))
        return step

    def state(self) -> State:
        """For the checkpoint."""
        return {"ranking": self.ranking, "stale": self.stale}

    def restore(self, state: State) -> None:
        """Go on from a checkpoint.

        Raises:
            ValueError: If weights that it ranks are gone.
        """
        self.ranking, self.stale = state["ranking"], state["stale"]
        for _, step in self.ranking:
            if not self.path(step).is_file():
                raise ValueError(f"{self.path(step)} is missing, which the checkpoint ranks; start a new run.")
