"""MAU against its equations; its past; the shortcuts around its convolutions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from stblocks import MAU, Cell, create_model
from stblocks.slots import PAST_C, PAST_X
from stblocks.testing import check_cell, example


@settings(max_examples=8)
@given(tau=st.integers(1, 4), residual=st.booleans(), seed=st.integers(0, 99))
def test_a_unit_by_hand(tau, residual, seed):
    unit, (x, c, past_x, past_c) = example(lambda: MAU(4, kernel_size=3, tau=tau, residual=residual), seed=seed)

    def of(layer, maps):
        return conv2d(maps, layer.weight, layer.bias, padding=1)

    query, u = of(unit.conv_query, x), torch.sigmoid(of(unit.conv_gate, c))
    scores = [(query * key).sum((1, 2, 3)) / math.sqrt(4 * 5 * 3) for key in past_x.split(4, dim=1)]
    total = sum(score.exp() for score in scores)
    q = [(score.exp() / total).view(-1, 1, 1, 1) for score in scores]  # (a)
    mean = sum(weight * value for weight, value in zip(q, past_c.split(4, dim=1), strict=True))  # (b)
    a = u * c + (1 - u) * mean  # (c)
    (u_c, a_c, a_h), (u_h, x_c, x_h) = of(unit.conv_c, a).chunk(3, 1), of(unit.conv_x, x).chunk(3, 1)
    u_c, u_h = torch.sigmoid(u_c), torch.sigmoid(u_h)
    expected_c, expected_h = u_c * a_c + (1 - u_c) * x_c, u_h * x_h + (1 - u_h) * a_h  # (d, e)
    h, c, *_, o = unit(x, c, past_x, past_c)
    torch.testing.assert_close(h, expected_h + x if residual else expected_h)
    torch.testing.assert_close(c, expected_c)
    torch.testing.assert_close(o, u_h)


def test_the_past_is_the_last_steps_oldest_first():
    cell, states, outputs = Cell(MAU(2, kernel_size=1, tau=3)), [], []
    xs, state = torch.rand(5, 1, 2, 4, 3), None
    for x in xs:
        h, state = cell(x, state)
        states.append(state)
        outputs.append(h)
    assert states[-1]["past_x"].equal(torch.cat(list(xs[-3:]), dim=1))
    assert states[-1]["past_c"].equal(torch.cat([each["c"] for each in states[-3:]], dim=1))
    assert states[1]["past_x"][:, :2].eq(0).all()
    assert states[2]["h"].equal(outputs[2])


def test_the_oldest_step_is_seen_and_then_let_go():
    torch.manual_seed(0)
    cell, x = Cell(MAU(2, kernel_size=1, tau=2)).requires_grad_(False), torch.rand(1, 2, 4, 3)
    _, state = cell(x)
    for name in (PAST_X.name, PAST_C.name):
        oldest = state[name].clone()
        oldest[:, :2] += 1
        seen, after = cell(x, state | {name: oldest})
        assert not torch.equal(seen, cell(x, state)[0])
        assert after[name][:, :2].equal(state[name][:, 2:])
    check_cell(Cell(MAU(4, kernel_size=3, tau=2)))


def test_recall_adds_what_the_encoder_saw():
    """Without the way through the units, the frame comes out of the encoder's first layer and the head."""
    torch.manual_seed(0)
    options = {"channels": 4, "num_layers": 1, "image_size": (16, 16), "kernel_size": 3, "tau": 1}
    model = create_model("mau", **options).eval()
    for layer in model.stack.layers[0].branches[0].layers[2:]:
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)
    past = torch.rand(1, 2, 1, 16, 16)
    torch.testing.assert_close(model(past, 1)[:, 0], model.head(model.stem(past[:, -1])))
    plain = create_model("mau", recall=False, **options)
    assert sum(map(torch.numel, plain.parameters())) == sum(map(torch.numel, model.parameters()))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MAU(4, tau=0), "tau must be an integer >= 1, got 0"),
        (lambda: MAU(4, tau=2.5), "tau must be an integer >= 1, got 2.5"),
        (lambda: MAU(4, kernel_size=2), "kernel_size must be an odd integer"),
        (lambda: create_model("mau", tau=-1), "tau must be an integer >= 1, got -1"),
        (lambda: create_model("mau", halvings=-1), "halvings must be an integer >= 0, got -1"),
        (lambda: create_model("mau", halvings=0), "recall leads around .* take halvings >= 1, or recall=False"),
        (lambda: create_model("mau", norm="batch"), "norm must be one of 'layer', 'group', got 'batch'"),
        (lambda: create_model("hybrid", base="mau_cell", tau=2), "hybrid has no option 'tau'"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_any_size_where_no_weight_is_bound_to_one():
    options = {"channels": 4, "num_layers": 1, "kernel_size": 3, "tau": 2}
    past = torch.rand(1, 2, 1, 13, 18)
    assert create_model("mau", norm="group", **options)(past, 3).shape == (1, 3, 1, 13, 18)
    with pytest.raises(ValueError, match=r"must have frames of image_size=\(64, 64\)"):
        create_model("mau", **options)(past, 3)


def test_half_precision_holds_the_likeness_of_large_maps():
    """Its sum over channels and positions does not fit in half precision, the one of the scaled query does."""
    torch.manual_seed(0)
    unit, x = MAU(16, kernel_size=1, tau=2).eval(), 3 * torch.randn(1, 16, 64, 64)
    with torch.no_grad():
        unit.conv_query.weight.copy_(3 * torch.eye(16)[..., None, None])
        assert 3 * x.square().sum() > torch.finfo(torch.float16).max
    _, c, past_x, past_c, _ = unit(x)
    expected = unit(x, c, past_x, past_c)[0]
    found = unit.half()(*(each.half() for each in (x, c, past_x, past_c)))[0]
    torch.testing.assert_close(found.float(), expected, atol=0.02, rtol=0.01)
