"""Blocks travel: every base takes every plug, and known hybrids are the networks they are called after."""

from functools import partial
from itertools import combinations

import pytest
import torch
from torch import nn

from stblocks import GFM, MGM, TIME, ZIGZAG, Block, MotionHighway, create_model, list_models
from stblocks.models import BASES, PLUGS, Plug, register_plug
from stblocks.slots import D, H

SMALL = {"channels": 8, "num_layers": 3, "patch_size": 2, "kernel_size": 3, "scales": [1, 2]}
#: Plugs of Table VI of the GMG paper.
TABLE_VI = ("gfm", "sam", "mgm", "motion_gru")


def runs(model, horizon=2):
    """A training step reaches every parameter; a forecast has the shape it should have."""
    past = torch.rand(2, 3, 1, 8, 6)
    rollout = model.rollout(past, horizon)
    assert rollout.frames.shape == (2, 2 + horizon, 1, 8, 6)
    (rollout.frames.square().sum() + sum(value.sum() for value in rollout.aux.values())).backward()
    return [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


#: Plugs that a base has already, of which there can be only one.
TAKEN = {"gmg_l": {"mgm", "motion_gru", "highway"}, "motionrnn": {"mgm", "motion_gru", "highway"}}
#: Plugs that read what a base's cells do not have: a GRU has no cell state and no output gate, a PhyCell has the gate;
#: the memories of a reversible pair are as wide as one of the two.
LACKING = {base: {"se": "SE reads c ", "highway": "MotionHighway reads o "} for base in ("convgru", "trajgru")}
LACKING["phycell"] = {"se": "SE reads c "}
LACKING["reversible"] = {"se": "c has 4 .* 8 in SE", "sam": "m has 4 .* 8 in SAM", "highway": "MotionHighway reads o "}


@pytest.mark.parametrize("base", BASES)
def test_every_base_takes_every_plug(base):
    for plug in PLUGS.keys() - TAKEN.get(base, set()) - LACKING.get(base, {}).keys():
        assert runs(create_model("hybrid", base=base, plugs=[plug], **SMALL)) == []


@pytest.mark.parametrize(("base", "plug"), [(base, plug) for base, plugs in LACKING.items() for plug in plugs])
def test_a_plug_that_needs_more_than_the_base_has(base, plug):
    message = rf"plugs \['{plug}'\] do not fit base '{base}': {LACKING[base][plug]}"
    with pytest.raises(ValueError, match=message):
        create_model("hybrid", base=base, plugs=[plug], **SMALL)


@pytest.mark.parametrize("base", ["convlstm", "vmrnn", "phycell"])
def test_a_physical_branch_stays_bounded_before_a_block_that_multiplies(base):
    """GFM multiplies by what the layer below gave; a state that grows from step to step would overflow."""
    torch.manual_seed(0)
    model = create_model("hybrid", base=base, plugs=["phycell", "gfm"], **SMALL | {"num_layers": 2})
    with torch.no_grad():
        frames = model(torch.rand(2, 5, 1, 8, 6), 20)
    assert frames.abs().max() < 10


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
        *((base, base, []) for base in BASES.keys() & set(list_models())),
    ],
)
def test_known_networks_are_hybrids(name, base, plugs):
    """The same forecast from the same weights: nothing is lost by composing."""
    options = {key: value for key, value in SMALL.items() if key != "scales"}
    own = {
        "mim": {"peephole": "channel"},
        "cms_lstm": {"scales": [1, 2], "norm": "group"},
        "e3d_lstm": {"memory_norm": "group"},
    }.get(name, {})
    norm = {"norm": own["norm"]} if "norm" in own else {}
    known, made = create_model(name, **options, **own), create_model("hybrid", base=base, plugs=plugs, **SMALL, **norm)
    weights = [value for value in known.state_dict().values()]
    assert [value.shape for value in weights] == [value.shape for value in made.state_dict().values()]
    made.load_state_dict(dict(zip(made.state_dict(), weights, strict=True)))
    past = torch.rand(1, 2, 1, 8, 8)
    assert known.stack.routes == made.stack.routes
    assert torch.equal(known(past, 2), made(past, 2))


@pytest.mark.parametrize("base", ["sa_convlstm", "convlstm"])
def test_the_memory_of_attention_is_that_of_each_layer_or_of_all(base):
    plugs = [] if base == "sa_convlstm" else ["sam"]
    stack = create_model("hybrid", base=base, plugs=plugs, **SMALL).stack
    assert stack.routes["m"] is (TIME if base == "sa_convlstm" else ZIGZAG)
    kept = [sorted(layer) for layer in stack.init_state(torch.rand(1, 4, 4, 4))["layers"]]
    assert kept == [["c", "h", "m"] if base == "sa_convlstm" else ["c", "h"]] * 3


@pytest.mark.parametrize("base", ["gmg_l", "motionrnn"])
def test_a_base_has_one_highway(base):
    """A second entry would leave nothing of the first."""
    with pytest.raises(ValueError, match=rf"\['highway'\] do not fit base '{base}': HighwayEntry has no effect: .* z "):
        create_model("hybrid", base=base, plugs=["highway"], **SMALL)


def test_two_owners_of_one_variable():
    with pytest.raises(ValueError, match=r"do not fit base 'predrnn'.*MotionGRU and MGM both own"):
        create_model("hybrid", base="predrnn", plugs=["motion_gru", "mgm"], **SMALL)


def kinds(layer=0, **options):
    stages = create_model("hybrid", **SMALL | options).stack.layers[layer].stages
    return [type(stage).__name__ for stage in stages]


