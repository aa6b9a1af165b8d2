import csv
import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset

from stblocks import create_model
from stblocks.data import Scaler, SequenceWindows, SyntheticRadar
from stblocks.score import EnsembleScores, Scores, Spectra, evaluate, persistence
from stblocks.score.metrics import value_metrics
from stblocks.score.scores import precise
from stblocks.score.verification import events
from stblocks.viz import power_spectrum

DBZ = Scaler(offset=-10.0, scale=95.0, unit="dBZ")
THRESHOLDS = (20, 37.5)
VALUES = tuple(name for name in value_metrics(DBZ) if not name.startswith("lpips"))  # which has a file of its own


@st.composite
def cases(draw, largest=9, missing=True):
    """A forecast and its truth, in steps of 0.5 dBZ so that some values lie on a threshold, with missing cells."""
    torch.manual_seed(draw(st.integers(0, 10**6)))
    shape = [
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 2)),
        *(draw(st.integers(7, largest)) for _ in range(2)),
    ]
    prediction, target = DBZ.to_model(torch.randint(20, 100, (2, *shape)) / 2)
    if missing:
        target[torch.rand(shape) < draw(st.sampled_from([0.0, 0.02, 0.3]))] = torch.nan
    return prediction, target


def new_scores():
    return Scores(THRESHOLDS, DBZ, VALUES, windows=(1, 5))


def scored(*pairs):
    scores = new_scores()
    for pair in pairs:
        scores.update(*pair)
    return scores.compute()


def same(a, b):
    rows, others = ([list(row.values()) for row in (table.pooled, *table.lead)] for table in (a, b))
    return a.pooled.keys() == b.pooled.keys() and torch.allclose(*map(torch.tensor, (rows, others)), equal_nan=True)


def ratio(a, b):
    return a / b if b else math.nan


def brute_force(prediction, target):
    """Scores of errors and events, cell by cell."""
    cells = zip(prediction.flatten().tolist(), target.flatten().tolist(), strict=True)
    frames, known = prediction.shape[0] * prediction.shape[1], [pair for pair in cells if not math.isnan(pair[1])]
    size = prediction.numel() / frames
    mae = ratio(sum(abs(p - t) for p, t in known), len(known))
    mse = ratio(sum((p - t) ** 2 for p, t in known), len(known))
    found = {
        "mse@pixel": mse,
        "mse@frame_sum": mse * size,
        "mae@pixel": mae,
        "mae@frame_sum": mae * size,
        "rmse@pixel": math.sqrt(mse),
        "rmse@frame_sum": math.sqrt(mse * size),
        "mae@physical": mae * 95,
        "rmse@physical": math.sqrt(mse) * 95,
    }
    for threshold in THRESHOLDS:
        counts = {(f, o): 0 for f in (True, False) for o in (True, False)}
        for p, t in known:  # rounded, since values are multiples of 0.5 dBZ
            counts[round(p * 95 - 10, 3) >= threshold, round(t * 95 - 10, 3) >= threshold] += 1
        hits, alarms, misses, negatives = (counts[key] for key in product((True, False), (True, False)))
        found |= {
            f"csi@{threshold}": ratio(hits, hits + misses + alarms),
            f"pod@{threshold}": ratio(hits, hits + misses),
            f"far@{threshold}": ratio(alarms, hits + alarms),
            f"bias@{threshold}": ratio(hits + alarms, hits + misses),
            f"hss@{threshold}": ratio(
                2 * (hits * negatives - misses * alarms),
                (hits + misses) * (misses + negatives) + (hits + alarms) * (alarms + negatives),
            ),
        }
    return found


@settings(max_examples=40)
@given(cases(largest=8))
def test_agrees_with_counting_cell_by_cell(case):
    table = scored(case)
    for found, expected in [
        (table.pooled, brute_force(*case)),
        *((row, brute_force(*(each[:, [t]] for each in case))) for t, row in enumerate(table.lead)),
    ]:
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-6, nan_ok=True), name


@given(cases(), st.data())
def test_streaming_and_merging_equal_the_whole(case, data):
    whole = scored(case)
    cut = data.draw(st.integers(0, len(case[0])))
    parts = [pair for pair in ([each[:cut] for each in case], [each[cut:] for each in case]) if len(pair[0])]
    assert same(scored(*parts), whole)
    ranks = [new_scores() for _ in range(3)]  # the last one had no batch
    for rank, part in zip(ranks, parts, strict=False):
        rank.update(*part)
    total = new_scores()
    for rank in ranks:
        total.merge(rank.state())
    assert same(total.compute(), whole)
    assert all(value.is_floating_point() != key.startswith("counts") for key, value in total.state().items())


