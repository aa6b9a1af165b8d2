"""Weight maps are what the equations say of the inputs that a block got, and nothing is left on the model."""

from functools import partial
from itertools import product

import pytest
import torch
from PIL import Image
from torch.nn.functional import conv2d

from stblocks import CE, GFM, SAM, SE, GradientHighway, SimpleGFM, create_model
from stblocks.viz import weight_maps
from stblocks.weight_maps import block_maps, record_maps

SMALL = {"channels": 8, "num_layers": 2, "patch_size": 2, "kernel_size": 3, "norm": None}


def make(name):
    torch.manual_seed(0)
    model = create_model(name, **SMALL, **({"scales": (1, 2)} if name == "cms_lstm" else {})).requires_grad_(False)
    for weight in model.parameters():
        weight.mul_(2)  # far from even maps
    return model, torch.rand(1, 3, 1, 10, 8)  # features are maps of 5 x 4, which windows of scale 2 do not divide


def record(name, kind, layer=-1):
    """The maps, and what the block of a kind in that layer was given at each step."""
    model, past = make(name)
    (block,) = [module for module in model.stack.layers[layer].modules() if type(module) is kind]
    given = []
    with block.register_forward_pre_hook(lambda module, args: given.append(args)):
        return record_maps(model, past, 2, layer=layer), block, given


def check(map_, expected, total=None):
    """`expected`: a map (1, K, H, W) for each step, before the mean over K; `total`: their sum over the positions."""
    torch.testing.assert_close(map_, torch.cat([step.mean(dim=1) for step in expected]))
    assert map_.std() > 1e-4, "it is the same everywhere"
    assert total is None or map_.sum(dim=(1, 2)).tolist() == pytest.approx([total] * len(map_), rel=1e-4)


def test_maps_of_ce():
    maps, ce, given = record("cms_lstm", CE, layer=0)
    weights = []
    for x, h in given:
        for_x, for_h = 2 * ce.weigh_x(h).sigmoid(), 1
        for _ in range(2):
            for_h = for_h * 2 * ce.weigh_h(for_x * x).sigmoid()
            for_x = for_x * 2 * ce.weigh_x(for_h * h).sigmoid()
        weights.append((for_x, for_h))
    check(maps["CE weighs x"], [each for each, _ in weights])
    check(maps["CE weighs h"], [each for _, each in weights])


def test_maps_of_se():
    maps, se, given = record("cms_lstm", SE)
    gates = []
    for h, c in given:
        both = se.express(se.attention(torch.cat([h, c], dim=3)))
        gates.append((se.gates_a(se.fuse(torch.cat(both.chunk(2, dim=3), dim=1))) + se.gates_h(h)).sigmoid())
    check(maps["SE input gate"], [each[:, :8] for each in gates])
    check(maps["SE output gate"], [each[:, 16:] for each in gates])
    for index, (rows, columns) in enumerate([(5, 4), (3, 2)]):
        attention = []
        for states in given:
            tokens = torch.stack(states, dim=-1)[0].permute(1, 2, 3, 0)  # (H, W, 2, C)
            query, key, _ = se.attention.project(tokens).chunk(2, dim=-1)[index].chunk(3, dim=-1)
            received = torch.zeros(5, 4, 2)
            for top, left in product(range(0, 5, rows), range(0, 4, columns)):
                window = (slice(top, top + rows), slice(left, left + columns))
                scores = query[window].flatten(0, 2) @ key[window].flatten(0, 2).T
                received[window] = scores.softmax(dim=1).sum(dim=0).view_as(received[window])
            attention.append(received.permute(2, 0, 1)[None])
        check(maps[f"SE attention, scale {index + 1}"], attention, total=20)  # queries of h, and of c


