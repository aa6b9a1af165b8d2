"""The SimVP family: published sizes, any translator, what its options mean."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from stblocks import (
    GFM,
    GSTA,
    MGM,
    TAU,
    Cell,
    Forecaster,
    FromInput,
    MapCell,
    RecurrentForecaster,
    RecurrentStack,
    STConvLSTM,
    create_model,
    register_translator,
    testing,
)
from stblocks.blocks.layers import MapNorm
from stblocks.blocks.maps.mixing import Mixing
from stblocks.blocks.translators.names import TRANSLATORS
from stblocks.core import model_entry
from stblocks.flops import count_multiply_adds
from stblocks.models import PLUGS
from stblocks.models.base import Place as LayerPlace
from stblocks.models.plugging import plugged
from stblocks.models.simvp import CELLS

#: Parameters and multiply-adds, as published for Moving MNIST and for TaxiBJ.
PUBLISHED = {
    "gsta": (46_769_665, 16_526_049_280, 9_961_058, 2_612_887_552),
    "incepu": (57_946_113, 19_430_539_264, 13_794_914, 3_614_343_168),
    "tau": (44_656_001, 15_952_646_144, 9_545_442, 2_491_805_696),
    "vit": (46_102_273, 16_928_309_248, 9_657_698, 2_795_732_992),
    "swin": (46_105_409, 16_409_264_128, 9_660_834, 2_559_803_392),
    "poolformer": (37_115_393, 14_076_182_528, 7_753_314, 2_057_535_488),
    "mlpmixer": (38_192_449, 14_650_802_176, 8_244_002, 2_179_170_304),
    "convmixer": (3_919_361, 5_450_399_744, 841_314, 230_064_128),
    "convnext": (37_313_921, 14_123_761_664, 7_843_554, 2_079_162_368),
    "van": (44_520_833, 15_951_429_632, 9_484_002, 2_491_252_736),
    "hornet": (45_738_305, 16_271_077_376, 9_679_650, 2_544_963_584),
    "moga": (46_777_065, 16_519_426_048, 9_964_426, 2_609_876_992),
    "uniformer": (44_834_817, 16_448_716_800, 9_525_346, 2_709_749_760),
}
#: The same of the large model, on Moving MNIST.
LARGE = (524_004_353, 152_149_360_640)
#: Counted in every run of the tests, not in the slow ones alone.
SAMPLE = ("gsta", "incepu", "tau", "convmixer")
TAXIBJ = {
    "in_channels": 2,
    "image_size": (32, 32),
    "in_frames": 4,
    "out_frames": 4,
    "channels": 32,
    "encoder_layers": 2,
    "translator_channels": 256,
}
SMALL = {"image_size": (8, 8), "in_frames": 2, "out_frames": 2, "channels": 8, "encoder_layers": 2, "num_layers": 3}


def small(name="simvpv2_s", **options):
    torch.manual_seed(0)
    sizes = SMALL if name == "simvp_recurrent" else SMALL | {"translator_channels": 24}
    return create_model(name, **sizes | options)


def published(translator, **options):
    """The model of a row, and frames for it, without memory."""
    with torch.device("meta"):
        chosen = ("simvp", {}) if translator == "incepu" else ("simvpv2_s", {"translator": translator})
        model = create_model(chosen[0], **chosen[1], **options).eval()
        return model, torch.empty(1, model.in_frames, model.in_channels, *options.get("image_size", (64, 64)))


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def stir(model):
    """Weights away from their start, where some branches are all but closed."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("translator", PUBLISHED)
def test_published_parameters(translator):
    on_digits, _, on_traffic, _ = PUBLISHED[translator]
    assert count(published(translator)[0]) == on_digits
    assert count(published(translator, **TAXIBJ)[0]) == on_traffic


@pytest.mark.parametrize(
    "translator", [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.slow) for name in PUBLISHED]
)
@pytest.mark.parametrize("data", ["Moving MNIST", "TaxiBJ"])
def test_published_multiply_adds(translator, data):
    """Within 2 %: the published ones count norms, too."""
    model, past = published(translator, **(TAXIBJ if data == "TaxiBJ" else {}))
    ours, theirs = count_multiply_adds(model, past, model.out_frames), PUBLISHED[translator]
    assert ours.formulas == 0
    products = ours.products
    if translator == "convmixer":  # the published figure leaves out the depth-wise convolutions of 11 x 11 on 16 x 16
        widths = (640, *[512] * 7) if data == "Moving MNIST" else (128, *[256] * 7)
        products -= 11**2 * 16**2 * sum(widths)
    assert products == pytest.approx(theirs[3 if data == "TaxiBJ" else 1], rel=0.02)