@pytest.mark.parametrize(
    ("plugs", "stages"),
    [
        (["gfm", "ce"], ["CE", "STConvLSTM", "GFM"]),  # each on its own side
        (["gfm", "ce", "stage"], ["GFM", "CE", "STConvLSTM"]),
        (["ce", "stage", "gfm"], ["CE", "STConvLSTM", "GFM"]),
        (["stage", "gfm", "ce"], ["STConvLSTM", "GFM", "CE"]),
        (["mgm", "stage", "gfm"], ["MGM", "STConvLSTM", "GFM"]),
        (["stage", "highway"], ["STConvLSTM", "HighwayEntry", "MotionHighway"]),
        (["highway"], ["HighwayEntry", "STConvLSTM", "MotionHighway"]),
        (["gfm", "gfm"], ["STConvLSTM", "GFM", "GFM"]),
        (["stage"], ["STConvLSTM"]),
        ([], ["STConvLSTM"]),
    ],
    ids=str,
)
def test_order_and_side_of_plugs(plugs, stages):
    assert kinds(plugs=plugs) == stages
    assert kinds(plugs=plugs, layer=2) == [stage for stage in stages if stage not in ("MGM", "HighwayEntry")]
    assert runs(create_model("hybrid", plugs=plugs, **SMALL)) == []


def test_a_plug_of_several_blocks_stands_where_it_is_listed():
    with pytest.raises(ValueError, match=r"plugs \['highway', 'stage'\] do not fit .* MotionHighway reads o "):
        create_model("hybrid", plugs=["highway", "stage"], **SMALL)


@pytest.mark.parametrize(
    ("plugs", "message"),
    [
        ("gfm", "list of texts, got 'gfm'"),
        (["stage", "gfm", "stage"], "list of names, 'stage' at most once among them"),
    ],
)
def test_lists_of_plugs_that_cannot_be(plugs, message):
    with pytest.raises(ValueError, match=f"plugs must be a {message}"):
        create_model("hybrid", plugs=plugs, **SMALL)


@pytest.mark.parametrize(
    ("base", "plug"),
    [
        ("mau_cell", "gfm"),
        ("mau_cell", "mgm"),
        ("mau_cell", "sam"),
        ("reversible", "gsta"),
        ("mau_cell", "phycell"),
        ("reversible", "motion_gru"),
    ],
)
def test_before_a_base_that_writes_h_anew_a_plug_would_have_no_effect(base, plug):
    """Whether it carries something of its own, from step to step or from layer to layer, or nothing."""
    with pytest.raises(ValueError, match=r"do not fit base '\w+': \w+( in layer 0)? has no effect"):
        create_model("hybrid", base=base, plugs=[plug, "stage"], **SMALL)


def test_the_losses_of_two_blocks_of_a_layer_reach_both():
    model = create_model("hybrid", base="phycell", plugs=["phycell"], **SMALL)
    model.rollout(torch.rand(1, 2, 1, 8, 6), 2).aux["moment"].sum().backward()
    derivatives = [weight.grad for name, weight in model.named_parameters() if name.endswith("derivatives.weight")]
    assert len(derivatives) == 6
    assert all(gradient is not None and gradient.any() for gradient in derivatives)


def test_a_norm_that_no_block_takes_binds_no_size():
    assert create_model("hybrid", base="vmrnn", plugs=[], norm="layer", **SMALL).image_size is None
    assert create_model("hybrid", base="vmrnn", plugs=["gfm"], norm="layer", **SMALL).image_size == (64, 64)


def test_bases_have_the_defaults_of_their_own_file():
    """What the hybrid does not say is as the base has it, not as the registered model of its name."""
    assert create_model("hybrid", base="mim", plugs=[], **SMALL).image_size is None  # one peephole weight per channel
    assert create_model("mim", channels=8, num_layers=2).image_size == (64, 64)
    assert kinds(base="vmrnn", plugs=["gsta", "gfm"]) == ["VMRNN", "GSTA", "GFM"]


@pytest.mark.usefixtures("forgotten")
def test_a_plug_is_given_the_options_that_it_names():
    seen = []
    register_plug("nosy", Plug(before=lambda place, scales: seen.append(scales) or [], after=lambda place: []))
    create_model("hybrid", plugs=["nosy"], **SMALL | {"num_layers": 1, "scales": [2]})
    assert seen == [[2]]


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
    register_plug("late_highway", Plug(after=lambda place: [MotionHighway()]))
    register_plug("damp", Plug(after=lambda place: [Damp(place.channels)]))
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


@pytest.mark.parametrize(
    ("plugs", "millions", "printed"),
    [(["sam"], 27.95, 31.4), (["gfm"], 30.41, 30.4), (["gfm", "sam"], 31.45, 31.4)],
)
def test_sizes_of_the_ablation_of_gmg(plugs, millions, printed):
    """GMG paper, Table VI (d) to (f): without MGM there is MotionRNN's GRU, and (d), SAM alone, is no sum."""
    with torch.device("meta"):
        model = create_model("hybrid", base="motionrnn", plugs=plugs, in_channels=1, image_size=(64, 64))
    size = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert round(size, 2) == millions
    assert (abs(size - printed) < 0.1) == (plugs != ["sam"])


@pytest.mark.parametrize(("norm", "growth"), [(None, 1e4), (partial(nn.GroupNorm, 1), 1e2)])
def test_what_gfm_makes_grows_with_the_square_of_its_input_unless_there_is_a_norm(norm, growth):
    torch.manual_seed(0)
    gfm, x, h = GFM(3, 4, norm=norm), torch.randn(1, 3, 6, 6), torch.rand(1, 4, 6, 6)
    near, far = (gfm(scale * x, h).abs().max() for scale in (1e4, 1e6))
    assert growth / 3 < far / near < 3 * growth
