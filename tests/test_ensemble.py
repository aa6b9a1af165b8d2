"""Ensembles: what members are, and their scores against plain NumPy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stblocks import Ensemble, SmoothNoise, create_model
from stblocks.data import DataSpec, Scaler, SyntheticRadar
from stblocks.score import EnsembleScores, Scores, evaluate
from stblocks.score.ensemble import crps

DBZ = Scaler(offset=-10.0, scale=95.0, unit="dBZ")
NAMES = ("crps@pixel", "crps@physical", "spread@pixel", "spread_skill@pixel", "brier@20")


@st.composite
def cases(draw):
    """Members and truth, in steps that make ties likely, with missing cells."""
    torch.manual_seed(draw(st.integers(0, 10**6)))
    batch, members, times = (draw(st.integers(1, 4)) for _ in range(3))
    x = DBZ.to_model(torch.randint(0, 9, (batch, members, times, 1, 3, 2)) * 5.0)
    y = DBZ.to_model(torch.randint(0, 9, (batch, times, 1, 3, 2)) * 5.0)
    y[torch.rand_like(y) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = torch.nan
    return x, y


def scored(*pairs):
    scores = EnsembleScores((20,), DBZ, metrics=())
    for pair in pairs:
        scores.update(*pair)
    return scores


def by_hand(x, y):
    """All scores cell by cell."""
    x, y = (each.double().numpy() for each in (x, y))
    known = [(x[b, :, t, c, i, j], y[b, t, c, i, j]) for b, t, c, i, j in zip(*np.nonzero(~np.isnan(y)), strict=True)]
    size = x.shape[1]
    if not known:
        return dict.fromkeys(NAMES, math.nan)
    members, truth = np.array([one for one, _ in known]), np.array([one for _, one in known])[:, None]
    pairs = np.abs(members[:, :, None] - members[:, None]).sum((1, 2)) / (2 * size**2)
    score = (np.abs(members - truth).mean(1) - pairs).mean()
    spread = math.sqrt(members.var(1, ddof=1).mean()) if size > 1 else math.nan
    rmse = math.sqrt(((members.mean(1, keepdims=True) - truth) ** 2).mean())
    event, share = truth * 95 - 10 >= 19.99, (members * 95 - 10 >= 19.99).mean(1, keepdims=True)
    return {
        "crps@pixel": score,
        "crps@physical": 95 * score,
        "spread@pixel": spread,
        "spread_skill@pixel": math.sqrt((size + 1) / size) * spread / rmse if rmse else math.nan,
        "brier@20": ((share - event) ** 2).mean(),
    }


@settings(max_examples=40)
@given(cases())
def test_agrees_with_counting_cell_by_cell(case):
    x, y = case
    table = scored(case).compute()
    assert {name: table.pooled[name] for name in NAMES} == pytest.approx(by_hand(x, y), nan_ok=True, abs=1e-6)
    for t, lead in enumerate(table.lead):
        expected = by_hand(x[:, :, t : t + 1], y[:, t : t + 1])
        assert {name: lead[name] for name in NAMES} == pytest.approx(expected, nan_ok=True, abs=1e-6)


@settings(max_examples=40)
@given(cases())
def test_ranks_cell_by_cell(case):
    x, y = case
    expected = np.zeros((x.shape[2], x.shape[1] + 1))
    for b, t, c, i, j in (~y.isnan()).nonzero().tolist():
        below = (x[b, :, t, c, i, j] < y[b, t, c, i, j]).sum().item()
        ties = (x[b, :, t, c, i, j] == y[b, t, c, i, j]).sum().item()
        expected[t, below : below + ties + 1] += 1 / (ties + 1)
    np.testing.assert_allclose(scored(case).ranks().numpy(), expected)


@given(cases())
def test_missing_cells_have_no_effect_and_batches_add_up(case):
    x, y = case
    moved = torch.where(y.isnan().unsqueeze(1), 7.0, x)
    whole, other = scored((x, y)), scored(*zip(moved.split(1), y.split(1), strict=True))
    for one, another in zip(whole.state().values(), other.state().values(), strict=True):
        torch.testing.assert_close(one, another)
    empty = scored()
    empty.merge(whole.state())
    assert empty.compute().pooled == pytest.approx(whole.compute().pooled, nan_ok=True)


@given(cases())
def test_the_mean_is_scored_as_a_forecast(case):
    x, y = case
    names = ("mse@pixel", "mae@pixel")
    ours, plain = EnsembleScores((20,), DBZ, names, (3,)), Scores((20,), DBZ, names, (3,))
    ours.update(x, y)
    plain.update(x.double().mean(dim=1), y)
    expected = plain.compute().pooled
    assert {name: ours.compute().pooled[name] for name in expected} == pytest.approx(expected, nan_ok=True, abs=1e-6)


def test_one_member_is_a_forecast_without_spread():
    x, y = torch.rand(2, 1, 3, 1, 8, 8), torch.rand(2, 3, 1, 8, 8)
    scores = EnsembleScores(metrics=("mae@pixel",))
    scores.update(x, y)
    pooled = scores.compute().pooled
    assert pooled["crps@pixel"] == pytest.approx(pooled["mae@pixel"])
    assert math.isnan(pooled["spread@pixel"])


def test_an_ensemble_that_is_right_looks_so():
    """Truth and members drawn alike: flat ranks and a spread as large as the error; a narrower one shows a U."""
    torch.manual_seed(0)
    centre = torch.randn(1, 1, 1, 200, 200)
    truth = centre + torch.randn(1, 1, 1, 200, 200)
    noise = torch.randn(1, 9, 1, 1, 200, 200)
    for width, flat in ((1.0, True), (0.5, False)):
        scores = EnsembleScores(metrics=())
        scores.update(centre.unsqueeze(1) + width * noise, truth)
        share = scores.ranks()[0] / truth.numel()
        assert bool((share - 0.1).abs().max() < 0.01) is flat
        assert (abs(scores.compute().pooled["spread_skill@pixel"] - 1) < 0.02) is flat
    assert share[0] > 0.2
    assert share[-1] > 0.2


def test_crps_is_least_for_the_truth_and_of_any_rank():
    truth = torch.rand(3, 4)
    assert crps(truth.unsqueeze(1).expand(3, 5, 4), truth).abs().max() < 1e-6
    assert (crps(torch.rand(3, 5, 4), truth) > 0).all()


class Last(nn.Module):
    """The last frame and a constant."""

    in_channels = out_channels = 1

    def __init__(self, constant=0.0):
        super().__init__()
        self.constant = nn.Parameter(torch.tensor(constant))

    def forward(self, past, horizon):
        return past[:, -1:].repeat(1, horizon, 1, 1, 1) + self.constant


def test_members_are_forecasts_of_the_models_in_turn():
    past = torch.rand(2, 3, 1, 6, 6)
    models = [Last(0.0), Last(1.0)]
    frames = Ensemble(models)(past, 4)
    assert frames.shape == (2, 2, 4, 1, 6, 6)
    assert torch.equal(frames, torch.stack([model(past, 4) for model in models], dim=1))
    seen = Ensemble(models, 5, perturb=SmoothNoise(0.1))(past, 1)[:, :, 0]
    for member, model in enumerate([*models, *models, models[0]]):
        own = torch.Generator().manual_seed(member)
        assert torch.equal(seen[:, member], model(SmoothNoise(0.1)(past, own), 1)[:, 0])
    mean = Ensemble(models, 5, perturb=SmoothNoise(0.1), mean=True)(past, 1)[:, 0]
    torch.testing.assert_close(mean, seen.mean(dim=1))


def test_models_of_versions_that_said_less_go_together():
    now, former = Last(), Last(1.0)
    now.data_spec = DataSpec(-10.0, 95.0, "dBZ").to_dict()
    former.data_spec = {name: value for name, value in now.data_spec.items() if name != "fill"}
    assert Ensemble([now, former]).data_spec == now.data_spec
    former.data_spec["fill"] = "last"
    with pytest.raises(ValueError, match="models must have one data_spec"):
        Ensemble([now, former])


def test_models_that_do_not_say_go_with_those_that_do():
    known, unknown = Last(), Last(1.0)
    known.data_spec = DataSpec(-10.0, 95.0, "dBZ").to_dict()
    small = {"channels": 4, "translator_channels": 8, "num_layers": 1, "encoder_layers": 2}
    direct = create_model("simvpv2_s", 1, (8, 8), in_frames=3, out_frames=2, **small).eval()
    direct.image_size = (8, 8)
    for models in ([known, unknown, direct], [direct, unknown, known]):
        ensemble = Ensemble(models)
        assert (ensemble.in_frames, ensemble.image_size, ensemble.data_spec) == (3, (8, 8), known.data_spec)
        assert ensemble(torch.rand(1, ensemble.in_frames, 1, 8, 8), 3).shape == (1, 3, 3, 1, 8, 8)
    assert Ensemble([unknown, unknown]).data_spec is Ensemble(unknown).in_frames is None
    other = create_model("simvpv2_s", 1, (8, 8), in_frames=4, out_frames=2, **small)
    with pytest.raises(ValueError, match="models must have one in_frames, got 3, 4"):
        Ensemble([direct, unknown, other])
    unknown.data_spec = DataSpec(0.0, 1.0).to_dict()
    with pytest.raises(ValueError, match=r"models must have one data_spec, got .*dBZ"):
        Ensemble([known, unknown])


def test_members_differ_and_a_forecast_depends_on_its_sequence_alone():
    past = torch.rand(3, 2, 1, 6, 6)
    ensemble = Ensemble(Last(), 4, perturb=SmoothNoise(0.1))
    frames = ensemble(past, 2)
    assert torch.equal(frames, ensemble(past, 2))
    assert torch.equal(frames[1:2], ensemble(past[1:2], 2))
    assert all(not torch.equal(frames[:, i], frames[:, j]) for i in range(4) for j in range(i))
    assert not torch.equal(frames, Ensemble(Last(), 4, perturb=SmoothNoise(0.1), seed=1)(past, 2))


def test_any_integer_is_a_seed():
    past, noise = torch.rand(1, 2, 1, 6, 6), SmoothNoise(0.1)

    def members(seed):
        return Ensemble(Last(), 2, perturb=noise, seed=seed)(past, 1)

    assert torch.equal(members(np.int64(3)), members(3))
    for seed in (-3, 2**50, -(2**50)):
        one, other = members(seed).unbind(1)
        assert not torch.equal(one, other)
        assert not torch.equal(members(seed), members(3))
    for wrong in (0.5, "3", None, True):
        with pytest.raises(ValueError, match=f"seed must be an integer, got {wrong!r}"):
            Ensemble(Last(), seed=wrong)


def test_noise_has_its_deviation_is_smooth_and_leaves_dry_ground_alone():
    past = torch.full((1, 2, 1, 300, 300), 0.5)
    past[..., :10] = 0
    moved = SmoothNoise(0.05, length=3.0)(past, torch.Generator().manual_seed(0))
    change = (moved - past)[..., 10:]
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert moved[..., :10].eq(0).all()
    assert change.mean().abs() < 0.01
    assert 0.045 < change.std() < 0.055
    for apart in (3, 6):  # a Gaussian window of 3 gives a correlation of exp(-d^2 / (4 * 9))
        pair = torch.stack([change[..., :-apart].flatten(), change[..., apart:].flatten()])
        assert abs(torch.corrcoef(pair)[0, 1] - math.exp(-(apart**2) / 36)) < 0.08
    low = SmoothNoise(5.0)(torch.full((1, 1, 1, 20, 20), 0.1), torch.Generator().manual_seed(0))
    assert low.ge(0).all()


def test_ensembles_are_evaluated_beside_persistence():
    data = SyntheticRadar(3, 3, 2, size=(16, 16))
    ensemble = Ensemble(create_model("advection"), 3, perturb=SmoothNoise(0.05))
    names = ("mse@pixel",)
    options = {
        "thresholds": (20,),
        "metrics": names,
        "windows": (3,),
        "beside": {"advection": create_model("advection")},
    }
    tables = evaluate(ensemble, data, batch_size=2, **options)
    assert list(tables) == ["model", "persistence", "advection"]
    assert {"crps@pixel", "fss3@20", "brier@20", "mse@pixel"} <= tables["model"].pooled.keys()
    assert tables["model"].pooled["spread@pixel"] > 0
    tables["model"].to_markdown(*[table for name, table in tables.items() if name != "model"])
    alone = evaluate(create_model("advection"), data, metrics=names, thresholds=(20,))
    assert alone["model"].pooled["mse@pixel"] == pytest.approx(tables["advection"].pooled["mse@pixel"])
    mean = evaluate(Ensemble([create_model("advection")] * 2, mean=True), data, metrics=names, thresholds=(20,))
    assert mean["model"].pooled == pytest.approx(alone["model"].pooled, nan_ok=True)


def test_errors_say_what_to_do():
    past = torch.rand(1, 2, 1, 4, 4)
    with pytest.raises(ValueError, match="models must hold at least one forecaster, got none"):
        Ensemble([])
    with pytest.raises(ValueError, match="members must be at least 2, one for each model, got 1"):
        Ensemble([Last(), Last()], 1)
    with pytest.raises(ValueError, match=r"members=3 of 1 model\(s\) would be equal to each other; give perturb"):
        Ensemble(Last(), 3)
    other = Last()
    other.in_channels = 2
    with pytest.raises(ValueError, match="models must have one in_channels, got 1, 2"):
        Ensemble([Last(), other])
    with pytest.raises(
        ValueError, match=r"perturb must return frames of the shape .*\(1, 2, 1, 4, 4\), got \(2, 1, 4, 4\)"
    ):
        Ensemble(Last(), perturb=lambda frames, _: frames[0])(past, 1)
    for noise in ({"deviation": 0.0}, {"deviation": 0.1, "length": -1.0}):
        with pytest.raises(ValueError, match=r"(deviation|length) must be above 0, got"):
            SmoothNoise(**noise)
    scores = EnsembleScores()
    with pytest.raises(ValueError, match="EnsembleScores must be given a batch first"):
        scores.ranks()
    with pytest.raises(ValueError, match=r"must be \(B, E, T, C, H, W\) with E >= 1 and .*got \(1, 2, 1, 4, 4\)"):
        scores.update(past, past)
    with pytest.raises(ValueError, match=r"prediction must be finite, got prediction\[0, 1, 0\] with 16 cells"):
        scores.update(torch.stack([past, past / 0.0], dim=1), past)
    with pytest.raises(ValueError, match="beside must not hold a forecaster called 'model' or 'persistence'"):
        evaluate(Last(), SyntheticRadar(1, size=(8, 8)), beside={"model": Last()})
