"""Every model works with what torch does to modules: hooks, compiling, pickling, parametrising, sharding."""

import inspect
import io
from copy import deepcopy
from threading import Thread

import pytest
import torch
from torch import nn
from torch.distributed import destroy_process_group, init_process_group
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parameters_to_vector, prune, vector_to_parameters
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from stblocks import Cell, create_model, lay_channels_last
from stblocks.blocks.plugs.gfm import MapAndVectorConv, MultiScaleConv
from stblocks.blocks.plugs.motion_gru import DeformableConv2d
from stblocks.core import model_entry
from stblocks.runtime.nan_guard import first_non_finite
from stblocks.weights.state import load_weights, weights
from tests.test_models import TRAINED, small_options

EVERY = pytest.mark.parametrize("name", TRAINED)
HORIZON = 2


def sample(*few):
    """For checks that take seconds: these models by default, all others when asked for."""
    cases = [pytest.param(name, marks=() if name in few else pytest.mark.slow) for name in TRAINED]
    return pytest.mark.parametrize("name", cases)


#: Their scan has no second derivative.
SCANS = ("vmrnn_b", "vmrnn_d")
#: The gradient of a choice is no slope: it is handed straight through.
SMOOTH = {"dmvfn": {"routing": False}}
FEW = sample("gmg_l", "predrnnv2", "swinlstm_d", "simvpv2_s")


def build(name, **options):
    """A small model whose weights all matter; some start from zero."""
    torch.manual_seed(0)
    model = create_model(name, image_size=(8, 8), **small_options(name) | options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model.eval()


def video(model, batch=2):
    return torch.rand(batch, 2, model.in_channels, 8, 8, generator=torch.Generator().manual_seed(1))


def gradients(model, past):
    model.zero_grad()
    rollout = model.rollout(past, HORIZON)
    (rollout.frames.square().sum() + sum(value.sum() for value in rollout.aux.values())).backward()
    return [parameter.grad for parameter in model.parameters()]


@EVERY
def test_whatever_has_parameters_is_called(name):
    """So that hooks, pruning and adapters on any layer take part."""
    model, called = build(name), set()
    for each in model.modules():
        each.register_forward_hook(lambda module, *_: called.add(module))
    model.rollout(video(model), HORIZON)
    idle = [key for key, each in model.named_modules() if [*each.parameters(recurse=False)] and each not in called]
    assert not idle


@EVERY
def test_the_nan_guard_names_the_layer(name):
    model = build(name)
    past = video(model)
    assert first_non_finite(model, past, HORIZON) is None
    first = next(key for key, each in model.named_modules() if isinstance(each, nn.Conv2d | nn.Linear))
    with torch.no_grad():
        model.get_submodule(first).weight.fill_(torch.nan)
    assert first_non_finite(model, past, HORIZON).startswith(first + " ")


PLAIN = (MapAndVectorConv, MultiScaleConv, DeformableConv2d)


@pytest.mark.parametrize("path", ["gate", "focus", "conv"])
def test_pruning_reaches_weights_of_plain_modules(path):
    model = build("gmg_l")
    past = video(model)
    before = model(past, HORIZON)
    part = next(each for key, each in model.named_modules() if key.endswith(path) and type(each) in PLAIN)
    weight = "weight5" if path == "focus" else "weight"
    prune.l1_unstructured(part, weight, amount=0.5)
    pruned = model(past, HORIZON)
    assert not torch.equal(pruned, before)
    prune.remove(part, weight)
    assert torch.equal(model(past, HORIZON), pruned)


def test_a_rollout_in_another_thread_changes_nothing():
    """No cache of the process: while one model is inside a rollout, what another's weights become is seen."""
    forecasting, other = build("gmg_l"), build("gmg_m")
    for each in [*other.modules()]:
        if isinstance(each, nn.Conv2d):
            weight_norm(each)
    past, seen = video(other), []

    def change():
        before = other(past, HORIZON)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.mul_(1.5)
        seen.append((before, other(past, HORIZON), deepcopy(other)(past, HORIZON)))
        seen.append(gradients(other, past))

    def inside(*_):
        if not seen:
            thread = Thread(target=change)
            thread.start()
            thread.join()

    forecasting.head.register_forward_hook(inside)
    forecasting(past, HORIZON)
    (before, after, fresh), grads = seen
    assert not torch.equal(before, after)
    assert torch.equal(after, fresh)
    assert all(each is not None for each in grads)


def takes_checkpointing(name):
    return "checkpointing" in inspect.signature(model_entry(name).build).parameters


@pytest.mark.parametrize("parametrise", [weight_norm, spectral_norm])
@pytest.mark.parametrize("name", [*filter(takes_checkpointing, TRAINED)])
def test_parametrised_weights_are_recomputed_as_they_were(name, parametrise):
    """Spectral norm turns its vectors at every call in training, so that a step computed again must not."""
    results = []
    for checkpointing in (False, True):
        model = build(name, checkpointing=checkpointing).train()
        torch.manual_seed(1)
        for each in [*model.modules()]:
            if isinstance(each, nn.Conv2d | nn.Linear):
                parametrise(each)
        torch.manual_seed(2)
        results.append([*gradients(model, video(model)), *gradients(model, video(model)), *model.buffers()])
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-4)


