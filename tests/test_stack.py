"""Stacks: the routes of slots between layers and steps, against routing spelled out by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

from stblocks import (
    DECOUPLING,
    DEPTH,
    GFM,
    SAM,
    TIME,
    ZIGZAG,
    Block,
    Cell,
    ConvLSTM,
    DecoupledSTConvLSTM,
    HighwayEntry,
    MotionHighway,
    PatchExpanding,
    PatchMerging,
    RecurrentStack,
    STConvLSTM,
)  # fmt: skip
from stblocks.core import Slot
from stblocks.slots import C, H, M, P, Z


def spatiotemporal(below, *, bottom=False):
    entry = [HighwayEntry(below, 4)] if bottom else []
    return Cell(*entry, STConvLSTM(below, 4, kernel_size=3), MotionHighway())


def frames(steps, seed=0, size=(5, 3)):
    torch.manual_seed(seed)
    return torch.randn(steps, 2, 3, *size)


@settings(max_examples=8)
@given(layers=st.integers(1, 3), seed=st.integers(0, 99), size=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_zigzag_and_depth_by_hand(layers, seed, size):
    xs = frames(3, seed, size)
    cells = [spatiotemporal(3 if i == 0 else 4, bottom=i == 0) for i in range(layers)]
    stack, state = RecurrentStack(cells), None
    own = [{name: torch.zeros(2, 4, *size) for name in "hc"} for _ in cells]
    m = torch.zeros(2, 4, *size)
    for x in xs:
        y, state = stack(x, state)
        z = None
        for i, cell in enumerate(cells):
            given_depth = {} if z is None else {"z": z}
            x, slots = cell.run(x, {**own[i], "m": m, **given_depth})
            own[i], m, z = {name: slots[name] for name in "hc"}, slots["m"], slots["z"]
        assert torch.equal(y, x)
        assert torch.equal(state["zigzag"]["m"], m)
        assert all(torch.equal(state["layers"][i]["c"], own[i]["c"]) for i in range(layers))
        assert all(set(each) == {"h", "c"} for each in state["layers"])


def test_routes_overrule():
    cells = [Cell(ConvLSTM(3, 4, kernel_size=3), SAM(4)), Cell(ConvLSTM(4, 4, kernel_size=3), SAM(4))]
    own, shared = RecurrentStack(cells, routes={M: TIME}), RecurrentStack(cells)
    x = frames(1)[0]
    _, first = own(x)
    assert first["zigzag"] == {}
    assert set(first["layers"][1]) == {"h", "c", "m"}
    _, other = shared(x)
    assert torch.equal(first["layers"][0]["m"], Cell(*cells[0].stages)(x)[1]["m"])
    assert not torch.equal(first["layers"][1]["m"], other["zigzag"]["m"])
    zigzag = RecurrentStack(cells, routes={C: ZIGZAG})
    assert set(zigzag(x)[1]["zigzag"]) == {"c", "m"}


class HandWritten(nn.Module):
    """A user's own cell, without our classes; its state is a plain tensor."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(8, 4, 1)

    def init_state(self, x):
        return x.new_zeros(len(x), 4, *x.shape[2:])

    def forward(self, x, state=None):
        state = self.init_state(x) if state is None else state
        y = torch.tanh(self.mix(torch.cat([x, state], 1)))
        return y, 0.5 * (y + state)


def test_takes_hand_written_cells_and_stateless_layers():
    halve, double = nn.AvgPool2d(2), nn.Upsample(scale_factor=2)
    stack = RecurrentStack(
        [
            Cell(STConvLSTM(3, 4, kernel_size=3)), halve, HandWritten(), Cell(ConvLSTM(4, 4, kernel_size=3)), double,
            Cell(ConvLSTM(4, 4, kernel_size=3)),
        ]
    )  # fmt: skip
    xs, state = frames(3, size=(4, 6)), None
    for x in xs:
        y, state = stack(x, state)
    assert y.shape == (2, 4, 4, 6)
    assert state["layers"][1] == {}
    assert state["layers"][2].shape == state["layers"][3]["h"].shape == (2, 4, 2, 3)
    assert state["layers"][2].any()


