"""Blocks travel: every base takes every plug, and known hybrids are the networks they are called after."""

from itertools import combinations

import pytest
import torch

from stblocks import MGM, Block, MotionHighway, create_model
from stblocks.models.hybrid import BASES, PLUGS, Plug
from stblocks.slots import D, H

SMALL = {"channels": 8, "num_layers": 3, "patch_size": 2, "kernel_size": 3, "scales": [1, 2]}
#: Plugs of Table VI of the GMG paper.
TABLE_VI = ("gfm", "sam", "mgm", "motion_gru")


def runs(model, horizon=2):
    """A training step reaches every parameter; a forecast has the shape it should have."""
    past = torch.rand(2, 3, 1, 8, 6)
    rollout = model.rollout(past, horizon)
    assert rollout.frames.shape == (2, 2 + horizon, 1, 8, 6)
    rollout.frames.square().sum().backward()
    return [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


@pytest.mark.parametrize("base", BASES)
def test_every_base_takes_every_plug(base):
    for plug in PLUGS:
        assert runs(create_model("hybrid", base=base, plugs=[plug], **SMALL)) == []


@pytest.mark.parametrize("base", ["convlstm", "predrnn", "sa_convlstm"])
@pytest.mark.parametrize("plugs", [[], ["ce"], ["se"], ["ce", "se"]])
def test_the_grid_of_the_cms_lstm_paper(base, plugs):
    for scales in ([1], [1, 2], [1, 2, 3]) if "se" in plugs else ([1],):
        assert runs(create_model("hybrid", base=base, plugs=plugs, **SMALL | {"scales": scales})) == []


def test_the_combinations_of_the_gmg_paper():
    for count in range(len(TABLE_VI) + 1):
        for plugs in combinations(TABLE_VI, count):
            if not {"mgm", "motion_gru"} <= set(plugs):  # both are the transient variation: one at a time
                assert runs(create_model("hybrid", base="predrnn", plugs=plugs, **SMALL)) == []


@pytest.mark.parametrize(
    ("name", "base", "plugs"),
    [
        ("gmg_l", "predrnn", ["gfm", "sam", "highway", "mgm"]),
        ("gmg_m", "predrnn", ["gfm", "highway", "mgm"]),
        ("gmg_s", "predrnn", ["simple_gfm", "sam", "highway", "mgm"]),
        ("motionrnn", "predrnn", ["highway", "motion_gru"]),
        *((base, base, []) for base in BASES),
    ],
)
def test_known_networks_are_hybrids(name, base, plugs):
    """The same forecast from the same weights: nothing is lost by composing."""
    options = {key: value for key, value in SMALL.items() if key != "scales"}
    own = {"mim": {"peephole": "channel"}, "cms_lstm": {"scales": [1, 2], "norm": "group"}}.get(name, {})
    norm = {"norm": own["norm"]} if "norm" in own else {}
    known, made = create_model(name, **options, **own), create_model("hybrid", base=base, plugs=plugs, **SMALL, **norm)
    weights = [value for value in known.state_dict().values()]
    assert [value.shape for value in weights] == [value.shape for value in made.state_dict().values()]
    made.load_state_dict(dict(zip(made.state_dict(), weights, strict=True)))
    past = torch.rand(1, 2, 1, 8, 8)
    assert known.stack.routes == made.stack.routes
    assert torch.equal(known(past, 2), made(past, 2))


def test_two_owners_of_one_variable():
    with pytest.raises(ValueError, match=r"do not fit base 'predrnn'.*MotionGRU and MGM both own"):
        create_model("hybrid", base="predrnn", plugs=["motion_gru", "mgm"], **SMALL)


class Damp(Block):
    """A block of somebody's own: damps the hidden state by the trend."""

    reads = (H, D)
    writes = (H,)

    def __init__(self, channels):
        super().__init__({H: channels, D: channels})

    def forward(self, h, d):
        return h - d


@pytest.mark.usefixtures("forgotten")
def test_a_plug_of_ones_own_and_one_that_does_not_fit():
    PLUGS.register("late_highway")(Plug(after=lambda place: [MotionHighway()]))
    PLUGS.register("damp")(Plug(after=lambda place: [Damp(place.channels)]))
    with pytest.raises(ValueError, match=r"\['damp'\] do not fit base 'predrnn': Damp reads d .*MGM"):
        create_model("hybrid", plugs=["damp"], **SMALL)
    assert MGM in {type(stage) for stage in create_model("hybrid", plugs=["mgm"], **SMALL).stack.layers[0].stages}
    with pytest.raises(ValueError, match=r"layer 0 reads z .*HighwayEntry"):
        create_model("hybrid", plugs=["late_highway"], **SMALL)


def test_a_plug_with_no_place():
    with pytest.raises(ValueError, match=r"plugs \['mgm'\] stand in every layer but the top one"):
        create_model("hybrid", plugs=["mgm"], **SMALL | {"num_layers": 1})


def test_unknown_names():
    with pytest.raises(ValueError, match=r"There is no base 'predrn'; did you mean predrnn"):
        create_model("hybrid", base="predrn")
    with pytest.raises(ValueError, match=r"There is no plug 'gmf'; did you mean mgm or gfm"):
        create_model("hybrid", plugs=["gmf"])
