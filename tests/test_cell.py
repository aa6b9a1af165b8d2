"""Cells: composition is checked when they are built, and they stream."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stblocks
from stblocks import (
    DEPTH,
    GFM,
    MGM,
    SAM,
    TIME,
    Block,
    Cell,
    ConvLSTM,
    DecoupledSTConvLSTM,
    HighwayEntry,
    MotionGRU,
    MotionHighway,
    RecurrentStack,
    SimpleGFM,
    Slot,
    STConvLSTM,
)  # fmt: skip
from stblocks.slots import C, H, M, O, X
from stblocks.testing import CheckError, check_block, check_cell, check_gradients

MOTION = {"kernel_size": 3, "warp_kernel_size": 1}
CELLS = {
    "convlstm": lambda: Cell(ConvLSTM(3, 4, kernel_size=3)),
    "predrnn": lambda: Cell(STConvLSTM(3, 4, kernel_size=3)),
    "gfm in predrnn": lambda: Cell(STConvLSTM(3, 4, kernel_size=3), GFM(3, 4)),
    "sa-convlstm": lambda: Cell(ConvLSTM(3, 4, kernel_size=3), SAM(4, attention_channels=2)),
    "motionrnn": lambda: Cell(HighwayEntry(3, 4), STConvLSTM(3, 4), MotionHighway(), MotionGRU(4, **MOTION)),
    "gmg": lambda: Cell(
        HighwayEntry(3, 4), STConvLSTM(3, 4, kernel_size=3), GFM(3, 4), SAM(4, attention_channels=2), MotionHighway(),
        MGM(4, **MOTION),
    ),
    "gmg-s": lambda: Cell(HighwayEntry(3, 4), STConvLSTM(3, 4), SimpleGFM(3, 4), SAM(4), MotionHighway()),
    "highway over convlstm": lambda: Cell(HighwayEntry(3, 4), ConvLSTM(3, 4, kernel_size=3), MotionHighway()),
    "aux": lambda: Cell(DecoupledSTConvLSTM(3, 4, kernel_size=3, adapter=torch.nn.Conv2d(4, 4, 1))),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
@settings(max_examples=4)
@given(size=st.tuples(st.integers(1, 6), st.integers(1, 6)), seed=st.integers(0, 999))
def test_streams_and_splits_anywhere(name, size, seed):
    check_cell(CELLS[name](), size=size, steps=3, seed=seed)


@pytest.mark.parametrize("name", ["convlstm", pytest.param("gmg", marks=pytest.mark.slow)])
def test_compiles_for_real(name):
    torch.manual_seed(0)
    cell, x = CELLS[name](), torch.randn(2, 3, 6, 5)
    state = cell.init_state(x)
    for ours, theirs in zip(
        torch.compile(cell, fullgraph=True)(x, state)[1].values(), cell(x, state)[1].values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_state_survives_saving(tmp_path):
    cell = CELLS["gmg"]()
    _, state = cell(torch.randn(1, 3, 5, 4))
    torch.save(state, tmp_path / "state.pt")
    loaded = torch.load(tmp_path / "state.pt", weights_only=True)
    assert loaded.keys() == state.keys() == {"h", "c", "m", "f", "d"}


def test_initial_states_are_differentiable():
    cell = CELLS["gmg"]()
    start = {
        name: torch.randn_like(value).requires_grad_()
        for name, value in cell.init_state(torch.zeros(1, 3, 5, 4)).items()
    }
    y, end = cell(torch.randn(1, 3, 5, 4), start)
    (y.sum() + end["d"].sum()).backward()
    assert all(value.grad is not None and value.grad.any() for value in start.values())


@pytest.mark.parametrize("block", [MotionGRU, MGM])
def test_motion_starts_the_same_everywhere_and_at_no_whole_offset(block):
    """Where bilinear reading has a kink, and its gradient hangs on how numbers are rounded."""
    torch.manual_seed(0)
    made, maps = block(16), torch.randn(2, 16, 12, 10)
    h, f, d = made(maps)
    assert h.shape == (2, 16, 12, 10)
    assert f.shape == d.shape == (2, 18, 6, 5)
    assert torch.equal(f, f[:1, :, :1, :1].expand_as(f))
    assert 0 < f.abs().min() < f.abs().max() < 1
    assert not d.any()
    for part in (made.motion.gates, made.motion.candidate, made.motion.warp.mask):
        assert not part.weight.any()
        assert part.bias.all()
    h.square().sum().backward()
    exact = deepcopy(made).double()
    exact.zero_grad()
    exact(maps.double())[0].square().sum().backward()
    for name, weight in exact.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(
                made.get_parameter(name).grad.double(),
                weight.grad,
                rtol=1e-4,
                atol=1e-4 * float(weight.grad.abs().max()),
            )


P = Slot("nobody", "P_t", TIME, "something nobody starts")


class Anew(Block):
    reads, writes = (X,), (H, C, M, O)

    def __init__(self):
        super().__init__({X: 4, H: 4, C: 4, M: 4, O: 4})

    def forward(self, x):
        return x, x, x, x


class Reader(Block):
    reads, writes = (X, P), (H,)

    def __init__(self):
        super().__init__({X: 4, P: 4, H: 4})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Cell(GFM(3, 4)), r"GFM reads h \(hidden state\), which no stage starts; add .*ConvLSTM.* to the cell"),
        (lambda: Cell(), r"No stage writes h \(hidden state\), the output of a cell; add .*ConvLSTM"),
        (lambda: Cell(STConvLSTM(3, 4), GFM(3, 8)), r"h has 4 channels in STConvLSTM but 8 in GFM; make them equal"),
        (lambda: Cell(STConvLSTM(3, 4), GFM(5, 4)), r"x has 3 channels in STConvLSTM but 5 in GFM"),
        (lambda: Cell(ConvLSTM(3, 4), STConvLSTM(3, 4)), r"ConvLSTM and STConvLSTM both own h \(hidden state\)"),
        (
            lambda: Cell(HighwayEntry(3, 4), MotionHighway(), STConvLSTM(3, 4)),
            r"MotionHighway reads o \(output gate\), which",
        ),
        (
            lambda: Cell(HighwayEntry(3, 5), STConvLSTM(3, 4), MotionHighway()),
            r"z has 5 channels in HighwayEntry but 4 in Mot",
        ),
        (
            lambda: Cell(HighwayEntry(3, 4), HighwayEntry(3, 4), STConvLSTM(3, 4), MotionHighway()),
            r"HighwayEntry has no effect: HighwayEntry, a later stage, writes z \(motion highway\) anew before",
        ),
        (lambda: Cell(STConvLSTM(4, 4), Anew()), r"STConvLSTM has no effect: Anew, .* writes h"),
        (
            lambda: Cell(ConvLSTM(4, 4), Reader()),
            r"Reader reads nobody .*which no stage starts; add a block whose `owns` holds nobody",
        ),
        (lambda: Cell(torch.nn.Conv2d(3, 3, 1)), r"stage 0 must be a Block .*got Conv2d"),
        (lambda: STConvLSTM(0, 4), r"STConvLSTM: channels of x \(layer input\) must be a positive integer, got 0"),
        (lambda: STConvLSTM(3, 4, kernel_size=4), r"kernel_size must be an odd integer, .*got 4"),
        (lambda: MGM(4, warp_kernel_size=2), r"warp_kernel_size must be an odd integer, .*got 2"),
        (lambda: MGM(4, warp_kernel_size=0), r"warp_kernel_size must be an odd integer, .*got 0"),
        (lambda: MGM(4, time_decay="days"), r"time_decay must be one of 'elapsed', 'batch', got 'days'"),
        (lambda: GFM(3, 4, focus="sharp"), r"focus must be one of 'spatial', 'pooled', got 'sharp'"),
    ],
)
def test_a_composition_that_cannot_work_says_what_to_do(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: GFM(3, 4)(torch.zeros(2, 5, 6, 6), torch.zeros(2, 4, 6, 6)),
            r"GFM: argument 1, x .*\(2, 3, H, W\), got shape",
        ),
        (lambda: GFM(3, 4)(torch.zeros(2, 3, 6, 6), None), r"GFM: argument 2, h .*\(2, 4, 6, 6\), got nothing"),
        (lambda: GFM(3, 4)(None, None), r"GFM: argument 1, x .*\(B, 3, H, W\), got nothing"),
        (
            lambda: MGM(4)(torch.zeros(2, 4, 5, 6), torch.zeros(2, 18, 5, 6)),
            r"MGM: argument 2, f \(transient variation\), must be .*\(2, 18, 3, 3\), got shape \(2, 18, 5, 6\)",
        ),
        (
            lambda: MotionHighway()(torch.zeros(2, 4, 6, 6), torch.zeros(2, 4, 6, 6), torch.zeros(2, 4, 1, 1)),
            r"MotionHighway: argument 3, z \(motion highway\), must be a feature map \(2, 4, 6, 6\), got shape",
        ),
        (lambda: SAM(4)(torch.zeros(4, 6, 6)), r"SAM: argument 1, h \(hidden state\).*got shape \(4, 6, 6\)"),
        (
            lambda: CELLS["predrnn"]()(torch.zeros(1, 3, 4, 4), {"h": torch.zeros(1)}),
            r"state must hold h, c, m; missing: c, m",
        ),
        (
            lambda: Cell(STConvLSTM(3, 4), MotionHighway())(torch.zeros(1, 3, 4, 4)),
            r"reads z \(motion highway\), which comes from the layer below.*HighwayEntry",
        ),
    ],
)
def test_wrong_calls_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class Forgetful(ConvLSTM):
    """Keeps its last input, as no block may."""

    last = None

    def forward(self, x, h=None, c=None):
        h, c, o = super().forward(x, h, c)
        before, self.last = self.last, h.detach()
        return (h if before is None or before.shape != h.shape else h + before), c, o


class Mixed(STConvLSTM):
    """Lets samples see each other."""

    def forward(self, x, h=None, c=None, m=None):
        h, *rest = super().forward(x, h, c, m)
        return (h + h.mean(0, keepdim=True), *rest)


class Idle(ConvLSTM):
    """Has a weight it never uses."""

    def __init__(self, *args):
        super().__init__(*args, kernel_size=1)
        self.unused = torch.nn.Linear(2, 2)


class Detached(STConvLSTM):
    """Lets no gradient through one of its memories."""

    def __init__(self, *args):
        super().__init__(*args, kernel_size=1)

    def forward(self, x, h=None, c=None, m=None):
        h, c, m, o = super().forward(x, h, c, m)
        return h, c.detach(), m, o


class Counting(STConvLSTM):
    """Does no wrong: one of its results, not the last, depends on nothing."""

    def forward(self, x, h=None, c=None, m=None):
        h, c, m, o = super().forward(x, h, c, m)
        return h, torch.ones_like(c[:, :1]), m, c * o


class Started(ConvLSTM):
    """Starts from something else than `init_state` makes."""

    def forward(self, x, h=None, c=None):
        return super().forward(x, x.new_ones(len(x), 4, *x.shape[2:]) if h is None else h, c)


class Upwards(ConvLSTM):
    """Sums up what is below."""

    def forward(self, x, h=None, c=None):
        h, c, o = super().forward(x, h, c)
        return h.flip(-2).cumsum(-2).flip(-2), c, o


class Along(ConvLSTM):
    """Sees whole rows."""

    def forward(self, x, h=None, c=None):
        h, c, o = super().forward(x, h, c)
        return h + h.mean(-1, keepdim=True), c, o


class Aside(ConvLSTM):
    """Has a number that its state dict does not hold."""

    def __init__(self, *args):
        super().__init__(*args, kernel_size=1)
        self.number = torch.randn(())

    def forward(self, x, h=None, c=None):
        h, c, o = super().forward(x, h, c)
        return h * self.number, c, o


class Rough(ConvLSTM):
    """Computes something else in low precision."""

    def forward(self, x, h=None, c=None):
        h, c, o = super().forward(x, h, c)
        return h + torch.is_autocast_enabled("cpu"), c, o


class Traced(ConvLSTM):
    """Computes something else when it is compiled."""

    def forward(self, x, h=None, c=None):
        h, c, o = super().forward(x, h, c)
        return h + torch.compiler.is_compiling(), c, o


class Pooled(ConvLSTM):
    """Looks at the whole map, and does not say so."""

    def forward(self, x, h=None, c=None):
        h, c, o = super().forward(x, h, c)
        return h + x.mean(dim=(1, 2, 3), keepdim=True), c, o


def test_a_result_may_be_constant():
    check_gradients(lambda: Counting(3, 4, kernel_size=1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Forgetful, "second call"),
        (Mixed, "other samples|position in the batch"),
        (Idle, "unused"),
        (Detached, "gradient is not the numerical one"),
        (Started, "h differs when carried slots are left out"),
        (Upwards, "depends on what is 89 positions away; set whole_map = True"),
        (Along, "depends on what is 89 positions away; set whole_map = True"),
        (Aside, "h changes through a state dict"),
        (Rough, "h is off by more than 0.1 under bfloat16 autocast"),
        (Traced, "h changes when traced"),
        (Pooled, "depends on what is 89 positions away; set whole_map = True if it looks at the whole map"),
    ],
)
def test_the_tester_finds_planted_faults(make, message):
    with pytest.raises(CheckError, match=message):
        check_block(lambda: make(3, 4), sizes=[(3, 2)])


def test_a_block_that_says_that_it_sees_the_whole_map_may():
    class Said(Pooled):
        whole_map = True

    check_block(lambda: Said(3, 4), sizes=[(3, 2)])


def test_a_plug_in_block_is_named_in_messages():
    class Provider(Block):
        reads, writes, owns = (X,), (P, H), (P,)

        def forward(self, x):
            return x, x

    with pytest.raises(ValueError, match="add Provider to the cell"):
        Cell(ConvLSTM(4, 4), Reader())
    assert issubclass(Provider, Block)


def test_public_names_exist():
    assert all(hasattr(stblocks, name) for name in stblocks.__all__)
    assert C.route is TIME
    assert stblocks.slots.Z.route is DEPTH
    assert isinstance(RecurrentStack([CELLS["gmg"]()]), torch.nn.Module)


def test_hints_name_blocks_that_can_be_built():
    with pytest.raises(ValueError) as raised:  # noqa: PT011  (the whole message is looked at)
        Cell(GFM(3, 4))
    assert {"STConvLSTM", "VMRNN", "SwinLSTM"} <= set(str(raised.value).split())
    assert not {"OneGate", "MapBlock", "Block"} & set(str(raised.value).split())


def test_slots_of_one_letter_have_moved():
    for name in "XOHCFDMZNKS":
        assert name not in stblocks.__all__
        with pytest.warns(DeprecationWarning, match=rf"from stblocks\.slots import {name}\."):
            assert getattr(stblocks, name) is getattr(stblocks.slots, name)
    with pytest.raises(AttributeError, match="no attribute 'Y'"):
        _ = stblocks.Y