@pytest.mark.parametrize("name", ["sa_convlstm", "gmg_l"])
def test_maps_of_sam(name):
    maps, sam, given = record(name, SAM)
    received, gates = {"h": [], "m": []}, []
    for h, m in given:
        looked = []
        for of, key, value in (("h", sam.key_h(h), sam.value_h(h)), ("m", sam.key_m(m), sam.value_m(m))):
            attention = (sam.query(h).flatten(2).transpose(1, 2) @ key.flatten(2)).softmax(dim=2)  # queries, keys
            received[of].append(attention.sum(dim=1).view(1, 1, 5, 4))
            looked.append((value.flatten(2) @ attention.transpose(1, 2)).view_as(h))
        gates.append(sam.gates(torch.cat([sam.fuse(torch.cat(looked, dim=1)), h], dim=1)).sigmoid())
    for of, attention in received.items():
        check(maps[f"SAM attention to {of}"], attention, total=20)  # queries
    check(maps["SAM output gate"], [each[:, :8] for each in gates])
    check(maps["SAM input gate"], [each[:, 16:] for each in gates])


def test_maps_of_gfm():
    maps, gfm, given = record("gmg_l", GFM)
    overall = [gfm.linear(gfm.local(x).relu().mean(dim=(2, 3))).relu()[..., None, None] for x, _ in given]
    pairs = [torch.cat([h, each.expand_as(h)], dim=1) for (_, h), each in zip(given, overall, strict=True)]
    check(maps["GFM gate"], [conv2d(pair, gfm.gate.weight, gfm.gate.bias, padding=1).sigmoid() for pair in pairs])
    check(maps["GFM focus"], [gfm.focus(x) for x, _ in given])
    maps, simple, given = record("gmg_s", SimpleGFM)
    check(maps["SimpleGFM focus"], [simple.focus(x) for x, _ in given])


@pytest.mark.parametrize(("name", "mode"), [("gmg_l", torch.enable_grad), ("cms_lstm", torch.inference_mode)])
def test_the_model_is_left_as_it_was(name, mode):
    model, past = make(name)
    with mode():
        before, frames = model.requires_grad_()(past, 2), []
        with model.head.register_forward_hook(lambda module, args, out: frames.append(out)):
            maps = record_maps(model, past, 2)
        assert torch.equal(torch.stack(frames, dim=1)[:, 2:], before)
        with model.head.register_forward_pre_hook(lambda *_: 1 / 0), pytest.raises(ZeroDivisionError):
            record_maps(model, past, 2)
    assert not any(each.requires_grad for each in maps.values())
    assert not any(module._forward_hooks for module in model.modules())


def test_other_blocks_can_be_added():
    class Mine(GradientHighway): ...

    block_maps.register(Mine, lambda block, seen: {"h": seen[""][-1].output, "x": seen["conv_x"][-1].inputs[0]})
    model, past = make("predrnnpp")
    model.stack.layers[1].stages.append(Mine(8, 8)).append(Mine(8, 8))
    assert {"Mine h", "Mine x", "Mine 2 h", "Mine 2 x"} <= record_maps(model, past, 1, layer=1).keys()


def test_a_picture_has_a_row_for_each_map(tmp_path):
    heights = []
    for names in ("abc", "a"):
        weight_maps({name: torch.rand(2, 5, 4) for name in names}, torch.rand(2, 1, 10, 8), tmp_path / "maps.png")
        with Image.open(tmp_path / "maps.png") as image:
            heights.append(image.height)
    assert heights[0] == pytest.approx(2 * heights[1], abs=2)


def test_errors_name_the_argument(tmp_path):
    model, past = make("cms_lstm")
    draw = partial(weight_maps, path=tmp_path / "maps.png")
    for call, message in (
        (partial(record_maps, model, past.repeat(2, 1, 1, 1, 1), 1), r"one sample, .* got shape \(2, 3, 1, 10, 8\)"),
        (partial(record_maps, model, past[0], 1), r"past must be .*\(1, T, C, H, W\), got shape \(3, 1, 10, 8\)"),
        (partial(record_maps, model, past, 1, layer=2), "layer must be from -2 to 1, got 2"),
        (partial(record_maps, model, past, 1, layer=-3), "layer must be from -2 to 1, got -3"),
        (partial(record_maps, *make("predrnnpp"), 1, layer=0), r"layer 0 .*\(.*SE.*\), but has CausalLSTM;"),
        (partial(draw, {}, past[0]), "maps must hold at least one"),
        (partial(draw, {"a": torch.rand(2, 5, 4)}, past[0]), r"as frames, 3; 'a' is \(2, 5, 4\)"),
        (partial(draw, {"a": torch.rand(3, 5, 4)}, past[0], channel=1), "channel must be from 0 to 0, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