@given(cases())
def test_forecasts_of_missing_cells_change_nothing(case):
    prediction, target = case
    assert same(scored((torch.where(target.isnan(), torch.rand(target.shape), prediction), target)), scored(case))


@given(cases())
def test_samples_may_come_in_any_order(case):
    assert same(scored([each.flip(0) for each in case]), scored(case))


@given(cases(missing=False), st.sampled_from([-0.3, 0.0, 0.5]))
def test_a_perfect_forecast(case, shift):
    """Even where the truth leaves the range from 0 to 1 by a little."""
    truth = (case[1] + shift).clamp(-0.09, 1.09)
    pooled = scored((truth, truth)).pooled
    assert all(pooled[name] == 0 for name in pooled if name.startswith(("mse", "mae", "rmse")))
    assert all(math.isnan(pooled[name]) for name in pooled if name.startswith(("psnr", "snr"))), "no error, no ratio"
    best = {
        name: value for name, value in pooled.items() if name.startswith(("ssim", "csi", "pod", "hss", "bias", "fss"))
    }
    assert all(value == pytest.approx(1) or math.isnan(value) for value in best.values())
    assert all(pooled[f"far@{threshold}"] in (0, pytest.approx(math.nan, nan_ok=True)) for threshold in THRESHOLDS)


def test_scores_of_nothing_are_nan_and_others_are_not():
    wet, dry = torch.ones(1, 1, 1, 4, 4), torch.zeros(1, 1, 1, 4, 4)

    def of(prediction, target):
        scores = Scores((20,), DBZ, metrics=())
        scores.update(prediction, target)
        return list(scores.compute().pooled.values())

    nan = math.nan
    for pair, expected in [  # csi, pod, far, hss, bias
        ((dry, dry), [nan, nan, nan, nan, nan]),
        ((wet, wet), [1, 1, 0, nan, 1]),
        ((wet, dry), [0, nan, 1, 0, nan]),
        ((dry, wet), [0, 0, nan, 0, 0]),
    ]:
        assert of(*pair) == pytest.approx(expected, nan_ok=True)


def test_no_score_of_dry_scenes_is_infinite_and_they_decide_none():
    dry, (p, t) = torch.zeros(2, 3, 1, 8, 8), torch.rand(2, 2, 3, 1, 8, 8)
    none, alone = scored((dry, dry)), scored((p, t))
    assert not any(map(math.isinf, [*none.pooled.values(), *(v for row in none.lead for v in row.values())]))
    assert [none.pooled[name] for name in ("mse@pixel", "mae@physical", "ssim@uniform7")] == [0, 0, 1]
    for false_alarm in (0, 0.5):  # a dry truth has no SNR, whatever is forecast
        both = scored((p, t), (dry + false_alarm, dry))
        assert all(map(math.isfinite, both.pooled.values()))
        assert both.pooled["snr@frame_mean"] == pytest.approx(alone.pooled["snr@frame_mean"])
        same_psnr = both.pooled["psnr@frame_mean"] == pytest.approx(alone.pooled["psnr@frame_mean"])
        assert same_psnr == (false_alarm == 0)


def test_no_scores_keep_the_history_of_a_forecast(tmp_path):
    """With it, memory would grow from batch to batch."""
    forecast, truth = torch.rand(2, 2, 2, 1, 8, 8, requires_grad=True), torch.rand(2, 2, 1, 8, 8)
    ensemble, spectra = EnsembleScores((20,), DBZ, windows=(3,)), Spectra()
    ensemble.update(forecast, truth)
    spectra.update(forecast, truth)
    scores = new_scores()
    scores.update(forecast[:, 0], truth)
    spectrum = spectra.compute()
    assert not any(sums.requires_grad for sums in (*scores.state().values(), *ensemble.state().values(), *spectrum))
    assert scores.compute().pooled["mse@pixel"] > 0
    power_spectrum({"model": spectrum}, tmp_path / "spectrum.png")


BOUNDED = [name for name in VALUES if name.startswith(("psnr", "snr", "ssim"))]


