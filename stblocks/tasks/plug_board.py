"""The plug-in board: recurrent networks with and without the blocks of others."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Annotated, ClassVar

from torch import nn

from ..core import create_model
from ..data import Sequence
from ..train import Help, Option
from .board import BoardSettings, Candidate
from .models import PatchSettings
from .parts import frame_options


@dataclass(frozen=True, kw_only=True)
class PlugSettings(PatchSettings, BoardSettings):
    """A small setting, of recurrent networks with and without plugs."""

    may_differ: ClassVar[tuple[str, ...]] = (*BoardSettings.may_differ, "base", "plug", "each", "grid")
    base: Annotated[tuple[str, ...], Help("Networks to plug into, see `stblocks.models.BASES`.")] = ("predrnn",)
    plug: Annotated[tuple[str, ...], Help("Blocks to plug in, see `stblocks.models.PLUGS`.")] = ("gfm",)
    each: Annotated[bool, Help("Train each plug alone, too, not only all of them together.")] = False
    grid: Annotated[bool, Help("Train every combination of the plugs, not only all of them together.")] = False
    scales: Annotated[tuple[int, ...], Option("Scales of SE.")] = (1, 2, 4)
    norm: Annotated[str | None, Option("Norm in the layers, `layer` or `group`, see `PatchFrame`.")] = "group"

    def problems(self) -> list[str]:
        """What is wrong with the settings, a phrase each."""
        found = super().problems()
        if self.each and self.grid:
            found.append("each changes nothing with grid, which has every plug alone, too; give one of them")
        for name in ("base", "plug"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                found.append(f"{name} must name each once, got {' '.join(values)}")
        return found

    def candidates(self) -> Iterator[Candidate]:
        """Every base with the plugs to try on it; none first."""
        number = len(self.plug)
        counts = range(number + 1) if self.grid else sorted({0, min(1, number), number} if self.each else {0, number})
        for base in self.base:
            for count in counts:
                for plugs in combinations(self.plug, count):
                    yield Candidate("+".join((base, *plugs)), base, partial(self._hybrid, base, plugs))

    def _hybrid(self, base: str, plugs: tuple[str, ...], sample: Sequence) -> nn.Module:
        return create_model("hybrid", base=base, plugs=plugs, **frame_options(sample), **self.model_options())
