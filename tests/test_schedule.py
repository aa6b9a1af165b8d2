import io
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stblocks.train.schedule import (
    NoSampling,
    ReverseScheduledSampling,
    ScheduledSampling,
    learning_rate,
    sampling,
)

numbers = st.floats(0, 100)
schedules = st.one_of(
    st.builds(NoSampling),
    st.builds(ScheduledSampling, start=st.floats(0, 3), rate=st.floats(0, 1), stop_step=numbers),
    st.builds(
        lambda start, more, decay: ReverseScheduledSampling(
            start_step=start, stop_step=start + more, decay_steps=decay
        ),
        numbers,
        numbers,
        st.floats(0.1, 50),
    ),
)
frames = st.integers(1, 6)


def mask(schedule, step, batch, in_frames, out_frames, seed):
    return schedule(step, batch, in_frames, out_frames, torch.Generator().manual_seed(seed))


@given(schedules, st.integers(0, 300), st.integers(1, 4), frames, frames, st.integers(0, 99))
def test_a_mask_has_a_flag_per_step_and_the_first_is_true(schedule, step, batch, in_frames, out_frames, seed):
    drawn = mask(schedule, step, batch, in_frames, out_frames, seed)
    assert drawn.shape == (batch, in_frames + out_frames - 1)
    assert drawn.dtype == torch.bool
    assert drawn[:, 0].all()
    assert torch.equal(drawn, mask(schedule, step, batch, in_frames, out_frames, seed))
    if not isinstance(schedule, ReverseScheduledSampling):
        assert drawn[:, :in_frames].all()
    if isinstance(schedule, NoSampling):
        assert not drawn[:, in_frames:].any()


@given(schedules, st.integers(0, 300), frames, frames)
def test_chances_lie_in_0_1_and_go_towards_forecasting(schedule, step, in_frames, out_frames):
    before, after = (schedule.probabilities(each, in_frames, out_frames) for each in (step, step + 1))
    assert ((before >= 0) & (before <= 1)).all()
    assert (after[:in_frames] >= before[:in_frames]).all(), "observed frames are fed ever more often"
    assert (after[in_frames:] <= before[in_frames:]).all(), "later ones ever more rarely"


@given(schedules, st.integers(0, 100))
def test_flags_come_as_often_as_said(schedule, step):
    drawn = mask(schedule, step, 4000, 3, 3, step)
    assert (drawn.double().mean(0) - schedule.probabilities(step, 3, 3)).abs().max() < 0.05


@pytest.mark.parametrize("name", ["none", "scheduled", "reverse"])
@pytest.mark.parametrize("total", [1, 7, 1000])
def test_every_run_ends_as_forecasting_is(name, total):
    end = sampling(name, total).probabilities(total - 1 if total > 1 else 1, 3, 4)
    assert end.tolist() == [1, 1, 1, 0, 0, 0]


def test_named_schedules_have_the_released_settings_at_their_length():
    assert vars(sampling("scheduled", 80_000)) == pytest.approx(vars(ScheduledSampling()))
    assert vars(sampling("reverse", 80_000)) == vars(ReverseScheduledSampling())


@pytest.mark.parametrize("name", ["scheduled", "reverse"])
def test_a_schedule_may_end_at_any_step_of_a_run_of_any_length(name):
    early, late = sampling(name, 375_000, 50_000), sampling(name, 10, 50_000)
    assert vars(early) == vars(late) == pytest.approx(vars(sampling(name, 80_000)))
    assert early.eta(49_900) > 0
    assert early.eta(50_000) == 0
    with pytest.raises(ValueError, match="stop_step must be at least 1, got 0"):
        sampling(name, 10, 0)


def course(name, total, warmup, lr=(1.0,)):
    optimizer = torch.optim.AdamW([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": each} for each in lr])
    schedule, rates = learning_rate(name, optimizer, total, warmup=warmup), []
    for _ in range(total):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return rates


@given(
    st.sampled_from(["onecycle", "cosine", "constant"]), st.integers(1, 60), st.sampled_from([0, 0.1, 0.3, 0.5, 0.9])
)
def test_the_rate_rises_as_long_as_said_then_falls(name, total, warmup):
    rates = [rate for (rate,) in course(name, total, warmup)]
    top = rates.index(max(rates))
    assert all(0 <= rate <= 1 + 1e-12 for rate in rates)
    assert abs(top - (warmup * total - 1 if warmup * total > 1 else 0)) <= 1
    assert all(b > a for a, b in pairwise(rates[: top + 1]))
    if name == "constant":
        assert set(rates[top:]) == {1.0}
    else:
        assert all(b < a for a, b in pairwise(rates[top:]))


@given(st.sampled_from(["onecycle", "cosine", "constant"]), st.integers(1, 6), st.floats(0, 0.99))
def test_short_runs_train_too(name, total, warmup):
    assert max(rate for (rate,) in course(name, total, warmup)) >= 0.5


@pytest.mark.parametrize("name", ["onecycle", "cosine", "constant"])
def test_groups_keep_their_own_rates(name):
    assert all(slow == pytest.approx(fast / 10) for fast, slow in course(name, 12, 0.25, lr=(1.0, 0.1)))


@pytest.mark.parametrize("name", ["onecycle", "cosine", "constant"])
@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.SGD])
def test_resumes_through_state_dicts(name, make):
    def start():
        optimizer = make([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        return optimizer, learning_rate(name, optimizer, 20, warmup=0.2)

    def advance(optimizer, schedule, steps):
        seen = []
        for _ in range(steps):
            group = optimizer.param_groups[0]
            seen.append((group["lr"], group.get("betas"), group.get("momentum")))
            optimizer.step()
            schedule.step()
        return seen

    unbroken = advance(*start(), 20)
    first = start()
    advance(*first, 8)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in first], file)
    file.seek(0)
    second = start()
    for part, state in zip(second, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    assert advance(*second, 12) == unbroken[8:]


def test_errors_name_the_argument_and_the_value():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    with pytest.raises(ValueError, match=r"rate must be at least 0, got -1"):
        ScheduledSampling(rate=-1)
    with pytest.raises(ValueError, match=r"stop_step must be at least start_step=5, got 4"):
        ReverseScheduledSampling(start_step=5, stop_step=4)
    with pytest.raises(ValueError, match=r"decay_steps must be above 0"):
        ReverseScheduledSampling(decay_steps=0)
    with pytest.raises(ValueError, match=r"sampling must be 'none', 'scheduled' or 'reverse', got 'linear'"):
        sampling("linear", 10)
    with pytest.raises(ValueError, match=r"schedule must be 'onecycle', 'cosine' or 'constant', got 'cos'"):
        learning_rate("cos", optimizer, 10)
    with pytest.raises(ValueError, match=r"total_steps must be at least 1, got 0"):
        learning_rate("cosine", optimizer, 0)
    with pytest.raises(ValueError, match=r"warmup must be a fraction .* got 1"):
        learning_rate("cosine", optimizer, 10, warmup=1)
