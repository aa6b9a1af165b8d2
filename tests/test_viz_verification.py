"""Pictures of ranks, spectra and scales show what they are given."""

import pytest
import torch

from stblocks.score import Spectrum, Table
from stblocks.viz import power_spectrum, rank_histogram, skill_by_scale
from tests.test_viz import pixels


def test_ranks_are_bars_that_differ_from_flat_ones(tmp_path):
    flat, slope = torch.ones(3, 5), torch.arange(1.0, 6.0).expand(3, 5)
    rank_histogram(flat, tmp_path / "flat.png")
    rank_histogram(slope, tmp_path / "slope.png")
    rank_histogram(slope * 7, tmp_path / "scaled.png")
    rank_histogram(flat, tmp_path / "leads.png", leads=[1, 3])
    one, other, scaled = (pixels(tmp_path / f"{name}.png") for name in ("flat", "slope", "scaled"))
    assert (one != other).any()
    assert (other == scaled).all()
    assert pixels(tmp_path / "leads.png").shape[1] == 2 * one.shape[1]
    with pytest.raises(ValueError, match=r"leads must be from 1 to 3, got \[0\]"):
        rank_histogram(flat, tmp_path / "wrong.png", leads=[0])


def test_spectra_have_a_line_for_each_forecast_and_a_panel_for_each_lead_time(tmp_path):
    wavelength = 8 / torch.arange(5.0)
    truth = torch.tensor([100.0, 8, 4, 2, 1]).expand(4, 5)
    spectra = {name: Spectrum(wavelength, factor * truth, truth) for name, factor in (("a", 0.5), ("b", 0.1))}
    power_spectrum(spectra, tmp_path / "both.png")
    power_spectrum({"a": spectra["a"]}, tmp_path / "one.png", leads=[2])
    power_spectrum({"b": spectra["b"]}, tmp_path / "other.png", leads=[2])
    both, one, other = (pixels(tmp_path / f"{name}.png") for name in ("both", "one", "other"))
    assert both.shape[1] == 2 * one.shape[1]
    assert (one != other).any()
    power_spectrum(spectra, tmp_path / "twice.png", leads=[1, 4, 4])
    assert (pixels(tmp_path / "twice.png") == both).all()
    holes = truth.clone()
    holes[3] = torch.nan
    spectra["b"] = Spectrum(wavelength, holes, holes)
    with pytest.raises(ValueError, match="without missing cells, but at lead time 4 the truth has none; take other"):
        power_spectrum({"b": spectra["b"]}, tmp_path / "wrong.png")
    with pytest.raises(ValueError, match=r"leads must be from 1 to 4, got \[1, 5\]"):
        power_spectrum(spectra, tmp_path / "wrong.png", leads=[1, 5])
    with pytest.raises(ValueError, match="spectra must hold at least one, got none"):
        power_spectrum({}, tmp_path / "wrong.png")


def test_skill_by_scale_has_a_panel_for_each_threshold(tmp_path):
    def table(name, *scores):
        names = ("fss1@20", "fss5@20", "fss1@30", "fss5@30")
        return Table(name, {"mse@pixel": 1.0, **dict(zip(names, scores, strict=True))}, [])

    ours, theirs = table("model", 0.5, 0.7, 0.2, 0.4), table("persistence", 0.4, 0.5, 0.1, 0.2)
    skill_by_scale({"model": ours, "persistence": theirs}.values(), tmp_path / "both.png")  # as `evaluate` returns them
    skill_by_scale([ours], tmp_path / "one.png")
    assert (pixels(tmp_path / "both.png") != pixels(tmp_path / "one.png")).any()
    with pytest.raises(ValueError, match=r"must have fractions skill scores, such as fss5@20; score with windows="):
        skill_by_scale([ours, Table("other", {"mse@pixel": 1.0}, [])], tmp_path / "wrong.png")
