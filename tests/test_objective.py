import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stblocks import Rollout
from stblocks.train import SpectralAmplitude
from stblocks.train.objective import Objective


@st.composite
def cases(draw):
    """A rollout from frame `first` on, true frames with some missing, and which are missing."""
    torch.manual_seed(draw(st.integers(0, 10**6)))
    batch, first, steps, channels, side = (draw(st.integers(1, 3)) for _ in range(5))
    frames = torch.rand(batch, first + steps, channels, side, side + 1, dtype=torch.float64)
    missing = torch.rand_like(frames) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    rollout = Rollout(torch.randn_like(frames[:, first:]).requires_grad_(), first, {}, None)
    return rollout, frames.masked_fill(missing, torch.nan), missing[:, first:]


@given(cases(), st.floats(0, 3), st.floats(0.1, 3))
def test_is_the_mean_over_known_cells(case, l1, l2):
    rollout, frames, missing = case
    losses = Objective(l1, l2)(rollout, frames)
    errors = [
        f - t
        for f, t, gone in zip(
            rollout.frames.flatten().tolist(),
            frames[:, rollout.first :].flatten().tolist(),
            missing.flatten().tolist(),
            strict=True,
        )
        if not gone
    ]
    count = max(len(errors), 1)
    mae, mse = math.fsum(map(abs, errors)) / count, math.fsum(e * e for e in errors) / count
    found = {name: value.item() for name, value in losses.items()}
    assert found == pytest.approx({"loss": l1 * mae + l2 * mse, "l1": mae, "l2": mse})


@given(cases())
def test_missing_cells_have_no_effect_and_no_gradient(case):
    rollout, frames, missing = case
    losses = Objective()(rollout, frames)
    losses["loss"].backward()
    assert rollout.frames.grad[missing].eq(0).all()
    assert rollout.frames.grad[~missing].ne(0).all()
    moved = rollout._replace(frames=torch.where(missing, 1e9, rollout.frames.detach()))
    assert torch.equal(Objective()(moved, frames)["loss"], losses["loss"])


def test_a_perfect_rollout_costs_nothing():
    frames = torch.rand(2, 5, 1, 4, 4)
    assert Objective()(Rollout(frames[:, 1:], 1, {}, None), frames)["loss"] == 0


def test_auxiliary_losses_are_weighted_by_name():
    frames = torch.rand(2, 3, 1, 4, 4)
    aux = {"decoupling": torch.tensor([1.0, 3.0]), "other": torch.tensor(5.0)}
    losses = Objective(aux={"decoupling": 0.5})(Rollout(frames[:, 1:], 1, aux, None), frames)
    assert (losses["decoupling"], losses["other"], losses["loss"]) == (2, 5, 0.5 * 2 + 5)


def test_the_divergence_is_that_of_the_forecast_frames():
    torch.manual_seed(0)
    frames = torch.rand(2, 7, 2, 3, 3, dtype=torch.float64)
    rollout = Rollout(torch.rand(2, 4, 2, 3, 3, dtype=torch.float64), 3, {}, None)
    losses = Objective(0.0, 1.0, divergence=0.1)(rollout, frames)
    p, q = ((each.diff(dim=1).flatten(2) / 0.1).softmax(dim=2) for each in (rollout.frames, frames[:, 3:]))
    expected = (p * (p / q).log()).mean()
    assert losses["divergence"].item() == pytest.approx(expected.item())
    assert losses["loss"].item() == pytest.approx((losses["l2"] + 0.1 * expected).item())
    assert Objective(divergence=0.1)(rollout._replace(frames=frames[:, 3:]), frames)["loss"].item() < 1e-9
    assert "divergence" not in Objective()(rollout, frames)


@given(cases())
def test_missing_cells_have_no_effect_on_the_divergence_and_no_gradient(case):
    rollout, frames, missing = case
    objective = Objective(divergence=1.0)
    losses = objective(rollout, frames)
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    assert rollout.frames.grad[missing].eq(0).all()
    moved = rollout._replace(frames=torch.where(missing, 1e9, rollout.frames.detach()))
    assert torch.equal(objective(moved, frames)["loss"], losses["loss"])


def test_half_precision_forecasts_are_summed_in_single():
    frames = torch.rand(4, 3, 1, 64, 64)
    losses = Objective(divergence=0.1)(Rollout(frames[:, 1:].to(torch.bfloat16), 1, {}, None), frames)
    assert all(value.dtype == torch.float32 for value in losses.values())


