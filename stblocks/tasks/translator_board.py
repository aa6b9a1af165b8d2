"""The board of translators: SimVP with one and another."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

from torch import nn

from ..core import create_model
from ..data import Sequence
from ..train import Help
from .board import BoardSettings, Candidate
from .models import SimVPSettings
from .parts import frame_options


@dataclass(frozen=True, kw_only=True)
class TranslatorSettings(SimVPSettings, BoardSettings):
    """A small setting, of SimVP with one translator and another."""

    may_differ: ClassVar[tuple[str, ...]] = (*BoardSettings.may_differ, "translator")
    translator: Annotated[
        tuple[str, ...],
        Help(
            "Blocks of the translator, see `stblocks.blocks.translators.names.TRANSLATORS`; the others are compared "
            "with the first."
        ),
    ] = ("gsta", "tau", "convnext", "uniformer", "vss")

    channels = 8
    translator_channels = 96
    num_layers = 2

    def problems(self) -> list[str]:
        """What is wrong with the settings, a phrase each."""
        found = super().problems()
        if not self.translator or len(set(self.translator)) < len(self.translator):
            found.append(f"translator must name at least one, each once, got {' '.join(self.translator) or 'none'}")
        return found

    def candidates(self) -> Iterator[Candidate]:
        """SimVP with every translator."""
        for translator in self.translator:
            name, first = f"simvp+{translator}", f"simvp+{self.translator[0]}"
            yield Candidate(name, first, partial(self._simvp, translator))

    def _simvp(self, translator: str, sample: Sequence) -> nn.Module:
        options = frame_options(sample) | self.model_options()
        options |= {"in_frames": len(sample.past), "out_frames": len(sample.future)}
        return create_model("simvpv2_s", translator=translator, **options)
