"""Layers side by side: each keeps its state, whatever it is, and any two networks fit."""

import pytest
import torch
from torch import nn

from stblocks import (
    AUX,
    GFM,
    Block,
    Cell,
    ConvLSTM,
    Forecaster,
    Parallel,
    PhyCell,
    RecurrentStack,
    Slot,
    STConvLSTM,
    create_model,
)
from stblocks.models import BASES
from stblocks.slots import H

SMALL = {"channels": 8, "num_layers": 2, "patch_size": 2, "kernel_size": 3}


def frames(steps=3, channels=4):
    return torch.rand(steps, 2, channels, 5, 3, generator=torch.Generator().manual_seed(0))


def two():
    """A cell, and a stack whose memory climbs."""
    torch.manual_seed(0)
    lone = Cell(ConvLSTM(4, 6, kernel_size=3))
    return lone, RecurrentStack([Cell(STConvLSTM(4, 6, kernel_size=3)), Cell(STConvLSTM(6, 6, kernel_size=3))])


def test_it_is_the_sum_of_networks_that_do_not_know_of_each_other():
    one, other = two()
    both, state, own, others = Parallel(one, other), None, None, None
    assert (both.in_channels, both.out_channels) == (4, 6)
    for x in frames():
        y, state = both(x, state)
        (a, own), (b, others) = one(x, own), other(x, others)
        torch.testing.assert_close(y, a + b)
    torch.testing.assert_close(state, [own, others])


def test_a_stack_routes_nothing_into_a_branch():
    """Around it, a memory climbs past it; inside, the branch has a memory of its own."""
    cells = [Cell(STConvLSTM(6, 6, kernel_size=3)) for _ in range(3)]
    x = frames(channels=6)[0]
    inside = RecurrentStack([cells[0], Parallel(cells[1], nn.Identity()), cells[2]])
    y, state = inside(x)
    below, first = cells[0](x)
    between = cells[1](below)[0] + below
    memory = {"m": first["m"]}
    expected, _ = cells[2].run(between, cells[2].init_state(between) | memory)
    torch.testing.assert_close(y, expected)
    assert inside(x, inside.init_state(x))[0].equal(y)
    assert inside(x, state)[0].shape == y.shape


def test_a_merge_of_ones_own():
    one, other = two()
    mix = nn.Conv2d(12, 5, 1)
    both, x = Parallel(one, other, merge=mix), frames()[0]
    assert both.out_channels == 5
    torch.testing.assert_close(both(x)[0], mix(torch.cat([one(x)[0], other(x)[0]], dim=1)))


def test_three_branches_and_one_without_a_state():
    one, other = two()
    entry, x = nn.Conv2d(4, 6, 1), frames()[0]
    y, state = Parallel(one, other, entry)(x)
    torch.testing.assert_close(y, one(x)[0] + other(x)[0] + entry(x))
    assert len(state) == 3


class Level(Block):
    """Says the level that it was made with, as an auxiliary value."""

    AUX = Slot("level", "L", AUX)
    reads, writes = (H,), (H, AUX)

    def __init__(self, level):
        super().__init__({H: 6})
        self.level = level

    def forward(self, h):
        return h, h.new_full((len(h),), self.level)


def test_auxiliary_values_come_out_of_branches_and_of_stacks_in_them():
    def cell(level, below=6):
        return Cell(ConvLSTM(below, 6, kernel_size=1), Level(level))

    inner = RecurrentStack([cell(4.0, 4), cell(8.0)])
    stack = RecurrentStack([Parallel(cell(2.0, 4), inner, nn.Conv2d(4, 6, 1)), Cell(ConvLSTM(6, 6, kernel_size=1))])
    _, state = stack(frames()[0])
    assert stack.aux(state)["level"].tolist() == [4.0, 4.0]  # the mean of 2 and of the mean of 4 and 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Parallel(nn.Identity()), r"branches must be two layers at least, got 1"),
        (lambda: Parallel(), r"branches must be two layers at least, got 0"),
        (lambda: Parallel(nn.Identity(), GFM(4, 4)), r"branch 1 must be a layer, got GFM; .* by Cell\(GFM\(\.\.\.\)\)"),
        (lambda: Parallel(two()[0], nn.Conv2d(3, 6, 1)), r"branch 1 takes 3 channels, but branch 0 takes 4; make them"),
        (
            lambda: Parallel(nn.Identity(), two()[0], nn.Conv2d(4, 5, 1)),
            r"branch 2 gives 5 channels, but branch 1 gives 6; make them equal, or give a merge",
        ),
        (
            lambda: Parallel(nn.Conv2d(4, 5, 1), two()[0], merge=nn.Conv2d(12, 6, 1)),
            r"merge takes 12 channels, but the branches give 5 \+ 6; make them equal",
        ),
        (
            lambda: Parallel(*two(), merge=torch.sum),
            "merge must be a module, or None to add the outputs, got builtin",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_maps_of_other_shapes_are_named():
    cell, halves = two()[0], nn.Conv2d(4, 6, 3, stride=2)
    with pytest.raises(ValueError, match=r"branches must make maps of one shape, got \(2, 6, 5, 3\), \(2, 6, 2, 1\)"):
        Parallel(cell, halves)(frames()[0])
    with pytest.raises(ValueError, match=r"one shape but for their channels, got"):
        Parallel(cell, halves, merge=nn.Conv2d(12, 6, 1))(frames()[0])


@pytest.mark.parametrize("base", BASES)
def test_any_base_takes_a_physical_branch(base):
    model = create_model("hybrid", base=base, plugs=[], beside="phycell", scales=[1, 2], **SMALL)
    past = torch.rand(2, 3, 1, 8, 6)
    rollout = model.rollout(past, 2)
    assert rollout.frames.shape == (2, 4, 1, 8, 6)
    (rollout.frames.square().sum() + sum(value.sum() for value in rollout.aux.values())).backward()
    assert "moment" in rollout.aux
    assert [name for name, each in model.named_parameters() if each.grad is None] == []


def test_two_bases_in_one_model(tmp_path):
    model = create_model("hybrid", base="predrnn", plugs=["gfm"], beside="vmrnn", **SMALL).eval()
    (layer,) = model.stack.layers
    kinds = [[type(stage).__name__ for each in branch.layers if isinstance(each, Cell) for stage in each.stages]
             for branch in layer.branches]  # fmt: skip
    assert kinds == [["STConvLSTM", "GFM"] * 2, ["VMRNN"] * 2]
    past = torch.rand(1, 3, 1, 8, 6)
    frame, state = model.step(past[:, 0])
    for t in (1, 2):
        frame, state = model.step(past[:, t], state)
    torch.testing.assert_close(model(past, 1)[:, 0], frame)
    model.save_pretrained(tmp_path)
    assert Forecaster.from_pretrained(tmp_path)(past, 2).equal(model(past, 2))
    with pytest.raises(ValueError, match="There is no base 'phycel'; did you mean phycell"):
        create_model("hybrid", beside="phycel", **SMALL)


def test_the_step_compiles():
    both, x = Parallel(Cell(PhyCell(4, 4, kernel_size=3)), Cell(ConvLSTM(4, 4, kernel_size=3))), frames()[0]
    both.requires_grad_(False)
    _, state = both(x)
    torch.compiler.reset()
    torch.testing.assert_close(torch.compile(both, backend="eager", fullgraph=True)(x, state), both(x, state))