@pytest.mark.parametrize("scaler", [Scaler(), Scaler(280.0, 10.0, "K"), Scaler((280.0,), (10.0,))])
def test_scores_of_a_range_are_those_of_values_brought_to_0_and_1(scaler):
    p, t = torch.rand(2, 2, 3, 1, 8, 8)
    expected = scored((p, t)).pooled
    for low, high in ((200.0, 320.0), ((200.0,), (320.0,))):
        scores = Scores(scaler=scaler, metrics=BOUNDED, data_range=(low, high))
        scores.update(*(scaler.to_model(200 + 120 * each.double()) for each in (p, t)))
        assert scores.compute().pooled == pytest.approx({name: expected[name] for name in BOUNDED}, rel=1e-3)


def test_a_range_for_each_channel():
    p, t = torch.rand(2, 2, 3, 2, 8, 8)
    scaler = Scaler((280.0, 5e4), (10.0, 1e3), ("K", "m2 s-2"))
    low, high = (250.0, 4.8e4), (310.0, 5.2e4)
    unit = Scaler(low, (60.0, 4e3))
    scores = Scores(scaler=scaler, metrics=BOUNDED, data_range=(low, high))
    scores.update(*(scaler.to_model(unit.to_physical(each)) for each in (p, t)))
    whole = Scores(metrics=BOUNDED)
    whole.update(p, t)
    assert scores.compute().pooled == pytest.approx(whole.compute().pooled, rel=1e-3)


@pytest.mark.parametrize("values", ["standardised", "0 to 255"])
def test_scores_of_other_ranges_than_0_to_1_are_nan_and_say_what_to_do(values):
    truth = torch.randn(2, 3, 1, 16, 16)
    truth = truth if values == "standardised" else 128 + 40 * truth
    scores = Scores(metrics=VALUES, scaler=DBZ)
    with pytest.warns(UserWarning, match=r"from 0 to 1, .* are NaN. Pass data_range=\(low, high\), physical"):
        scores.update(truth, truth)
    pooled = scores.compute().pooled
    assert all(math.isnan(pooled[name]) == (name in BOUNDED) for name in pooled)
    ranged = Scores(data_range=(float(truth.min()), float(truth.max())), metrics=BOUNDED)
    ranged.update(truth, truth)
    assert ranged.compute().pooled["ssim@uniform7"] == pytest.approx(1)


def test_a_truth_a_little_out_of_range_has_scores_and_one_lead_time_spoils_no_other():
    truth = torch.rand(2, 3, 1, 8, 8)
    truth[0, 0, 0, 0, :2] = torch.tensor([-0.09, 1.09])
    assert not any(map(math.isnan, scored((truth * 0.9, truth)).pooled.values()))
    truth[0, 0, 0, 0, 0] = -0.11
    with pytest.warns(UserWarning, match="the truth reaches further"):
        table = scored((truth * 0.9, truth))
    assert [math.isnan(row["ssim@uniform7"]) for row in table.lead] == [True, False, False]
    assert math.isnan(table.pooled["psnr@pixel"])


@pytest.mark.parametrize(
    "wrong", [(1.0, 1.0), (2.0, 1.0), 3.0, ("a", "b"), (0.0,), ((0.0,), (1.0, 2.0)), (0.0, math.inf)]
)
def test_a_range_must_be_one(wrong):
    with pytest.raises(ValueError, match=r"data_range must be the least and the largest physical value, such as"):
        Scores(data_range=wrong)


def test_lead_times_without_truth_are_nan_and_leave_the_rest_alone():
    prediction, target = torch.rand(2, 2, 3, 1, 8, 8).unbind(0)
    target[:, 1] = torch.nan
    whole, rest = scored((prediction, target)), scored((prediction[:, ::2], target[:, ::2]))
    assert all(map(math.isnan, whole.lead[1].values()))
    assert whole.pooled == pytest.approx(rest.pooled, nan_ok=True)


@given(cases(), st.sampled_from(["ssim@uniform7", "ssim@uniform7_range2"]))
def test_ssim_window_by_window(case, name):
    prediction, target = (each.double() for each in case)
    span, per_frame = {"ssim@uniform7": 1, "ssim@uniform7_range2": 2}[name], []
    for x, y in zip(prediction.clamp(0, 1).flatten(0, 1), target.flatten(0, 1), strict=True):
        windows = []
        for channel, i, j in product(range(len(x)), range(x.shape[1] - 6), range(x.shape[2] - 6)):
            pair = torch.stack([each[channel, i : i + 7, j : j + 7].flatten() for each in (x, y)])
            if not pair.isnan().any():
                (mx, my), ((vx, vxy), (_, vy)) = pair.mean(1).tolist(), pair.cov().tolist()
                c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
                windows.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
        if windows:
            per_frame.append(sum(windows) / len(windows))
    expected = sum(per_frame) / len(per_frame) if per_frame else math.nan
    assert scored(case).pooled[name] == pytest.approx(expected, rel=1e-9, nan_ok=True)


