"""Multiply-adds, counted by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from stblocks import create_model, flops
from stblocks.core import model_entry
from stblocks.flops import count_multiply_adds
from stblocks.ops.attention import attend
from stblocks.ops.deformable import BACKENDS, deformable_conv2d


class Each(nn.Module):
    """A map to a map, on every frame, as often as frames are asked for."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, past, horizon):
        return torch.stack([self.body(past.flatten(0, 1)) for _ in range(horizon)], dim=1)


def count(body, channels=4, height=6, width=8, horizon=1):
    """Of a body on 2 x 3 maps."""
    model = body if isinstance(body, nn.Module) else Function(body)
    return count_multiply_adds(Each(model), torch.empty(2, 3, channels, height, width, device="meta"), horizon)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


@pytest.mark.parametrize(
    ("body", "by_hand"),
    [
        (nn.Conv2d(4, 5, 3, padding=1), 6 * 6 * 8 * 4 * 5 * 9),
        (nn.Conv2d(4, 5, 3, padding=1, stride=2), 6 * 3 * 4 * 4 * 5 * 9),
        (nn.Conv2d(4, 8, (5, 1), padding=(2, 0), groups=4), 6 * 6 * 8 * 8 * 5),
        (nn.ConvTranspose2d(4, 5, 2, stride=2), 6 * 6 * 8 * 4 * 5 * 4),
        (nn.Linear(8, 3), 6 * 4 * 6 * 8 * 3),
        (nn.Linear(8, 3, bias=False), 6 * 4 * 6 * 8 * 3),
        (lambda x: torch.einsum("bchw,bdhw->bcd", x, x), 6 * 4 * 4 * 6 * 8),
        (nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.GELU(), nn.Conv2d(6, 4, 1)), 6 * 6 * 8 * (4 * 6 * 9 + 6 * 4)),
        (nn.Sequential(nn.BatchNorm2d(4), nn.SiLU(), nn.AvgPool2d(2), nn.Upsample(scale_factor=2)), 0),
    ],
    ids=["conv", "strided", "depthwise", "transposed", "linear", "no bias", "einsum", "network", "by convention"],
)  # fmt: skip
def test_products(body, by_hand):
    assert count(body) == (by_hand, 0)
    assert count(body, horizon=3).products == 3 * by_hand


def test_attention_is_scores_and_their_use():
    by_hand = 6 * 4 * (6 * 6 * 8 + 6 * 6 * 8)  # (6, 4, 6, 8): 6 tokens of width 8 in each of 4 heads
    assert count(lambda x: functional.scaled_dot_product_attention(x, x, x)) == (by_hand, 0)
    mask = torch.ones(6, 6, dtype=torch.bool)
    assert count(lambda x: functional.scaled_dot_product_attention(x, x, x, mask)) == (by_hand, 0)
    assert count(lambda x: attend(x, [x], [x])[0]).products == 2 * 6 * 48 * 48 * 4


def test_attention_of_versions_without_a_formula_for_it(monkeypatch):
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    monkeypatch.delitem(torch.utils.flop_counter.flop_registry, kernel, raising=False)
    assert count(lambda x: functional.scaled_dot_product_attention(x, x, x)).products == 6 * 4 * 2 * 6 * 6 * 8


@pytest.mark.parametrize("backend", BACKENDS)
def test_deformable_convolution_is_a_convolution(backend):
    def body(x):
        offset, mask, weight = x.new_zeros(6, 18, 6, 8), x.new_zeros(6, 9, 6, 8), x.new_zeros(5, 4, 3, 3)
        return deformable_conv2d(x, offset, mask, weight, backend=backend)

    assert count(body) == (6 * 6 * 8 * 4 * 5 * 9, 0)


def test_operators_of_our_own_are_counted_by_formula(monkeypatch):
    @torch.library.custom_op("stblocks_tests::cumulate", mutates_args=())
    def cumulate(x: torch.Tensor, weight: int) -> torch.Tensor:
        raise AssertionError("nothing should be computed")

    cumulate.register_fake(lambda x, weight: x.new_empty(x.shape))
    body = nn.Sequential(nn.Linear(8, 8), Function(lambda x: cumulate(x, 2)), Function(lambda x: cumulate(x, 3)))
    products = 6 * 4 * (6 * 8 * 8)
    assert count(body) == (products, 0)
    operator = torch.ops.stblocks_tests.cumulate
    monkeypatch.setitem(flops.FORMULAS, operator, lambda x, weight, **_: weight * x[-1])
    assert count(body) == (products, 5 * 8)
    assert count(body).total == products + 5 * 8
    assert count(lambda x: x) == (0, 0)


