"""PhyCell against its equations, its kernels against calculus, PhyDNet against its figures."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from stblocks import Cell, ConvLSTM, DCGANDecoder, DCGANEncoder, DCGANUnit, Parallel, PhyBranch, PhyCell, create_model
from stblocks.blocks.recurrent.phycell import kernel_moments, moment_loss, moment_matrix
from stblocks.interop import KINDS
from stblocks.testing import check_cell, example
from stblocks.train import Objective


def derivatives(rows, columns=None):
    """`(rows * columns, rows, columns)`, square if one is given: the kernels whose moments are those of derivatives."""
    sides = (rows, columns or rows)
    above, aside = (torch.linalg.inv(moment_matrix(side, torch.empty(0, dtype=torch.float64))) for side in sides)
    return above @ torch.eye(math.prod(sides), dtype=torch.float64).view(-1, *sides) @ aside.mT


@settings(max_examples=20)
@given(side=st.sampled_from([3, 5, 7]), data=st.data())
def test_a_kernel_of_the_moments_of_a_derivative_takes_it(side, data):
    """On a polynomial of no higher degree than it has taps, exactly; i counts the rows."""
    i, j, a, b = (data.draw(st.integers(0, side - 1)) for _ in range(4))
    y, x = torch.meshgrid(*(torch.arange(-5.0, 6, dtype=torch.float64),) * 2, indexing="ij")
    taken = conv2d((y**a * x**b)[None, None], derivatives(side)[side * i + j][None, None])[0, 0]
    edge = side // 2
    y, x = (each[edge:-edge, edge:-edge] for each in (y, x))
    fall = [math.perm(power, order) for power, order in ((a, i), (b, j))]
    expected = fall[0] * fall[1] * y ** max(a - i, 0) * x ** max(b - j, 0)
    torch.testing.assert_close(taken, expected, rtol=1e-7, atol=1e-6)


def test_moments_are_sums_over_taps():
    kernel = torch.randn(2, 3, 4, dtype=torch.float64)
    for p, q in ((0, 0), (2, 1), (1, 3)):
        expected = sum(
            (u - 1) ** p / math.factorial(p) * (v - 1) ** q / math.factorial(q) * kernel[:, u, v]
            for u in range(3)
            for v in range(4)
        )
        torch.testing.assert_close(kernel_moments(kernel)[:, p, q], expected)


def test_the_loss_is_zero_for_derivatives_alone():
    exact = derivatives(3)[:, None].expand(-1, 2, -1, -1)
    assert moment_loss(exact) < 1e-20
    off = exact.clone()
    off[4, 1, 1, 1] += 1  # the sum of one kernel of nine, one of its nine moments, of one channel
    torch.testing.assert_close(moment_loss(off), torch.tensor(1 / 81, dtype=torch.float64))
    assert moment_loss(torch.cat([exact, 9 * torch.ones(2, 2, 3, 3)])) < 1e-20  # kernels after the first nine are free
    assert moment_loss(exact[:7]) < 1e-20


@settings(max_examples=8)
@given(gain=st.sampled_from(["tanh", "sigmoid"]), seed=st.integers(0, 99))
def test_a_step_predicts_and_corrects(gain, seed):
    cell, (e, h0) = example(lambda: PhyCell(4, 4, kernel_size=3, gain=gain), seed=seed)
    dynamics = cell.dynamics
    taken = conv2d(h0, dynamics.derivatives.weight, dynamics.derivatives.bias, padding=1)
    predicted = h0 + conv2d(taken, dynamics.combine.weight, dynamics.combine.bias)  # (a)
    seen = torch.cat([e, predicted if gain == "tanh" else h0], dim=1)
    k = getattr(torch, gain)(conv2d(seen, cell.gate.weight, cell.gate.bias, padding=1))  # (b)
    h, o, loss = cell(e, h0)
    torch.testing.assert_close(h, (1 - k) * predicted + k * e)  # (c)
    torch.testing.assert_close(o, k)
    torch.testing.assert_close(loss, moment_loss(dynamics.derivatives.weight).expand(2))  # (d)


@pytest.mark.parametrize("sides", [(3, 5), (5, 1)])
def test_kernels_of_two_sides(sides):
    cell = PhyCell(2, 2, kernel_size=sides).double()
    maps, weight = torch.randn(1, 2, 4, 6, dtype=torch.float64), cell.dynamics.derivatives.weight
    exact = derivatives(*sides)[:, None].expand(-1, 2, -1, -1)
    assert weight.shape == exact.shape
    with torch.no_grad():
        weight.copy_(exact)
    h, _, loss = cell(maps, maps)
    assert h.shape == maps.shape
    assert loss.abs().max() < 1e-20
    with torch.no_grad():
        weight.copy_(exact.flip(0))
    assert cell(maps, maps)[2].min() > 0.01
    config = {"input_dim": 2, "F_hidden_dim": 7, "kernel_size": list(sides)}
    assert KINDS["phydnet/phycell_cell"](config).module.dynamics.derivatives.weight.shape == (7, 2, *sides)


def test_heat_spreads_as_it_does():
    """A cell of the Laplacian's coefficients that trusts no input: an explicit Euler scheme of the heat equation."""
    cell = PhyCell(1, 1, kernel_size=3).double()
    with torch.no_grad():
        cell.dynamics.derivatives.weight.copy_(derivatives(3)[:, None])
        for each in (cell.dynamics.derivatives.bias, cell.dynamics.combine.weight, cell.dynamics.combine.bias):
            each.zero_()
        cell.dynamics.combine.weight[0, [2, 6]] = 0.1  # of the second derivatives along columns and rows
        cell.gate.weight.zero_()
        cell.gate.bias.zero_()
    n = 8
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64),) * 2, indexing="ij")
    wave = torch.sin(math.pi * (y + 1) / (n + 1)) * torch.sin(2 * math.pi * (x + 1) / (n + 1))  # zero beyond the border
    decay = 1 + 0.2 * (math.cos(math.pi / (n + 1)) - 1) + 0.2 * (math.cos(2 * math.pi / (n + 1)) - 1)
    h = wave[None, None]
    for _ in range(5):
        h, _, loss = cell(torch.rand_like(h), h)
    torch.testing.assert_close(h[0, 0], decay**5 * wave)
    assert loss.abs().max() < 1e-20