def test_published_size_of_the_large_model():
    with torch.device("meta"):
        model = create_model("simvpv2_l")
        products = count_multiply_adds(model, torch.empty(1, 10, 1, 64, 64), 10).products
    assert count(model) == LARGE[0]
    assert products == pytest.approx(LARGE[1], rel=0.02)


def test_the_command_shows_what_was_published():
    rows = {"simvpv2_s": PUBLISHED["gsta"][:2], "tau": PUBLISHED["tau"][:2], "simvp": PUBLISHED["incepu"][:2]}
    for name, (parameters, flops) in (rows | {"simvpv2_l": LARGE}).items():
        entry = model_entry(name)
        assert (entry.parameters, entry.flops, entry.dataset) == (parameters, flops, "Moving MNIST")


@pytest.mark.parametrize("plugs", [[], ["gfm"]])
@pytest.mark.parametrize("translator", TRANSLATORS)
def test_a_training_step_with_every_translator(translator, plugs):
    model, frames = small(translator=translator, plugs=plugs), torch.rand(4, 4, 1, 8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def loss():
        return (model.rollout(frames[:, :2], 2).frames - frames[:, 2:]).square().mean()

    before = loss()
    before.backward()
    assert not [name for name, each in model.named_parameters() if each.grad is None or not each.grad.isfinite().all()]
    optimizer.step()
    assert loss() < before
    assert all(isinstance(block, MapCell) == bool(plugs) for block in model.translator.blocks)


PLUGGED = {
    ("gfm",): ["GSTA", "GFM"],
    ("gfm", "ce"): ["CE", "GSTA", "GFM"],  # each on its own side
    ("gfm", "stage", "tau"): ["GFM", "GSTA", "TAU"],
    ("simple_gfm", "gsta", "vss"): ["GSTA", "SimpleGFM", "GSTA", "VSS"],
}


@pytest.mark.parametrize("plugs", PLUGGED)
def test_order_and_side_of_plugs_in_a_translator(plugs):
    model, past = stir(small(plugs=plugs, channels=4, translator_channels=16)), torch.rand(2, 2, 1, 9, 6)
    for block in model.translator.blocks:
        start, *stages = block.cell.stages
        assert isinstance(start, FromInput)
        assert [type(stage).__name__ for stage in stages] == PLUGGED[plugs]
    model(past, 3).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("plug", sorted(PLUGS.keys() - {"stage"}))
def test_plugs_with_a_memory_do_not_fit_a_translator(plug):
    """Those that read more than the layer's input and its hidden state."""
    place = LayerPlace(0, 3, 8, 8, 3, None)
    read = {slot.name for stage in plugged(lambda _: [FromInput(8)], [plug], 3, {})(place) for slot in stage.reads}
    if read <= {"x", "h"}:
        assert small(plugs=[plug])(torch.rand(1, 2, 1, 8, 8), 1).shape == (1, 1, 1, 8, 8)
        return
    with pytest.raises(ValueError, match=rf"^plugs \['{plug}'\] do not fit translator 'gsta': .* take no steps"):
        small(plugs=[plug])


def test_a_plug_in_a_translator_sees_the_map_that_the_layer_was_given():
    torch.manual_seed(0)
    block, gate, maps = TAU(4), GFM(4, 4), torch.randn(2, 4, 5, 3)
    assert torch.equal(MapCell(4, block, gate)(maps), gate(maps, block(maps)))
    assert torch.equal(MapCell(4, gate, block)(maps), block(gate(maps, maps)))


def test_cells_without_memory():
    with pytest.raises(ValueError, match=r"MGM needs f \(transient variation\), which goes from step to step"):
        MapCell(4, GSTA(4), MGM(4))
    with pytest.raises(ValueError, match=r"h has 4 channels in FromInput but 5 in GSTA"):
        MapCell(4, GSTA(5))
    with pytest.raises(ValueError, match="stages must hold at least one block, got none"):
        MapCell(4)


@pytest.mark.parametrize("translator", ["gsta", "plain"])
@pytest.mark.usefixtures("forgotten")
def test_models_saved_before_there_were_plugs(translator, tmp_path):
    """Their config has `gate`, their weights the names of a block and its gate."""
    register_translator("plain")(lambda channels, place: nn.Conv2d(channels, channels, 3, padding=1))
    for name, gate in (("simvpv2_s", "gfm"), ("simvpv2_s", None), ("simvpv2_l", "gfm")):
        sizes = {"translator": translator, "plugs": [gate] if gate else [], "channels": 4, "translator_channels": 8}
        model = stir(create_model(name, image_size=(4, 4), in_frames=2, out_frames=1, num_layers=2, **sizes)).eval()
        model.save_pretrained(tmp_path / name)
        weights = load_file(tmp_path / name / "model.safetensors")
        of_block = r"cell\.stages\.1\." + ("module\\." if translator == "plain" else "")
        former = {re.sub(of_block, "block.", key): value for key, value in weights.items()}
        former = {re.sub(r"cell\.stages\.2\.", "gate.", key): value for key, value in former.items()}
        assert (former.keys() != weights.keys()) is bool(gate)
        save_file(former, tmp_path / name / "model.safetensors")
        config = tmp_path / name / "config.json"
        now = json.loads(config.read_text())
        then = {key: value for key, value in now.items() if key != "plugs"} | {"gate": gate}
        config.write_text(json.dumps(then))
        other, past = Forecaster.from_pretrained(tmp_path / name), torch.rand(1, 2, 1, 4, 4)
        assert other.config == now
        assert torch.equal(other(past, 2), model(past, 2))


@pytest.mark.parametrize("cell", CELLS)
def test_a_recurrent_translator(cell):
    model, past = stir(small("simvp_recurrent", cell=cell, out_frames=3)), torch.rand(2, 2, 1, 9, 6)
    assert model(past, 7).shape == (2, 7, 1, 9, 6)
    model(past, 3).square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters())