def test_layers_run_once_a_step_on_the_maps_themselves():
    """The first step starts states without looking ahead: no buffer is touched twice, hooks see real maps alone."""
    norm, shrink, seen = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, stride=2), []
    cells = [Cell(ConvLSTM(3, 4, kernel_size=3)), Cell(ConvLSTM(4, 4, kernel_size=3))]
    stack = RecurrentStack([cells[0], norm, shrink, cells[1]]).train()
    shrink.register_forward_hook(lambda *call: seen.append(call[2]))
    x = frames(1)[0]
    y, state = stack(x, stack.init_state(x))
    assert norm.num_batches_tracked == len(seen) == 1
    assert y.shape == state["layers"][3]["c"].shape == (2, 4, 2, 1)
    torch.testing.assert_close(y, cells[1](seen[0])[0])


def test_the_start_is_a_state_like_any_other():
    """It has the maps of the state after a step, at every resolution, so that samples can be started anew in it."""
    layers = [
        *(Cell(STConvLSTM(4, 4, kernel_size=3)), PatchMerging(4), Cell(ConvLSTM(8, 8, kernel_size=3))),
        *(PatchExpanding(8), Cell(STConvLSTM(4, 4, kernel_size=3))),
    ]
    stack, x = RecurrentStack(layers), torch.randn(2, 4, 6, 4)
    start, (y, after) = stack.init_state(x), stack(x)
    torch.testing.assert_close(stack(x, start)[0], y)
    assert tree_map(torch.Tensor.size, start) == tree_map(torch.Tensor.size, after)
    assert not any(leaf.any() for leaf in tree_leaves(start))


def test_above_a_layer_that_says_no_shape_states_start_later():
    cells = [Cell(ConvLSTM(3, 4, kernel_size=3)), Cell(ConvLSTM(4, 4, kernel_size=3))]
    start = RecurrentStack([cells[0], nn.MaxPool2d(2), cells[1]]).init_state(frames(1)[0])
    assert set(start["layers"][0]) == {"h", "c"}
    assert start["layers"][1:] == [{}, None]


def test_states_have_the_type_of_the_input_under_autocast():
    stack = RecurrentStack([Cell(ConvLSTM(3, 4, kernel_size=3)), Cell(ConvLSTM(4, 4, kernel_size=3))])
    with torch.autocast("cpu", torch.bfloat16):
        _, state = stack(frames(1)[0])
    assert [own["c"].dtype for own in state["layers"]] == [torch.float32] * 2


def test_aux_is_averaged_over_layers():
    adapter = nn.Conv2d(4, 4, 1)
    cells = [Cell(DecoupledSTConvLSTM(c, 4, kernel_size=3, adapter=adapter)) for c in (3, 4)]
    stack = RecurrentStack(cells)
    _, state = stack(frames(1)[0])
    aux = stack.aux(state)["decoupling"]
    assert aux.shape == (2,)
    torch.testing.assert_close(aux, (state["layers"][0]["decoupling"] + state["layers"][1]["decoupling"]) / 2)


class Loss(Block):
    reads, writes = (H,), (DECOUPLING,)

    def __init__(self, value):
        super().__init__({H: 4})
        self.value = value

    def forward(self, h):
        return h.new_full((len(h),), self.value)


def test_aux_is_averaged_over_the_stages_of_a_cell():
    cell = Cell(ConvLSTM(3, 4), Loss(1.0), Loss(2.0), Loss(6.0))
    _, state = cell(frames(1)[0])
    assert cell.aux(state)["decoupling"].tolist() == [3.0, 3.0]


class Carrying(Block):
    """Writes a slot that it alone reads."""

    def __init__(self, slot):
        self.reads, self.writes, self.owns = (H, slot), (slot,), (slot,)
        super().__init__({H: 4, slot: 4})

    def forward(self, h, carried=None):
        h, carried = self.take(h, carried)
        return h + carried


