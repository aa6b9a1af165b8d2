"""Terms of the loss against plain loops, what they make of a forecast, and that missing cells have no part in them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stblocks import Rollout
from stblocks.data import CIKM_DBZ, Scaler
from stblocks.score import Scores
from stblocks.train import (
    HighFrequencyFocal,
    Objective,
    Pinball,
    SoftCSI,
    SoftFSS,
    SpectralAmplitude,
    ThresholdWeights,
    TrainConfig,
)

SCALER = Scaler(offset=-10.0, scale=40.0, unit="dBZ")
TERMS = {
    "csi": SoftCSI((5, 15), softness=3.0, scaler=SCALER),
    "fss": SoftFSS((5, 15), window=3, softness=3.0, scaler=SCALER),
    "spectral": SpectralAmplitude(),
    "high_frequency": HighFrequencyFocal(),
    "pinball": Pinball(0.8),
}


@st.composite
def cases(draw):
    """Forecast, truth and which of it is known; both are 0 elsewhere."""
    torch.manual_seed(draw(st.integers(0, 10**6)))
    shape = [draw(st.integers(1, 3)) for _ in range(3)] + [draw(st.integers(1, 5)) for _ in range(2)]
    known = torch.rand(shape) >= draw(st.sampled_from([0.0, 0.3, 1.0]))
    forecast, truth = (torch.rand(shape, dtype=torch.float64) * known for _ in range(2))
    return forecast, truth, known


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def cells(case):
    """Physical forecast and truth of each known cell."""
    forecast, truth, known = case
    return [
        (40 * f - 10, 40 * t - 10)
        for f, t, there in zip(*(each.flatten().tolist() for each in (forecast, truth, known)), strict=True)
        if there
    ]


@given(cases())
def test_csi_cell_by_cell(case):
    losses = []
    for threshold in (5, 15):
        pairs = [(sigmoid((f - threshold) / 3), t >= threshold) for f, t in cells(case)]
        hits = math.fsum(s * o for s, o in pairs)
        union = math.fsum(s + o - s * o for s, o in pairs)
        k = 1e-3 * max(len(pairs), 1)
        losses.append(1 - (hits + k) / (union + k))
    assert TERMS["csi"](*case).item() == pytest.approx(sum(losses) / 2)


@given(cases())
def test_fss_window_by_window(case):
    forecast, truth, known = (each.flatten(0, 2).numpy() for each in case)
    losses = []
    for threshold in (5, 15):
        share = 1 / (1 + np.exp(-(40 * forecast - 10 - threshold) / 3))
        event = 40 * truth - 10 >= threshold
        apart = both = 0.0
        for n, i, j in zip(*known.nonzero(), strict=True):
            window = (n, slice(max(i - 1, 0), i + 2), slice(max(j - 1, 0), j + 2))
            inside = known[window]
            f, o = share[window][inside].mean(), event[window][inside].mean()
            apart, both = apart + (f - o) ** 2, both + f**2 + o**2
        losses.append(apart / both if both else 0.0)
    assert TERMS["fss"](*case).item() == pytest.approx(sum(losses) / 2)


@given(cases())
def test_amplitudes_wave_by_wave(case):
    forecast, truth, _ = (each.numpy() for each in case)
    height, width = forecast.shape[-2:]
    rows, columns = (
        np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) / np.sqrt(n) for n in (height, width)
    )
    apart = np.abs(rows @ forecast @ columns) - np.abs(rows @ truth @ columns)
    assert TERMS["spectral"](*case).item() == pytest.approx((apart**2).mean())


def test_amplitudes_do_not_see_where_detail_is():
    truth = torch.rand(1, 1, 1, 8, 8)
    moved, smooth, known = truth.roll((3, 2), (-2, -1)), truth.mean().expand_as(truth), truth > -1
    assert TERMS["spectral"](moved, truth, known) < 1e-9
    assert TERMS["spectral"](smooth, truth, known) > 0.01


@given(cases())
def test_pinball_cell_by_cell(case):
    losses = [max(0.8 * (t - f), -0.2 * (t - f)) / 40 for f, t in cells(case)]
    assert TERMS["pinball"](*case).item() == pytest.approx(math.fsum(losses) / max(len(losses), 1))


def test_the_pinball_loss_is_least_at_the_quantile():
    torch.manual_seed(0)
    truth = torch.rand(1, 1, 1, 1, 999)
    losses = {q: TERMS["pinball"](torch.full_like(truth, q), truth, truth > -1) for q in (0.7, 0.75, 0.85, 0.9)}
    assert TERMS["pinball"](truth.quantile(0.8).expand_as(truth), truth, truth > -1) < min(losses.values())


@pytest.mark.parametrize("name", TERMS)
def test_a_perfect_forecast_costs_least_and_gradients_are_right(name):
    torch.manual_seed(0)
    forecast, truth = (torch.rand(2, 2, 1, 4, 4, dtype=torch.float64) for _ in range(2))
    known = torch.rand_like(truth) > 0.2
    forecast, truth = (forecast * known).requires_grad_(), truth * known
    # Softly, a value on the threshold is half an event: the harder, the nearer a perfect forecast is to 0.
    term = {"csi": SoftCSI((5,), softness=1e-3, scaler=SCALER), "fss": SoftFSS((5,), softness=1e-3, scaler=SCALER)}.get(
        name, TERMS[name]
    )
    assert term(truth, truth, known).item() == pytest.approx(0, abs=1e-9)
    assert term(forecast, truth, known) > 1e-3
    if name != "high_frequency":  # whose weights are constants to its gradient; `test_wast` has that
        assert torch.autograd.gradcheck(lambda values: TERMS[name](values, truth, known), forecast)


@given(cases(), st.sampled_from(sorted(TERMS)))
def test_missing_cells_have_no_effect_and_no_gradient(case, name):
    forecast, truth, known = case
    frames = truth.masked_fill(~known, torch.nan)
    objective = Objective(0.0, 1.0, terms={name: (0.5, TERMS[name])}, cell_weights=ThresholdWeights((5,), (2,), SCALER))
    values = (forecast + 0.1).requires_grad_()
    frames = torch.cat([torch.zeros_like(frames[:, :1]), frames], dim=1)
    losses = objective(Rollout(values, 1, {}, None), frames)
    assert losses["loss"].item() == pytest.approx((losses["l2"] + 0.5 * losses[name]).item())
    losses["loss"].backward()
    assert values.grad.isfinite().all()
    assert values.grad[~known].eq(0).all()
    moved = torch.where(known, values.detach(), 1e9)
    assert torch.equal(objective(Rollout(moved, 1, {}, None), frames)["loss"], losses["loss"].detach())


def test_soft_csi_becomes_the_score_as_it_hardens():
    torch.manual_seed(0)
    forecast, truth = (torch.rand(2, 3, 1, 16, 16) for _ in range(2))
    scores = Scores((20.0, 40.0), CIKM_DBZ, metrics=())
    scores.update(forecast, truth)
    expected = 1 - sum(scores.compute().pooled[f"csi@{at}"] for at in (20, 40)) / 2
    term = SoftCSI((20, 40), softness=1e-4, smooth=0.0, scaler=CIKM_DBZ)
    assert term(forecast, truth, truth > -1).item() == pytest.approx(expected, abs=1e-4)


def test_csi_draws_likely_events_up_and_unlikely_ones_down():
    """Groups of cells where an event has some chance, all forecast on the threshold, at a CSI of about a third."""
    chances = torch.tensor([0.9, 0.6, 0.1, 0.05]).view(4, 1, 1, 1, 1)
    truth = (torch.arange(1000) < 1000 * chances).float()
    forecast = torch.full_like(truth, 0.5).requires_grad_()
    SoftCSI((0.5,), softness=0.1)(forecast, truth, truth > -1).backward()
    assert (-forecast.grad.sum(dim=(1, 2, 3, 4))).sign().tolist() == [1, 1, -1, -1]


def test_weights_by_threshold():
    values = torch.tensor([0.1, 0.375, 0.5, 0.9])  # -6, 5, 10 and 26 dBZ
    weigh = ThresholdWeights((5.0, 25.0), (1.0, 4.0), SCALER)
    frames = values.view(1, 1, 1, 1, 4)
    assert weigh(frames).flatten().tolist() == [1, 2, 2, 6]
    rollout = Rollout(torch.zeros_like(frames), 1, {}, None)
    losses = Objective(cell_weights=weigh)(rollout, torch.cat([frames, frames], dim=1))
    assert losses["l1"].item() == pytest.approx((0.1 + 2 * 0.375 + 2 * 0.5 + 6 * 0.9) / 4)
    assert losses["l2"].item() == pytest.approx((0.01 + 2 * 0.375**2 + 2 * 0.25 + 6 * 0.81) / 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_value_equal_to_the_threshold_is_an_event_as_in_the_scores(dtype):
    dbz = torch.arange(71, dtype=dtype)
    truth = CIKM_DBZ.to_model(dbz).float().view(1, 1, 1, 1, 71)
    known = torch.ones_like(truth, dtype=torch.bool)
    for threshold in range(71):
        weight = ThresholdWeights((threshold,), (1.0,), CIKM_DBZ)(truth)
        assert int((weight > 1).sum()) == 71 - threshold
        ((_, event),) = SoftCSI((threshold,), scaler=CIKM_DBZ).events(truth, truth, known)
        assert int(event.sum()) == 71 - threshold


@pytest.mark.parametrize("option", ["alpha", "radius"])
def test_a_focal_loss_of_negative_numbers_is_refused(option):
    with pytest.raises(ValueError, match=f"{option} must be at least 0, got -1.0"):
        HighFrequencyFocal(**{option: -1.0})


def test_settings_make_the_terms_they_name():
    settings = TrainConfig(
        l1=0.0, csi=0.5, fss=0.25, fss_window=7, softness=1.5, spectral=0.1, pinball=2.0, quantile=0.9,
        high_frequency=0.001, loss_thresholds=(20.0, 30.0), heavier=(1.0, 5.0),
    )  # fmt: skip
    objective = Objective(**settings.objective_options(CIKM_DBZ))
    assert objective.weights == {
        "l1": 0,
        "l2": 1,
        "divergence": 0,
        "csi": 0.5,
        "fss": 0.25,
        "spectral": 0.1,
        "high_frequency": 0.001,
        "pinball": 2,
    }
    csi, fss, _, _, pinball = objective.terms.values()
    assert (csi.events.thresholds, csi.events.softness, csi.events.scaler) == ((20.0, 30.0), 1.5, CIKM_DBZ)
    assert (fss.window, fss.events.softness, pinball.quantile) == (7, 1.5, 0.9)
    assert (objective.cell_weights.weights, objective.cell_weights.scaler) == ((1.0, 5.0), CIKM_DBZ)
    assert TrainConfig().objective_options(CIKM_DBZ) == {"l1": 1.0, "l2": 1.0}


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match=r"thresholds must be finite numbers .* got \[\]"):
        SoftCSI(())
    with pytest.raises(ValueError, match=r"thresholds must be finite numbers .* got \[nan\]"):
        ThresholdWeights((torch.nan,), (1,))
    with pytest.raises(ValueError, match=r"softness must be above 0, in the units of the thresholds, got 0"):
        SoftFSS((20,), softness=0)
    with pytest.raises(ValueError, match=r"window must be an odd number of cells, got 4"):
        SoftFSS((20,), window=4)
    with pytest.raises(ValueError, match=r"quantile must be in \(0, 1\), got 1"):
        Pinball(1)
    with pytest.raises(ValueError, match=r"weights must be a number of at least 0 for each of .*\[1, 2\], got \[1\]"):
        ThresholdWeights((1, 2), (1,))
    with pytest.raises(ValueError, match=r"terms must have names of their own, got \['l1'\]"):
        Objective(terms={"l1": (1.0, Pinball(0.5))})
    with pytest.raises(ValueError, match=r"pinball must be a weight of at least 0, got -1"):
        Objective(terms={"pinball": (-1.0, Pinball(0.5))})
    forecast = torch.zeros(1, 2, 1, 4, 4)
    with pytest.raises(ValueError, match=r"terms must have names of their own, got \['moment'\], losses of the model"):
        Objective(terms={"moment": (1.0, Pinball(0.5))})(
            Rollout(forecast, 1, {"moment": torch.zeros(1)}, None), torch.zeros(1, 3, 1, 4, 4)
        )