def test_the_recurrent_translator_is_the_recurrent_forecaster_on_features():
    """It runs over the encoded frames, then over its own forecasts of them."""
    model = stir(small("simvp_recurrent", in_frames=3, out_frames=4, cell="convlstm"))
    features = torch.rand(2, 3, 8, 5, 4)
    rolled = RecurrentForecaster(nn.Identity(), model.translator.stack, nn.Identity())(features, 4)
    torch.testing.assert_close(model.translator(features.flatten(1, 2)), rolled.flatten(1, 2))


@pytest.mark.usefixtures("forgotten")
def test_a_block_of_your_own_is_taken_by_name(tmp_path):
    places = []

    @register_translator("mine")
    def mine(channels, place, **options):
        places.append((channels, place, options))
        return nn.Conv2d(channels, channels, 3, padding=1)

    model, past = small(translator="mine", drop=0.5), torch.rand(1, 2, 1, 8, 8)
    assert [channels for channels, _, _ in places] == [16, 24, 24]
    assert [tuple(place) for _, place, _ in places] == [(0, (4, 4), True), (1, (4, 4), False), (2, (4, 4), True)]
    assert all(options == {"drop": 0.5} for _, _, options in places)
    model.save_pretrained(tmp_path)
    assert torch.equal(Forecaster.from_pretrained(tmp_path)(past, 3), model(past, 3))


@pytest.mark.usefixtures("forgotten")
def test_an_option_that_a_block_lacks_is_refused_by_name():
    register_translator("mine")(lambda channels, place, *, drop=0.0: nn.Conv2d(channels, channels, 1))
    assert small(translator="mine", drop=0.5).config["drop"] == 0.5
    for translator, options, lacking in (
        ("mine", {"drop_path": 0.1, "drop": 0.1}, "no drop_path"),
        ("gsta", {"window_size": 4}, "no window_size"),
        ("uniformer", {"window_size": 4}, "no window_size"),
        ("conv3d", {"mlp_ratio": 2.0, "drop": 0.1, "drop_path": 0.1}, "no drop and no mlp_ratio"),
    ):
        with pytest.raises(ValueError, match=f"^translator '{translator}' takes {lacking}; leave it out"):
            small(translator=translator, **options)
    small(translator="swin_unmasked", window_size=2)


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("size_bound", [False, True])
def test_a_block_of_your_own_may_be_bound_to_a_size(size_bound):
    @register_translator("normed", size_bound=size_bound)
    def normed(channels, place):
        return MapNorm(channels, *place.size)

    model = small(translator="normed")
    assert model(torch.rand(1, 2, 1, 8, 8), 1).shape == (1, 1, 1, 8, 8)
    with pytest.raises(ValueError, match="image_size" if size_bound else r"maps must be of the shape of weight"):
        model(torch.rand(1, 2, 1, 12, 8), 1)