class Own(Block):
    """Has a slot of its own by the name of another."""

    reads = writes = (H, Slot("m", "m", TIME))
    owns = (Slot("m", "m", TIME),)

    def __init__(self):
        super().__init__({H: 4, self.owns[0]: 4})

    def forward(self, h, m=None):
        h, m = self.take(h, m)
        return h + m, m


def test_what_only_its_writer_reads_is_no_effect():
    """A memory that climbs from layer to layer may be read there by another block, so that a layer alone is let be."""
    with pytest.raises(ValueError, match="Carrying has no effect: no stage that leads to the output reads p of it"):
        Cell(ConvLSTM(3, 4), Carrying(P))
    lower, upper = (Cell(ConvLSTM(channels, 4), Carrying(M)) for channels in (3, 4))
    with pytest.raises(ValueError, match=r"Carrying in layer 0 has no effect: nothing .* reads m of it"):
        RecurrentStack([lower, upper])
    RecurrentStack([lower, Cell(STConvLSTM(4, 4))])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RecurrentStack([]), "layers must hold at least one layer"),
        (
            lambda: RecurrentStack([spatiotemporal(3, bottom=True), spatiotemporal(5)]),
            "layer 1 takes 5 channels, but layer 0",
        ),
        (
            lambda: RecurrentStack([spatiotemporal(3)]),
            r"layer 0 reads z \(motion highway\), which no lower layer writes",
        ),
        (
            lambda: RecurrentStack([Cell(ConvLSTM(3, 4))], routes={M: TIME}),
            r"routes may send what the cells carry \(h .*got m \(spatiotemporal",
        ),
        (lambda: RecurrentStack([Cell(ConvLSTM(3, 4))], routes={C: "time"}), "over TIME, ZIGZAG or DEPTH, got c"),
        (
            lambda: RecurrentStack([Cell(STConvLSTM(3, 4)), nn.Conv2d(4, 6, 1), Cell(STConvLSTM(6, 6))]),
            r"m \(spatiotemporal memory\) climbs from layer to layer, but has 4 channels in layer 0 and 6 in layer 2",
        ),
        (
            lambda: RecurrentStack([spatiotemporal(3, bottom=True), spatiotemporal(4)], routes={Z: TIME}),
            r"routes may send what the cells carry \(h .*got z \(motion highway\): TIME",
        ),
        (
            lambda: RecurrentStack([Cell(DecoupledSTConvLSTM(3, 4, adapter=nn.Identity()))], routes={DECOUPLING: TIME}),
            r"routes may send what the cells carry .*got decoupling",
        ),
        (
            lambda: RecurrentStack([STConvLSTM(3, 4)]),
            r"layer 0 is a STConvLSTM, a stage of a cell; write Cell\(STConvLSTM",
        ),
        (
            lambda: RecurrentStack([Cell(STConvLSTM(3, 4)), Cell(ConvLSTM(4, 4), Own())]),
            r"layer 0 sends m \(spatiotemporal memory\) over ZIGZAG, but layer 1 over TIME; slots of one name are one",
        ),
        (
            lambda: Cell(STConvLSTM(3, 4), Own()),
            r"STConvLSTM sends m \(spatiotemporal memory\) over ZIGZAG, but Own over TIME; .* give yours another",
        ),
        (lambda: RecurrentStack(Cell(ConvLSTM(3, 4))), r"layers must be a list, got one Cell; write \[layer\]"),
        (
            lambda: RecurrentStack([Cell(STConvLSTM(3, 4))], routes={M: DEPTH}),
            r"layer 0 reads m .*no lower layer writes",
        ),
    ],
)
def test_a_stack_that_cannot_work_says_what_to_do(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_gfm_travels_into_any_stack():
    stack = RecurrentStack([Cell(STConvLSTM(3, 4), GFM(3, 4)), Cell(STConvLSTM(4, 4), GFM(4, 4))])
    assert stack(frames(1)[0])[0].shape == (2, 4, 5, 3)
