"""Pictures of ensembles and of scales: where the truth lies among members, power and skill by scale."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ..score import Spectrum, Table
from .paint import new_figure, save


def rank_histogram(ranks: Tensor, path: str | Path, leads: Sequence[int] | None = None) -> None:
    """Draw how often the truth had each rank among the members, beside the flat line of an ensemble that is right.

    Args:
        ranks: `(T, E + 1)`, from `EnsembleScores.ranks()`.
        path: A PNG file.
        leads: Lead times in frames, the first one 1, a panel each; by default one panel for all together.

    Raises:
        ValueError: If there is no such lead time, or the file cannot be written.
    """
    counts = {"all lead times": ranks.sum(dim=0)} if leads is None else _of_leads(ranks, leads)
    figure, axes = new_figure(1, len(counts), width=3.2, height=2.6)
    for axis, (title, count) in zip(axes, counts.items(), strict=True):
        share = (count / count.sum()).numpy()
        axis.bar(np.arange(len(share)), share, width=0.9)
        axis.axhline(1 / len(share), color="0.3", linestyle="--", linewidth=1)
        axis.set(title=title, xlabel="members below the truth")
    axes[0].set(ylabel="share of cells")
    save(figure, path)


def power_spectrum(spectra: Mapping[str, Spectrum], path: str | Path, leads: Sequence[int] | None = None) -> None:
    """Draw power by wavelength, of the truth and of each forecast.

    Args:
        spectra: By the name of the forecast, from `Spectra.compute()`, of the same truth.
        path: A PNG file.
        leads: Lead times in frames, the first one 1, a panel each; by default the first and the last.

    Raises:
        ValueError: If there are no spectra or no such lead time, the truth has no whole frame at one, or the file
            cannot be written.
    """
    if not spectra:
        raise ValueError("spectra must hold at least one, got none.")
    first = next(iter(spectra.values()))
    leads = list(dict.fromkeys([1, len(first.truth)] if leads is None else leads))
    if empty := [title for title, powers in _of_leads(first.truth, leads).items() if powers.isnan().all()]:
        raise ValueError(
            f"spectra must be of frames without missing cells, but at {empty[0]} the truth has none; take other leads, "
            f"or fill the truth."
        )
    lines = {"truth": _of_leads(first.truth, leads)} | {
        name: _of_leads(each.forecast, leads) for name, each in spectra.items()
    }
    figure, axes = new_figure(1, len(leads), width=3.4, height=2.8)
    for axis, title in zip(axes, lines["truth"], strict=True):
        for name, powers in lines.items():
            axis.plot(first.wavelength[1:], powers[title][1:], label=name, color="0.2" if name == "truth" else None)
        axis.set(title=title, xlabel="wavelength (pixels)", xscale="log", yscale="log")
        axis.invert_xaxis()
    axes[0].set(ylabel="power")
    axes[0].legend()
    save(figure, path)


def skill_by_scale(tables: Iterable[Table], path: str | Path) -> None:
    """Draw the fractions skill score by the side of its windows, a panel for each threshold, a line for each forecast.

    Args:
        tables: Scores, such as those of `evaluate(..., windows=(1, 5, 9, 17)).values()`.
        path: A PNG file.

    Raises:
        ValueError: If a table has no fractions skill score, or the file cannot be written.
    """
    tables = list(tables)
    found = [match for name in (tables[0].pooled if tables else ()) if (match := re.fullmatch(r"fss(\d+)@(.+)", name))]
    if not found or any(match[0] not in table.pooled for match in found for table in tables):
        raise ValueError("tables must have fractions skill scores, such as fss5@20; score with windows=(1, 5, 9, 17).")
    thresholds = list(dict.fromkeys(match[2] for match in found))
    figure, axes = new_figure(1, len(thresholds), width=3.2, height=2.6)
    for axis, threshold in zip(axes, thresholds, strict=True):
        windows = sorted(int(match[1]) for match in found if match[2] == threshold)
        for table in tables:
            scores = [table.pooled[f"fss{window}@{threshold}"] for window in windows]
            axis.plot(windows, scores, marker=".", label=table.name)
        axis.set(title=f"fractions skill score at {threshold}", xlabel="side of the window (pixels)", ylim=(0, 1))
    axes[0].legend()
    save(figure, path)


def _of_leads(values: Tensor, leads: Sequence[int]) -> dict[str, Tensor]:
    """The rows of some lead times, by their titles."""
    if not leads or any(not 1 <= lead <= len(values) for lead in leads):
        raise ValueError(f"leads must be from 1 to {len(values)}, got {list(leads)}.")
    return {f"lead time {lead}": values[lead - 1] for lead in leads}