def test_nothing_is_computed_and_the_model_is_left_as_it_was():
    dtypes = []
    note = Function(lambda x: dtypes.append(x.dtype) or x)
    model = Each(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), note)).double()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    large = torch.empty(1, 1, 2, 2**20, 2**20, dtype=torch.float64, device="meta")
    assert count_multiply_adds(model, large, 1).products == 2**40 * 2 * 2 * 9
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training
    assert dtypes == [torch.float64]


@pytest.mark.parametrize("name", ["predrnn", "predrnnv2", "gmg_l"])
def test_models_of_the_meta_device_and_others_count_the_same(name):
    small = {"channels": 8, "num_layers": 2, "patch_size": 4, "kernel_size": 3}
    with torch.device("meta"):
        light = create_model(name, **small)
    past = torch.zeros(1, 2, 1, 16, 16)
    work = count_multiply_adds(light, past, 2)
    assert work == count_multiply_adds(create_model(name, **small), past, 2)
    # the counter of torch before 2.15 has no formula for the CPU's attention
    with torch.utils.flop_counter.FlopCounterMode(display=False, custom_mapping=flops.uncounted()) as counter:
        create_model(name, **small)(past, 2)
    assert work == (counter.get_total_flops() // 2, 0)


def test_predrnn_takes_what_was_published():
    with torch.device("meta"):
        model, past = create_model("predrnn"), torch.empty(1, 5, 1, 64, 64)
    assert count_multiply_adds(model, past, 10) == (85_437_972_480, 0)


def test_frames_that_the_model_refuses():
    with pytest.raises(ValueError, match=r"past must be \(B, T, 1, H, W\)"):
        count_multiply_adds(create_model("predrnn", channels=4, num_layers=1), torch.empty(1, 2, 3, 8, 8), 1)


def test_the_scan_of_vmrnn_is_counted_beside_what_was_published():
    """VMRNN paper, Table 3: 0.9 G without the scan; with it 1.2177 G, by the formula of VMamba's code. Norms apart."""
    with torch.device("meta"):
        model, past = create_model("vmrnn_b", 2, (32, 32)), torch.empty(1, 4, 2, 32, 32)
    count = count_multiply_adds(model, past, 4)
    assert count.products == pytest.approx(903_878_976, rel=0.02)
    assert count.total == pytest.approx(1_217_700_000, rel=0.02)
    assert count.formulas == pytest.approx(313_800_000, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "channels", "size", "steps", "published"),
    [("swinlstm_b", 2, 32, 7, 1_315_184_640), ("swinlstm_d", 1, 64, 19, 69_877_858_304)],
)
def test_swinlstm_takes_what_was_published(name, channels, size, steps, published):
    """VMRNN paper, Table 3: 1.3 G; SimVPv2 paper, Table II: 69.87 G. Norms apart; steps after the first are alike."""
    with torch.device("meta"):
        model, past = create_model(name, channels, (size, size)), torch.empty(1, 1, channels, size, size)
    one, two = (count_multiply_adds(model, past, horizon).products for horizon in (1, 2))
    assert one + (steps - 1) * (two - one) == pytest.approx(published, rel=0.02)


def test_where_the_count_of_gmg_s_is_not_the_published_one():
    steps, layers, positions = 14, 4, 16 * 16
    widened = 2 * positions**2 * (128 - 32)  # the scores of two maps: keys of 32 channels, with zeros up to 128
    means = 32 * 8 * 8  # over the maps of 32 channels in MGM, which fvcore counts and we do not
    with torch.device("meta"):
        model, past = create_model("gmg_s", growth="head"), torch.empty(1, 5, 1, 64, 64)
    found = count_multiply_adds(model, past, 10).products
    published = model_entry("gmg_s").flops
    assert found == published + steps * layers * widened - steps * (layers - 1) * means