@given(cases())
def test_psnr_frame_by_frame(case):
    prediction, target = (each.double() for each in case)
    per_frame = []
    for p, t in zip(prediction.clamp(0, 1).flatten(0, 1), target.flatten(0, 1), strict=True):
        known = ~t.isnan()
        per_frame.append(-10 * math.log10((p - t)[known].square().mean()))
    assert scored(case).pooled["psnr@frame_mean"] == pytest.approx(sum(per_frame) / len(per_frame))


@settings(max_examples=20)
@given(cases(largest=7))
def test_fractions_skill_score_window_by_window(case):
    prediction, target = case
    table, known = scored(case), ~case[1].isnan()
    for threshold, window in product(THRESHOLDS, (1, 5)):
        difference = total = 0.0
        for b, t, c, i, j in known.nonzero().tolist():
            rows, columns = (slice(max(k - window // 2, 0), k + window // 2 + 1) for k in (i, j))
            inside = known[b, t, c, rows, columns]
            f, o = (
                (each[b, t, c, rows, columns][inside] * 95 - 10 >= threshold - 1e-3).double().mean().item()
                for each in (prediction, target)
            )
            difference, total = difference + (f - o) ** 2, total + f**2 + o**2
        expected = 1 - ratio(difference, total)
        assert table.pooled[f"fss{window}@{threshold}"] == pytest.approx(expected, nan_ok=True)


@given(
    st.floats(-30, 70),
    st.sampled_from([0.37, -3.0, 95.0]),
    st.floats(-40, 40),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_a_value_equal_to_the_threshold_is_an_event(threshold, scale, offset, dtype):
    scaler = Scaler(offset, scale)
    cell = scaler.to_model(torch.full((1, 1, 1, 1, 1), threshold, dtype=dtype)).float()  # as data sets scale it
    scores = Scores((threshold,), scaler, metrics=())
    scores.update(cell, cell)
    assert scores.compute().pooled[f"csi@{threshold:g}"] == 1


def test_every_tenth_of_a_millimetre_counts():
    """Rain in double precision, as NumPy has it, scaled and rounded as by a data set."""
    rain = np.round(np.random.default_rng(0).gamma(0.5, 4.0, (4, 1, 16, 16)), 1)
    data = SequenceWindows(rain, 2, 2, scaler=Scaler(0.0, 60.0))
    truth = precise(data[0].future[None])
    for threshold in np.arange(1, 200) / 10:
        assert int(events(truth, threshold, data.scaler).sum()) == int((rain[2:] >= threshold).sum())


def test_parts_in_other_units_have_no_scores_in_physical_units():
    model, frames = create_model("persistence"), np.random.default_rng(0).random((4, 1, 8, 8))
    data = ConcatDataset([SequenceWindows(frames, 2, 2, scaler=Scaler(0.0, scale)) for scale in (10.0, 100.0)])
    assert evaluate(model, data, metrics=("mse@pixel",))["model"].pooled["mse@pixel"] > 0
    for options in ({"thresholds": (5,)}, {"metrics": ("rmse@physical",)}):
        with pytest.raises(ValueError, match=r"thresholds and scores @physical must be in units that all data share"):
            evaluate(model, data, **options)
    same = ConcatDataset(data.datasets[:1] * 2)
    assert evaluate(model, same, thresholds=(0.5,))["model"].pooled["csi@0.5"] > 0


def test_evaluation_leaves_frozen_parts_frozen():
    model = create_model("convlstm", channels=4, num_layers=1, patch_size=2).train()
    model.stack.eval()
    evaluate(model, SyntheticRadar(1, size=(8, 8), in_frames=2, out_frames=1), metrics=("mse@pixel",))
    assert model.training
    assert not any(part.training for part in model.stack.modules())


def test_persistence_repeats_the_last_frame():
    past = torch.rand(2, 3, 1, 4, 5)
    forecast = persistence(past, 4)
    assert forecast.shape == (2, 4, 1, 4, 5)
    assert all(torch.equal(frame, past[:, -1]) for frame in forecast.unbind(1))


def test_persistence_stands_beside_the_model_in_the_table(tmp_path):
    past, future = torch.rand(2, 3, 1, 8, 8), torch.rand(2, 2, 1, 8, 8)
    model, still = new_scores(), new_scores()
    model.update(future * 0.9, future)
    still.update(persistence(past, 2), future)
    model, still = model.compute(), still.compute("persistence")
    lines = model.to_markdown(still, columns=["mse@pixel", "csi@20"]).splitlines()
    assert lines[0].replace(" ", "") == "|forecast|lead|mse@pixel|csi@20|"
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["model", "persistence"] * 3
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["all", "all", "1", "1", "2", "2"]
    assert len({len(line) for line in lines}) == 1
    model.to_csv(tmp_path / "deep" / "scores.csv", still)
    with open(tmp_path / "deep" / "scores.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["forecast"], row["lead"]) for row in rows[:3]] == [
        ("model", "all"),
        ("persistence", "all"),
        ("model", "1"),
    ]
    for row, values in zip(rows, [model.pooled, still.pooled, model.lead[0]], strict=False):
        assert {name: float(row[name] or "nan") for name in values} == pytest.approx(values, nan_ok=True, rel=0)


@pytest.mark.parametrize(
    "thresholds",
    [
        [torch.tensor(20.0), torch.tensor(30)],
        [np.float32(20), np.int16(30)],
        np.array([20, 30]),
        torch.arange(20, 31, 10),
    ],
)
def test_numbers_of_arrays_and_tensors_are_numbers(thresholds):
    scores = Scores(thresholds, windows=[torch.tensor(3), np.int64(5)])
    assert scores.metrics.keys() == Scores((20, 30), windows=(3, 5)).metrics.keys()


def test_errors_say_what_to_do(tmp_path):
    frames = torch.rand(2, 3, 1, 8, 8)
    scores = new_scores()
    with pytest.raises(ValueError, match=r"call update\(prediction, target\)"):
        scores.compute()
    with pytest.raises(ValueError, match=r"must both be \(B, T, C, H, W\), got \(2, 3, 1, 8, 8\) and \(3, 1, 8, 8\)"):
        scores.update(frames, frames[0])
    bad = frames.clone()
    bad[1, 2, 0, 3, 4] = torch.nan
    with pytest.raises(ValueError, match=r"prediction must be finite, got prediction\[1, 2\] with 1 cells"):
        scores.update(bad, frames)
    with pytest.raises(ValueError, match=r"target must be finite"):
        scores.update(frames, frames / 0)
    assert not scores.state(), "a refused batch leaves no trace"
    scores.update(frames, frames)
    with pytest.raises(ValueError, match=r"state must hold .* make a new Scores for another horizon"):
        scores.update(frames[:, :2], frames[:, :2])
    with pytest.raises(ValueError, match=r"state must hold"):
        scores.merge(Scores().state() | {"error": torch.zeros(3, 5)})
    with pytest.raises(
        ValueError, match=r"at least 7 x 7 pixels, got \(6, 8\); Scores\(metrics=...\) can leave it out"
    ):
        Scores().update(frames[..., :6, :], frames[..., :6, :])
    with pytest.raises(ValueError, match=r"metrics must be among mse@pixel, .*, got mse"):
        Scores(metrics=["mse"])
    for number in (5, np.array(5), torch.tensor(5), map(float, "5")):  # the last could be gone through once
        with pytest.raises(ValueError, match=r"thresholds must be a list of numbers, got "):
            Scores(number)
    for wrong in (["3"], [True], [[5]], np.array([[5]])):
        with pytest.raises(ValueError, match=r"thresholds must be a list of numbers, got "):
            Scores(wrong)
    for wrong in (3, [3.0], np.array([3.0])):
        with pytest.raises(ValueError, match=r"windows must be a list of integers, got (array\()?\[?3"):
            Scores((5,), windows=wrong)
    with pytest.raises(ValueError, match=r"metrics must be a list of names, got \[1\]"):
        Scores(metrics=[1])
    with pytest.raises(ValueError, match=r"metrics must be a list of names, got 'mse@pixel'"):
        Scores(metrics="mse@pixel")
    with pytest.raises(ValueError, match=r"windows must be odd numbers of pixels, got \[4\]"):
        Scores((20,), windows=(3, 4))
    for thresholds in ((101325.0, 101325.4), (20, torch.nan)):
        with pytest.raises(
            ValueError, match=r"thresholds must be numbers that differ in their first six digits, .* got"
        ):
            Scores(thresholds)
    assert Scores((20, 20.0)).metrics.keys() == Scores((20,)).metrics.keys()
    with pytest.raises(ValueError, match=r"windows need thresholds"):
        Scores(windows=(3,))
    with pytest.raises(ValueError, match=r"nothing to score"):
        Scores(metrics=())
    table = scores.compute()
    with pytest.raises(ValueError, match=r"columns must be metrics of the table, .*; got \['csi'\]"):
        table.to_markdown(columns=["csi"])
    other = Scores()
    other.update(frames, frames)
    with pytest.raises(ValueError, match=r"which 'persistence' has not"):
        table.to_markdown(other.compute("persistence"))
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"path must be a file that can be written.*name another directory"):
        table.to_csv(tmp_path / "file" / "scores.csv")


@pytest.mark.parametrize("make", [np.array, torch.tensor, tuple], ids=["array", "tensor", "tuple"])
def test_thresholds_and_windows_may_be_arrays(make):
    thresholds, windows = make([20.0, 20.0, 40.5]), make([3, 5])
    data, model = SyntheticRadar(1, 2, 2, size=(8, 8)), create_model("persistence")
    found = evaluate(model, data, thresholds=thresholds, windows=windows, metrics=np.array(["mse@pixel"]))
    expected = evaluate(model, data, thresholds=[20, 40.5], windows=[3, 5], metrics=["mse@pixel"])
    assert found["model"].pooled == pytest.approx(expected["model"].pooled, nan_ok=True)
    assert "fss5@40.5" in found["model"].pooled


def test_a_data_set_holds_samples():
    with pytest.raises(
        ValueError, match=r"data must be a data set of samples \(past, future\), got Tensor with samples"
    ):
        evaluate(create_model("convlstm", channels=2, num_layers=1), torch.rand(4, 5, 1, 8, 8))


def test_agreement_with_scikit_image():
    peer = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    rng = np.random.default_rng(0)
    truth = rng.random((2, 3, 2, 15, 20)).astype(np.float32)
    forecast = np.clip(truth + 0.1 * rng.normal(size=truth.shape), 0, 1).astype(np.float32)
    scores = Scores(metrics=("psnr@frame_mean", "ssim@uniform7"))
    scores.update(torch.from_numpy(forecast), torch.from_numpy(truth))
    pairs = [(truth[b, t], forecast[b, t]) for b in range(2) for t in range(3)]
    psnr = np.mean([peer.peak_signal_noise_ratio(*pair, data_range=1.0) for pair in pairs])
    ssim = np.mean([peer.structural_similarity(*pair, data_range=1.0, channel_axis=0) for pair in pairs])
    found = scores.compute("model").pooled
    assert found["psnr@frame_mean"] == pytest.approx(psnr, abs=1e-5)
    assert found["ssim@uniform7"] == pytest.approx(ssim, abs=1e-5)


def test_agreement_with_pysteps():
    categories = pytest.importorskip("pysteps.verification.detcatscores", reason="pysteps is not installed")
    spatial = pytest.importorskip("pysteps.verification.spatialscores")
    ensembles = pytest.importorskip("pysteps.verification.probscores")
    rng = np.random.default_rng(0)
    members, truth = np.zeros((4, 1, 1, 1, 30, 40), np.float32), np.zeros((1, 1, 1, 30, 40), np.float32)
    for rain in (*members, truth):  # none near the border, where windows are cut in ways of their own
        rain[..., 5:-5, 5:-5] = rng.random((1, 1, 1, 20, 30))
    scores = Scores((0.6,), metrics=(), windows=(5,))
    scores.update(torch.from_numpy(members[0]), torch.from_numpy(truth))
    found, pair = scores.compute("model").pooled, (members[0].squeeze(), truth.squeeze())
    theirs = categories.det_cat_fct(*pair, thr=np.float32(0.6), scores=("CSI", "POD", "FAR", "HSS", "BIAS"))
    for name, score in theirs.items():
        assert found[f"{name.lower()}@0.6"] == pytest.approx(score, abs=1e-6)
    assert found["fss5@0.6"] == pytest.approx(spatial.fss(*pair, thr=np.float32(0.6), scale=5), abs=1e-6)
    ensemble = EnsembleScores((0.6,), metrics=())
    ensemble.update(torch.from_numpy(members).transpose(0, 1), torch.from_numpy(truth))
    crps = ensembles.CRPS(members.squeeze(), truth.squeeze())
    assert ensemble.compute("model").pooled["crps@pixel"] == pytest.approx(crps, abs=1e-6)