def test_the_branch_of_a_layer_is_the_sum_with_a_cell_of_its_own():
    lstm, branch = ConvLSTM(3, 4, kernel_size=3), PhyBranch(3, 4, kernel_size=3)
    inside, alone = Cell(lstm, branch), Cell(branch.cell)
    x = torch.rand(2, 3, 5, 4)
    y, state = inside(x)
    torch.testing.assert_close(y, Parallel(Cell(lstm), alone)(x)[0])
    _, state = inside(x, state)
    torch.testing.assert_close(state["p"], alone(x, alone(x)[1])[1]["h"])  # which sees nothing of the other
    check_cell(Cell(ConvLSTM(3, 4, kernel_size=3), PhyBranch(3, 4, kernel_size=3)))


def test_the_loss_reaches_the_objective_and_training_lowers_it():
    torch.manual_seed(0)
    model = create_model("phydnet", image_size=(8, 8), channels=8, groups=2, kernel_size=3, patch_size=2)
    video, objective = torch.rand(2, 5, 1, 8, 8), Objective(aux={"moment": 2.0})
    optimizer, found = torch.optim.Adam(model.parameters(), 0.01), []
    for _ in range(8):
        losses = objective(model.rollout(video[:, :3], 2), video)
        torch.testing.assert_close(losses["loss"], losses["l1"] + losses["l2"] + 2 * losses["moment"])
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        found.append(losses["moment"].item())
    assert found[-1] < 0.8 * found[0]


def test_encoder_and_decoder_of_every_patch_size():
    for side in (1, 2, 4, 8):
        frames = torch.rand(2, 3, 8, 16)
        features = DCGANEncoder(3, 8, patch_size=side, groups=2)(frames)
        assert features.shape == (2, 8, 8 // side, 16 // side)
        assert DCGANDecoder(8, 3, patch_size=side, groups=2)(features).shape == frames.shape
    for unit in (DCGANUnit(3, 4, stride=2, groups=2), DCGANUnit(3, 4, stride=2, groups=None, up=True)):
        maps = torch.rand(2, 3, 5, 8)
        assert unit(maps).shape == unit.output_shape(maps.shape)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PhyCell(4, 4, kernel_size=4), "kernel_size must be an odd integer"),
        (lambda: PhyCell(4, 4, kernel_size=(3, 4)), "kernel_size must be an odd integer, .*, got 4"),
        (
            lambda: PhyCell(4, 4, kernel_size=(3, 3, 3)),
            r"kernel_size must be an odd integer, or two of them, got \(3, 3, 3\)",
        ),
        (lambda: PhyCell(4, 4, gain="relu"), "gain must be one of 'tanh', 'sigmoid', got 'relu'"),
        (lambda: DCGANEncoder(1, 8, patch_size=3), "patch_size must be one of 1, 2, 4, 8, got 3"),
        (lambda: DCGANDecoder(7, 1), "channels must be even, since half of them are in the first layers, got 7"),
        (lambda: DCGANUnit(1, 6, groups=4), "groups must be a divisor of the channels that are normed, 6, got 4"),
        (
            lambda: create_model("phydnet", hidden_channels=[128, 32]),
            r"hidden_channels must end in channels=64, as both branches are added, got \[128, 32\]",
        ),
        (lambda: create_model("phydnet", hidden_channels=[]), "hidden_channels must end in channels=64"),
        (lambda: PhyCell(2, 2, filters=0), "filters must be an integer >= 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
