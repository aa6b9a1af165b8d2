"""PredNet against its algorithm, written out level by level; the slots that lead up the U and down again."""

import pytest
import torch
from torch.nn.functional import interpolate, max_pool2d

from stblocks import DEPTH, ZIGZAG, Cell, Expectation, PredictionError, RecurrentStack, Representation, create_model


def small(**options):
    torch.manual_seed(0)
    model = create_model("prednet", in_channels=2, widths=[3, 4], **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return model


def cells(model, kind):
    """Blocks of a kind, by level."""
    found = [stage for stage in model.modules() if isinstance(stage, kind)]
    return found if kind is PredictionError else found[::-1]


def test_a_sequence_by_hand():
    """Algorithm 1 of the paper: errors from the bottom to the top, then representations from the top to the bottom."""
    model, steps = small(), 4
    errors, representations, expectations = (cells(model, k) for k in (PredictionError, Representation, Expectation))
    frames = torch.rand(2, steps, 2, 8, 12, dtype=torch.float64)
    sizes = [(2, 2, 8, 12), (2, 3, 4, 6), (2, 4, 2, 3)]
    r, c, expected = ([frames.new_zeros(size) for size in sizes] for _ in range(3))
    forecasts = []
    for t in range(steps):
        a, e = frames[:, t], []
        for level in range(3):
            e.append(torch.cat([torch.relu(a - expected[level]), torch.relu(expected[level] - a)], dim=1))  # (3)
            if level < 2:
                a = max_pool2d(torch.relu(errors[level].up(e[level])), 2)  # (1)
        for level in (2, 1, 0):
            seen = [e[level]] if level == 2 else [interpolate(r[level + 1], scale_factor=2), e[level]]
            r[level], c[level], _ = representations[level].lstm(torch.cat(seen, dim=1), r[level], c[level])  # (4)
            expected[level] = torch.relu(expectations[level].conv(r[level]))  # (2)
        expected[0] = expected[0].clamp(max=1)
        forecasts.append(expected[0])
    torch.testing.assert_close(model.rollout(frames, 1).frames, torch.stack(forecasts, dim=1))
    assert 0 < torch.stack(forecasts).mean() < 1


def test_errors_climb_within_a_step_and_expectations_wait_for_the_next():
    model = small()
    assert [model.stack.routes[f"e{level}"] for level in (0, 1)] == [DEPTH] * 2
    assert [model.stack.routes[f"a{level}"] for level in (0, 1, 2)] == [ZIGZAG] * 3
    frame = torch.rand(1, 2, 16, 8, dtype=torch.float64)
    forecast, state = model.step(frame)
    assert state["zigzag"]["a0"].equal(forecast)
    assert state["zigzag"]["a2"].shape == (1, 4, 4, 2)
    start = model.stack.init_state(frame)
    assert all(own is not None for own in start["layers"])
    torch.testing.assert_close(model.step(frame, start)[0], forecast)


def test_what_is_expected_is_no_error():
    """A frame that is just what was expected leaves nothing to pass up."""
    error = PredictionError(2, 3)
    x = torch.rand(1, 2, 4, 4)
    h, e = error(x, x)
    assert not e.any()
    torch.testing.assert_close(h, torch.relu(error.up.bias).view(1, 3, 1, 1).expand_as(h))
    assert PredictionError(2, None)(x).equal(torch.cat([x, torch.zeros_like(x)], dim=1))


def test_a_level_whose_error_nobody_makes_is_refused():
    with pytest.raises(ValueError, match=r"layer 0 reads e1 \(error of level 1\), which no lower layer writes"):
        RecurrentStack([Cell(Representation(3, 4, level=1))])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": []}, "widths must hold the channels of one level at least, got none"),
        ({"widths": [4, 0]}, r"widths\[1\] must be an integer >= 1, got 0"),
        ({"kernel_size": 4}, "kernel_size must be an odd integer"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        create_model("prednet", **options)