@given(cases(), st.integers(0, 3))
def test_forecasts_that_are_skipped_have_no_effect_and_no_gradient(case, skip):
    rollout, frames, _ = case
    length = rollout.frames.shape[1]
    if skip >= length:
        with pytest.raises(ValueError, match=f"skip must be below {length}, .* got {skip}"):
            Objective(skip=skip)(rollout, frames)
        return
    loss = Objective(divergence=0.1, skip=skip)(rollout, frames)["loss"]
    rest = rollout._replace(frames=rollout.frames[:, skip:], first=rollout.first + skip)
    assert torch.equal(loss, Objective(divergence=0.1)(rest, frames)["loss"])
    loss.backward()
    assert rollout.frames.grad[:, :skip].eq(0).all()


@settings(max_examples=20)
@given(cases(), st.integers(1, 4), st.sampled_from([None, 0.0, 0.3, 1.0]))
def test_intermediate_forecasts_count_less_the_earlier_they_are(case, number, decay):
    rollout, frames, _ = case
    earlier = tuple(torch.randn_like(rollout.frames) for _ in range(number))
    options = {"divergence": 0.3, "terms": {"detail": (0.7, SpectralAmplitude())}}
    alone = Objective(0.5, 2.0, **options)
    losses = Objective(0.5, 2.0, intermediate_decay=decay, **options)(rollout._replace(intermediate=earlier), frames)
    gamma = 0.8 if decay is None else decay
    each = [alone(rollout._replace(frames=made), frames)["loss"].item() for made in earlier]
    expected = sum(gamma ** (number - index) * loss for index, loss in enumerate(each))
    assert losses["intermediate"].item() == pytest.approx(expected)
    last = alone(rollout, frames)
    assert losses["loss"].item() == pytest.approx(expected + last["loss"].item())
    assert {name: losses[name] for name in last if name != "loss"} == {k: v for k, v in last.items() if k != "loss"}


def test_auxiliary_losses_count_once():
    frames = torch.rand(2, 3, 1, 4, 4)
    rollout = Rollout(frames[:, 1:], 1, {"other": torch.tensor(5.0)}, None, (frames[:, 1:], frames[:, 1:]))
    assert Objective()(rollout, frames)["loss"] == 5


def test_intermediate_forecasts_are_skipped_as_others_are():
    frames = torch.rand(2, 4, 1, 4, 4)
    wrong = torch.cat([frames[:, 1:2] + 9, frames[:, 2:]], dim=1)
    assert Objective(skip=1)(Rollout(wrong, 1, {}, None, (wrong,)), frames)["loss"] == 0


def test_errors_say_what_to_do():
    frames = torch.rand(2, 5, 1, 4, 4)
    with pytest.raises(
        ValueError, match=r"decay must be None for a rollout without intermediate .* got 0.5; .* training"
    ):
        Objective(intermediate_decay=0.5)(Rollout(frames[:, 1:], 1, {}, None), frames)
    for decay in (-0.1, 1.1):
        with pytest.raises(ValueError, match=rf"intermediate_decay must be in \[0, 1\], or None for 0.8, got {decay}"):
            Objective(intermediate_decay=decay)
    with pytest.raises(ValueError, match=r"terms must have names of their own, got \['intermediate'\]"):
        Objective(terms={"intermediate": (1.0, SpectralAmplitude())})
    rollout = Rollout(frames[:, 1:], 1, {"decoupling": torch.zeros(2)}, None)
    with pytest.raises(ValueError, match=r"l2 must be a weight of at least 0, got -1"):
        Objective(l2=-1)
    with pytest.raises(ValueError, match=r"divergence must be a weight of at least 0, got -0.1"):
        Objective(divergence=-0.1)
    for skip in (-1, 0.5):
        with pytest.raises(
            ValueError, match=f"skip must be an integer >= 0, the forecasts that do not count, got {skip}"
        ):
            Objective(skip=skip)
    with pytest.raises(ValueError, match=r"l1 and l2 must not both be 0"):
        Objective(0, 0)
    with pytest.raises(ValueError, match=r"aux must name .* which are \['decoupling'\], got \['decouple'\]"):
        Objective(aux={"decouple": 1.0})(rollout, frames)
    with pytest.raises(ValueError, match=r"shape \(2, 5, 1, 4, 4\) for this rollout, got \(2, 4, 1, 4, 4\)"):
        Objective()(rollout, frames[:, 1:])
