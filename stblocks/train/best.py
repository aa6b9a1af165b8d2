"""Which weights of a run are the best so far, and whether it still gets better."""

import math
from pathlib import Path

from torch import nn

from ..borders.checks import is_number
from ..borders.files import write_atomically
from ..core.pretrained import save_config
from ..weights.state import WEIGHTS, read_weights, save_weights
from .checkpoint import State

Ranking = list[tuple[float, int]]


class Best:
    """Keeps the weights with the lowest scores as files, the lowest as a saved model, for `from_pretrained`.

    Args:
        directory: Where.
        keep: How many.
        patience: After how many scores in a row that are not a new lowest the run is `exhausted`; `None` for never.
    """

    def __init__(self, directory: Path, keep: int, patience: int | None) -> None:
        self.directory, self.keep, self.patience = directory, keep, patience
        self.ranking: Ranking = []  # score and step, the lowest first
        self.stale = 0
        self.judged = 0  # the step of the last score

    @property
    def exhausted(self) -> bool:
        """Has patience run out?"""
        return self.patience is not None and self.stale >= self.patience

    def path(self, step: int) -> Path:
        """The file for the weights of a step."""
        return self.directory / f"step-{step:08d}.safetensors"

    def note(self, score: float, step: int) -> bool:
        """Rank a score. Is it among those to keep?

        NaN ranks last, the latest before others, and does not count for patience: it says of no weights that they are
        no better.
        """
        entry = (math.inf if math.isnan(score) else score, step)
        if not math.isnan(score):
            self.stale = 0 if not self.ranking or score < self.ranking[0][0] else self.stale + 1
        self.ranking = sorted([*self.ranking, entry], key=_rank)[: self.keep]
        self.judged = step
        return entry in self.ranking

    def save(self, model: nn.Module, step: int) -> None:
        """Write the weights of a step; if they are the lowest, of a model that can be saved, as that as well."""
        save_weights(model, self.path(step))
        if step == self.ranking[0][1] and save_config(model, self.directory):
            write_atomically(self.directory / WEIGHTS, lambda file: file.write(self.path(step).read_bytes()))

    def prune(self) -> None:
        """Delete what is no longer ranked. Save the ranking first, so that no checkpoint names a file that is gone.

        The checkpoint before ranks the same, or it is of the same step and validates it anew, to the same ranking.
        """
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
        return {"ranking": self.ranking, "stale": self.stale, "judged": self.judged}

    def restore(self, state: State, step: int) -> None:
        """Go on from the checkpoint of a step.

        Raises:
            ValueError: If it is not what `state` returned.
        """
        if not isinstance(state, dict) or state.keys() != self.state().keys():
            raise ValueError(f"best must hold {', '.join(self.state())}, got {state!r:.80}.")
        ranking, counts = state["ranking"], (state["stale"], state["judged"])
        if (
            not isinstance(ranking, list)
            or len(ranking) > self.keep
            or not all(_is_entry(each, step) for each in ranking)
        ):
            raise ValueError(f"best.ranking must hold at most {self.keep} scores and steps, got {ranking!r:.80}.")
        if not all(_is_step(each, step) for each in counts) or bool(ranking) != bool(state["judged"]):
            raise ValueError(f"best.stale and best.judged must be counts up to step {step}, got {counts}.")
        self.ranking, (self.stale, self.judged) = ranking, counts

    def require_files(self) -> None:
        """Raise a `ValueError` if weights that are ranked are gone."""
        for _, step in self.ranking:
            if not self.path(step).is_file():
                raise ValueError(f"{self.path(step)} is missing, which the checkpoint ranks; start a new run.")


def _rank(entry: tuple[float, int]) -> tuple[float, int]:
    score, step = entry
    return score, -step if math.isinf(score) else step


def _is_step(value: object, last: int) -> bool:
    return type(value) is int and 0 <= value <= last


def _is_entry(value: object, last: int) -> bool:
    whole = isinstance(value, tuple) and len(value) == 2
    return whole and is_number(value[0]) and not math.isnan(value[0]) and _is_step(value[1], last)  # type: ignore[index]