@EVERY
def test_a_state_dict_is_all_that_a_model_on_meta_lacks(name):
    model = build(name)
    with torch.device("meta"):
        other = create_model(name, image_size=(8, 8), **small_options(name))
    other.to_empty(device="cpu")
    with torch.no_grad():
        for value in (*other.parameters(), *other.buffers()):
            value.fill_(7)
    other.load_state_dict(model.state_dict())
    past = video(model)
    assert torch.equal(other.eval()(past, HORIZON), model(past, HORIZON))


@EVERY
def test_parameters_are_contiguous_and_have_an_axis(name):
    model = build(name)
    assert all(each.is_contiguous() and each.ndim for each in model.parameters())
    past = video(model)
    before = model(past, HORIZON)
    vector_to_parameters(parameters_to_vector(model.parameters()), model.parameters())
    assert torch.equal(model(past, HORIZON), before)
    lay_channels_last(model)
    torch.testing.assert_close(model(past, HORIZON), before)


@EVERY
def test_a_whole_model_is_pickled(name):
    model, file = build(name), io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    past = video(model)
    assert torch.equal(torch.load(file, weights_only=False)(past, HORIZON), model(past, HORIZON))


@EVERY
def test_an_empty_batch_is_refused(name):
    model = build(name)
    with pytest.raises(ValueError, match=r"past must hold a sequence at least, and pixels, got shape \(0, 2, "):
        model(video(model)[:0], HORIZON)
    if hasattr(model, "step"):
        with pytest.raises(ValueError, match=r"frame must be .* with no axis of 0, got shape \(0, "):
            model.step(video(model)[:0, 0])


#: Parameters that a forecast does not depend on: PredRNNv2's adapter is for its auxiliary loss alone.
WITHOUT_GRADIENT = {"predrnnv2": ["stack.layers.0.stages.0.adapter.weight"]}


@EVERY
def test_a_forecast_gives_every_parameter_a_gradient(name):
    """Which is what DistributedDataParallel asks for."""
    model = build(name)
    model(video(model), HORIZON).square().sum().backward()
    idle = [key for key, value in model.named_parameters() if value.grad is None]
    assert idle == WITHOUT_GRADIENT.get(name, [])
    assert all(each is not None for each in gradients(model, video(model)))  # with the auxiliary losses, all do


@FEW
def test_gradients_of_gradients_by_the_plain_attention(name):
    """Against the difference of two gradients; the fused kernels of attention have no second derivative."""
    model = build(name, **SMOOTH.get(name, {})).double()
    past = video(model).double().requires_grad_()
    direction = torch.randn_like(past)

    def slope(at):
        return torch.autograd.grad(model(at, HORIZON).square().sum(), at, create_graph=True)[0]

    if name in SCANS:
        with pytest.raises(RuntimeError, match="selective_scan has no second derivative"):
            torch.autograd.grad((slope(past) * direction).sum(), past)
        return
    with sdpa_kernel(SDPBackend.MATH):
        try:
            (second,) = torch.autograd.grad((slope(past) * direction).sum(), past)
        except RuntimeError as error:
            if "grid_sampler_2d_backward is not implemented" in str(error):
                pytest.skip("this torch has no second derivative of grid_sample")
            raise
        step = 1e-5
        ahead, behind = (slope((past + sign * step * direction).detach().requires_grad_()) for sign in (1, -1))
    torch.testing.assert_close(second, (ahead - behind).detach() / (2 * step), rtol=1e-4, atol=1e-6)


@sample("predrnnv2", "simvpv2_s")
def test_a_whole_model_compiles_without_a_break(name):
    model = build(name)
    past = video(model)
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(past, HORIZON), model(past, HORIZON))


#: Models whose cells have attention over the map.
WITH_SAM = ("gmg_l", "gmg_s", "sa_convlstm")