@pytest.mark.usefixtures("forgotten")
def test_a_translator_needs_a_name_of_its_own():
    with pytest.raises(ValueError, match="There is a translator 'gsta' already; give yours another name"):
        register_translator("gsta")(nn.Identity)
    with pytest.raises(
        ValueError, match=r"name of a translator must be a string, got <function .*; write it in brackets"
    ):
        register_translator(lambda channels, place: nn.Identity())


@pytest.mark.usefixtures("forgotten")
def test_a_block_that_changes_its_map_is_refused():
    register_translator("shrinking")(lambda channels, place: nn.AvgPool2d(2))
    with pytest.raises(ValueError, match=r"must keep the shape of its map, \(1, 16, 4, 4\); AvgPool2d made \(1, 16, 2"):
        small(translator="shrinking")(torch.rand(1, 2, 1, 8, 8), 1)


@pytest.mark.parametrize("translator", ["gsta", "swin", "uniformer", "mlpmixer"])
def test_saving_and_loading(translator, tmp_path):
    options = {"translator": translator, "plugs": ["gfm"], "shortcut": 3, "out_channels": 1, "in_channels": 2}
    model, past = stir(small(**options)).eval(), torch.rand(1, 2, 2, 8, 8)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["translator"] == translator
    assert torch.equal(Forecaster.from_pretrained(tmp_path).eval()(past, 2), model(past, 2))


