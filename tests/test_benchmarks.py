"""The floor that benchmarks compare with does the published work of each model, no more; scans compared are one."""

import sys
from functools import partial

import pytest
import torch

from benchmarks import gpu, heavy_rain
from benchmarks.models import SETTINGS
from benchmarks.plain import step_products
from benchmarks.reference import unusable
from benchmarks.scan import FORMS, draw
from benchmarks.vmrnn import by_loop, projections
from stblocks import VSS
from stblocks.blocks.maps import ss2d
from stblocks.core import model_entry
from stblocks.runtime.graph import Graphed
from tests.graphs import Again
from tests.test_models import small_options
from tests.test_viz import pixels

STEPS = {"CIKM2017": 14, "Moving MNIST": 19}


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.floor])
def test_floor_has_the_published_multiply_adds(name):
    entry = model_entry(name)
    kernel = 3 if name == "cms_lstm" else 5  # the published setting; the benchmark takes 5
    work = STEPS[entry.dataset] * sum(product.multiply_adds for product in step_products(name, batch=1, kernel=kernel))
    if name == "mim":  # in each of 3 layers the release leaves out 2 convolutions of zeros at the first step
        work -= 6 * 4 * 128 * 128 * 25 * 16 * 16
    assert work == pytest.approx(entry.flops, rel=0.005)


def test_the_scans_that_are_compared_are_one():
    inputs = draw(2, 4, 7)
    ours = torch.autograd.grad(FORMS["blocked"](*inputs).sum(), inputs)
    for name, form in FORMS.items():
        torch.testing.assert_close(form(*inputs), FORMS["blocked"](*inputs), rtol=1e-4, atol=1e-5, msg=name)
        torch.testing.assert_close(torch.autograd.grad(form(*inputs).sum(), inputs), ours, rtol=1e-3, atol=1e-4)


def test_the_loop_takes_the_place_of_the_scan_in_a_block():
    block, maps, ours = VSS(4).eval(), torch.randn(2, 4, 5, 3), ss2d.selective_scan
    for parameter in block.parameters():  # away from the start, where blocks hardly matter
        parameter.data += 0.2 * torch.rand_like(parameter)
    expected = block(maps)
    with by_loop():
        assert ss2d.selective_scan is not ours
        by_steps = block(maps)
    assert ss2d.selective_scan is ours
    assert not by_steps.equal(expected)
    torch.testing.assert_close(by_steps, expected, rtol=1e-4, atol=1e-4)


def test_the_products_that_are_compared_are_the_projections():
    ours, products = (each() for each in projections(3).values())
    for a, b in zip(ours, products, strict=True):
        tokens = a.flatten(1) if a.shape[2:] == (1, 1) else a.movedim(1, -1).flatten(0, 2)
        torch.testing.assert_close(tokens, b, rtol=1e-4, atol=1e-4)


def test_without_a_gpu_it_says_so_and_ends_well(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main([])
    assert capsys.readouterr().out.startswith("No GPU is at hand (torch ")


OPENSTL = """
from torch import nn
class PredRNN_Model(nn.Module):
    def __init__(self, layers, widths, settings):
        super().__init__()
        self.linear = nn.Linear(settings.patch_size**2 * settings.in_shape[1], 1)
    def forward(self, frames, mask, return_loss):
        assert mask.shape == (2, 1, 2, 2, 16) and frames.shape == (2, 4, 2, 2, 16)
        return None, self.linear(frames).mean()
class SimVP_Model(nn.Module):
    def __init__(self, shape, **options):
        super().__init__()
        assert shape == (2, 1, 8, 8)
        self.conv = nn.Conv3d(2, 2, 1)
    def forward(self, past):
        return self.conv(past)
"""


@pytest.fixture
def openstl(tmp_path, monkeypatch):
    (tmp_path / "openstl" / "models").mkdir(parents=True)
    (tmp_path / "openstl" / "__init__.py").write_text("")
    (tmp_path / "openstl" / "models" / "__init__.py").write_text(OPENSTL)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("openstl", "openstl.models"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["predrnn", "simvpv2_s"])
def test_rows_of_a_gpu(name, openstl):
    options = small_options(name)
    setting = gpu.MODELS[name]._replace(batch=2, in_frames=2, horizon=2, side=8, options=options)
    assert unusable(openstl) is None
    row = gpu.model_row(name, setting, torch.device("cpu"), 1, reference=True, recorder=Again)
    ways = [f"{way} {precision}" for way in ("eager", "graph", "released") for precision in gpu.PRECISIONS]
    ways.remove("graph fp32")
    assert list(row) == ways
    assert "| x | 1 |  |\n| y |  | 2 |" in gpu.markdown("t", {"x": {"a": 1}, "y": {"b": 2}})


def test_a_reference_that_is_none_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert unusable(tmp_path) == f"{tmp_path} has no package openstl that can be imported (No module named 'openstl')"


def test_a_step_by_graph_makes_the_gradients_of_an_eager_one():
    setting = gpu.MODELS["gmg_l"]._replace(batch=2, in_frames=2, horizon=2, side=8, options=small_options("gmg_l"))
    model, frames = gpu.made("gmg_l", setting, torch.device("cpu"))
    loss = gpu.step(model, 2, "fp32", False, frames)
    expected = [parameter.grad for parameter in model.parameters()]
    step = Graphed(partial(gpu.step, model, 2, "fp32", True), model, gradients=True, recorder=Again)
    lying = []
    for _ in range(2):
        model.zero_grad(set_to_none=True)  # as an eager step does, which must not take the graph's gradients away
        torch.testing.assert_close(step(frames), loss)
        torch.testing.assert_close([parameter.grad for parameter in model.parameters()], expected)
        lying.append([parameter.grad.data_ptr() for parameter in model.parameters()])
    assert lying[0] == lying[1], "a graph writes where it was recorded"


@pytest.mark.parametrize("forms", [gpu.norm_forms, gpu.dilated_forms])
def test_the_forms_that_are_compared_are_one(forms):
    shape, device = (2, 4, 5, 3), torch.device("cpu")
    maps = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    first, *others = (form(maps) for form in forms(shape, device).values())
    assert len(others) == 1 + (forms is gpu.dilated_forms)
    for other in others:
        torch.testing.assert_close(other, first, rtol=1e-4, atol=1e-5)
    row = gpu.forms_row(forms(shape, device), shape, device, 1)
    assert len(row) == 2 * (1 + len(others))


def test_scan_rows_time_both_ways():
    assert [*gpu.scan_row((1, 4, 7), torch.device("cpu"), 1)] == ["forward", "both"]


def test_what_losses_for_heavy_rain_cost_is_drawn(tmp_path):
    heavy_rain.draw(picture=tmp_path / "heavy-rain.png")
    assert pixels(tmp_path / "heavy-rain.png").std() > 10