@sample("gmg_l", "predrnnv2")
@pytest.mark.parametrize("autocast", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_step_of_every_cell_compiles(name, autocast):
    if autocast and name in WITH_SAM and torch.__version__.startswith("2.6."):
        pytest.skip("torch 2.6 cannot compile the backward of bfloat16 attention on a CPU")
    model = build(name)
    seen = {}
    for cell in (each for each in model.modules() if isinstance(each, Cell)):
        run = cell.run

        def noting(x, slots, cell=cell, run=run):
            seen[cell] = (run, x.detach(), {key: value.detach() for key, value in slots.items()})
            return run(x, slots)

        cell.run = noting
    model(video(model), HORIZON)
    for run, x, slots in seen.values():
        torch.compiler.reset()
        compiled, results = torch.compile(run, backend="aot_eager", fullgraph=True), []
        for call in (run, compiled):
            model.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                y, after = call(x, slots)
            loss = y.float().square().sum() + sum(value.float().sum() for value in after.values())
            if loss.requires_grad:  # PredNet's top error has no weights
                loss.backward()
            results.append((y, after, [each.grad for each in model.parameters()]))
        close = {"rtol": 0.05, "atol": 0.05} if autocast else {}
        torch.testing.assert_close(*results, **close)


@FEW
@pytest.mark.skipif(not hasattr(torch.cpu.Stream, "record_event"), reason="FSDP2 of this torch knows no CPUs")
@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module .* returned a view")
def test_sharded_training(name, tmp_path):
    model = build(name)
    past = video(model)
    model(past, HORIZON).square().sum().backward()
    expected = {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
    model.zero_grad()
    init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        sharded = fully_shard(deepcopy(model), mesh=init_device_mesh("cpu", (1,)))
        sharded(past, HORIZON).clone().square().sum().backward()
        found = {key: value.grad.full_tensor() for key, value in sharded.named_parameters() if value.grad is not None}
    finally:
        destroy_process_group()
    torch.testing.assert_close(found, expected)


@FEW
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # the fused attention has no rule for batches
def test_ensembles_and_gradients_of_each_sample(name):
    """By `functional_call`; PredRNNv2's layers share a module, which is to be replaced once."""
    models = [build(name), build(name)]
    with torch.no_grad():
        for parameter in models[1].parameters():
            parameter.mul_(1.1)
    past, model = video(models[0]), models[0]

    def forecast(values, frames):
        return functional_call(model, values, (frames, HORIZON), tie_weights=False)

    states, buffers = stack_module_state(models)
    together = vmap(forecast, in_dims=(0, None))({**states, **buffers}, past)
    torch.testing.assert_close(together, torch.stack([each(past, HORIZON) for each in models]))
    values = {key: value.detach() for key, value in model.named_parameters()}
    each = vmap(grad(lambda v, frames: forecast(v, frames[None]).square().sum()), in_dims=(None, 0))(values, past)
    model(past, HORIZON).square().sum().backward()
    for key, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(each[key].sum(0), parameter.grad, rtol=1e-3, atol=1e-4)


class Forecast(nn.Module):
    """For what takes no integers."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, past):
        return self.model(past, HORIZON)


@sample("convlstm")
def test_a_whole_model_is_exported_and_saved(name):
    model = build(name)
    past, file = video(model), io.BytesIO()
    # strict, as older versions are unless told, reads no tuples of classes
    torch.export.save(torch.export.export(Forecast(model), (past,), strict=False), file)
    file.seek(0)
    torch.testing.assert_close(torch.export.load(file).module()(past), model(past, HORIZON))


@sample("swinlstm_d", "vmrnn_d")
@pytest.mark.filterwarnings("ignore")  # both ways are deprecated, and in use
def test_traced_and_quantised(name):
    model = build(name)
    past = video(model)
    torch.testing.assert_close(torch.jit.trace(Forecast(model), (past,))(past), model(past, HORIZON))
    coarse = torch.ao.quantization.quantize_dynamic(deepcopy(model), {nn.Linear})
    assert (coarse(past, HORIZON) - model(past, HORIZON)).abs().mean() < 0.05


@pytest.mark.parametrize("through", ["load_state_dict", "load_weights"])
def test_weights_of_earlier_versions_load(through):
    """GFM's kernels were parametrisations, GMG's two trained numbers had no axis."""
    model, old = build("gmg_l"), {}
    for key, value in weights(model).items():
        head, _, last = key.rpartition(".")
        if head.endswith(".focus"):
            last = f"parametrizations.{last[:-1]}.original{'135'.index(last[-1])}"
        old[f"{head}.{last}"] = value[0] if last in ("alpha", "beta") else value
    assert sum("parametrizations" in key for key in old) == 12
    given, other = dict(old), create_model("gmg_l", image_size=(8, 8), **small_options("gmg_l")).eval()
    if through == "load_state_dict":
        other.load_state_dict(given)
    else:
        load_weights(other, given, "file")
    assert given.keys() == old.keys()  # what was given is left as it was
    past = video(model)
    assert torch.equal(other(past, HORIZON), model(past, HORIZON))