@pytest.mark.parametrize(("encoder_layers", "stride"), [(1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 8)])
def test_any_number_of_layers_in_the_encoder(encoder_layers, stride):
    model = stir(small(encoder_layers=encoder_layers)).eval()
    assert model.size_multiple == stride
    features, skip = model.encoder(torch.rand(2, 1, 8, 16))
    assert (features.shape, skip.shape) == ((2, 8, 8 // stride, 16 // stride), (2, 8, 8, 16))
    past = torch.rand(2, 2, 1, 11, 9)
    with torch.no_grad():
        assert model(past, 3).shape == (2, 3, 1, 11, 9)
    if stride > 1:
        with pytest.raises(ValueError, match=f"H and W of at least {stride}"):
            model(past[..., : stride - 1], 1)


def test_checkpointing_keeps_less_and_changes_nothing():
    past, kept = torch.rand(2, 2, 1, 8, 8), {}
    results = {}
    for checkpointing in (False, True):
        model, saved = small(checkpointing=checkpointing, num_layers=4, drop=0.2, drop_path=0.3), {}

        def pack(tensor, saved=saved):
            saved[tensor.data_ptr()] = tensor.nbytes
            return tensor

        maps = torch.rand(2, 16, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            made = model.translator(maps)
        kept[checkpointing] = sum(saved.values())
        model.zero_grad()
        torch.manual_seed(1)
        model(past, 4).square().sum().backward(retain_graph=True)
        gradients = [parameter.grad for parameter in model.parameters()]
        results[checkpointing] = [*gradients, *model.buffers(), made]
    assert kept[True] < kept[False] / 2
    torch.testing.assert_close(results[True], results[False])


def test_drop_path_grows_evenly_from_zero():
    model = small(drop_path=0.3, num_layers=4)
    assert [block.drop_path.p for block in model.translator.blocks] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert small(drop_path=0.3, num_layers=1).translator.blocks[0].drop_path.p == 0


def test_a_shortcut_starts_as_persistence_of_the_first_channels():
    model, past = small(shortcut=3, in_channels=3, out_channels=2, out_frames=4), torch.rand(2, 2, 3, 8, 8)
    torch.testing.assert_close(model(past, 4), past[:, -1:, :2].expand(-1, 4, -1, -1, -1))
    stir(model)(past, 4).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters())


@pytest.mark.parametrize("block", [GSTA, TAU])
def test_blocks_of_a_translator_in_a_recurrent_cell(block):
    testing.check_cell(Cell(STConvLSTM(3, 8), block(8, mlp_ratio=2.0)))
    stack = RecurrentStack([Cell(STConvLSTM(1, 8), block(8)), Cell(STConvLSTM(8, 8), block(8), block(8))])
    model, past = RecurrentForecaster(nn.Identity(), stack, nn.Conv2d(8, 1, 1)), torch.rand(2, 2, 1, 7, 5)
    model.rollout(past, 3).frames.square().mean().backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


def test_tau_starts_like_gsta():
    """He's spread for every convolution, 0.01 for the scales."""
    torch.manual_seed(0)
    for block in (GSTA(160), TAU(160)):
        assert isinstance(block, Mixing)
        assert block.scale1.unique().tolist() == block.scale2.unique().tolist() == pytest.approx([0.01])
        for layer in (module for module in block.modules() if isinstance(module, nn.Conv2d)):
            fan_out = layer.kernel_size[0] ** 2 * layer.out_channels / layer.groups
            assert layer.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)


@pytest.mark.parametrize(
    ("channels", "squeezed"), [(4, 1), (24, 6), (64, 16), (79, 19), (80, 16), (128, 16), (640, 16)]
)
def test_tau_squeezes_as_released(channels, squeezed):
    assert TAU(channels).mixer.attention.dynamic[1].out_channels == squeezed


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("simvpv2_s", {"translator": "gst"}, "There is no translator 'gst'; did you mean gsta"),
        ("simvpv2_s", {"translator": "mogga"}, "no translator 'mogga'; did you mean moga"),
        ("simvpv2_s", {"translator": "gSTA"}, "no translator 'gSTA'; did you mean gsta"),
        ("simvpv2_s", {"translator": "ViT"}, "no translator 'ViT'; did you mean vit"),
        *(
            ("simvpv2_s", {"translator": name}, rf"translator .* got '{name}'; .* create_model\(\"simvp\"\)")
            for name in ("incepu", "IncepU", "inception")
        ),
        (
            "simvpv2_s",
            {"translator": "zzz"},
            r"There is no translator 'zzz'; there are gsta, .*, mlpmixer, predformer, conv3d, afno\.$",
        ),
        ("simvpv2_s", {"plugs": ["gmf"]}, "There is no plug 'gmf'; did you mean mgm or gfm"),
        ("simvpv2_s", {"plugs": "gfm"}, "plugs must be a list of texts, got 'gfm'"),
        ("simvpv2_s", {"plugs": ["mgm"], "num_layers": 1}, r"plugs \['mgm'\] stand in every layer but the top one"),
        ("simvpv2_s", {"channels": 7}, "channels must be even, for a norm in two groups, got 7"),
        ("simvpv2_s", {"translator_channels": 0}, "channels must be an integer >= 1, got 0"),
        ("simvpv2_s", {"num_layers": 0}, "num_layers must be an integer >= 1, got 0"),
        ("simvpv2_s", {"mlp_ratio": 0.0}, "mlp_ratio must be a number above 0, got 0.0"),
        ("simvpv2_s", {"mlp_ratio": 0.01}, "mlp_ratio must leave the MLP a channel of 16, got 0.01"),
        ("simvpv2_s", {"drop_path": 1.0}, r"drop_path must be a rate in \[0, 1\), got 1.0"),
        ("simvpv2_s", {"drop_path": "x", "num_layers": 1}, "drop_path must be a finite number, got 'x'"),
        ("simvpv2_s", {"drop": -0.1}, r"drop must be a rate in \[0, 1\), got -0.1"),
        ("simvpv2_s", {"shortcut": 2}, "shortcut must be an odd integer, .* got 2"),
        ("simvp", {"shortcut": 0}, "shortcut must be an odd integer, .* got 0"),
        ("simvpv2_s", {"kernel_size": 4}, "kernel_size must be an odd integer"),
        ("simvp", {"decoder_kernel_size": 4}, "decoder_kernel_size must be an odd integer, .* got 4"),
        ("simvp_recurrent", {"decoder_kernel_size": 0}, "decoder_kernel_size must be an odd integer, .* got 0"),
        ("simvpv2_s", {"image_size": 8}, r"image_size must be \(H, W\), got 8"),
        *(
            (name, {option: 0}, f"{option} must be an integer >= 1, got 0")
            for name in ("simvpv2_s", "simvp", "simvp_recurrent")
            for option in ("in_channels", "out_channels", "in_frames", "out_frames", "channels", "encoder_layers")
        ),
        ("simvp", {"groups": 5}, "groups must divide the 12 inner and 24 outer channels, got 5; groups=1 always does"),
        ("simvp", {"translator_kernel_sizes": [3, 4]}, r"translator_kernel_sizes must .* odd .* got \[3, 4\]"),
        ("simvp", {"translator_kernel_sizes": []}, r"translator_kernel_sizes must .* at least one .* got \[\]"),
        ("simvp", {"translator_kernel_sizes": 3}, "translator_kernel_sizes must .* got 3"),
        ("simvp", {"num_layers": 0, "groups": 1}, "num_layers must be an integer >= 1, got 0"),
        ("simvp_recurrent", {"cell": "gru"}, "cell must be one of 'convlstm', 'st_convlstm', got 'gru'"),
    ],
)
def test_options_that_cannot_be(name, options, message):
    with pytest.raises(ValueError, match=message):
        small(name, **options)
