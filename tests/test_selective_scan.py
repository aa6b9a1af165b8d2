"""The selective scan against a plain loop over steps."""

import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from stblocks import Cell, create_model
from stblocks.ops import selective_scan as module
from stblocks.ops.scan_blocked import _softplus, chunk_length
from stblocks.ops.selective_scan import selective_scan, selective_scan_flops
from tests.golden import close

ROOT = Path(__file__).resolve().parents[1]


def loop(u, delta, A, B, C, D=None, delta_bias=None, delta_softplus=True, initial_state=None):
    """The recurrence, step by step."""
    dt = delta if delta_bias is None else delta + delta_bias[:, None]
    dt = functional.softplus(dt) if delta_softplus else dt
    repeats = u.shape[1] // B.shape[1]
    B, C = (x.repeat_interleave(repeats, dim=1).transpose(2, 3) for x in (B, C))
    decay, drive = torch.exp(dt[..., None] * A[:, None]), (dt * u)[..., None] * B
    h = u.new_zeros(*u.shape[:2], A.shape[1]) if initial_state is None else initial_state
    states = []
    for decay_t, drive_t in zip(decay.unbind(2), drive.unbind(2), strict=True):
        h = decay_t * h + drive_t
        states.append(h)
    y = (torch.stack(states, dim=2) * C).sum(-1)
    return y if D is None else y + D[:, None] * u, h


def draw(batch=2, per_group=3, length=9, states=4, groups=2, seed=0, dtype=torch.float64):
    """u, delta, A, B, C, D, delta_bias, initial_state; delta is positive, with a bias and softplus or without."""
    torch.manual_seed(seed)
    channels = groups * per_group
    inputs = [torch.randn(batch, channels, length), torch.rand(batch, channels, length)]
    inputs += [-torch.rand(channels, states) * 3, *torch.randn(2, batch, groups, states, length)]
    inputs += [torch.randn(channels), torch.rand(channels), torch.randn(batch, channels, states)]
    return [x.to(dtype).requires_grad_() for x in inputs]


def with_gradients(scan, inputs, softplus=True, **options):
    """Outputs, final state and the gradients of all inputs."""
    outputs = scan(*inputs[:7], softplus, inputs[7], **options)
    torch.manual_seed(1)
    return *outputs, *torch.autograd.grad(outputs, inputs, [torch.randn(x.shape).to(x) for x in outputs])


def agree(inputs, softplus=True, rtol=1e-10, **options):
    ours = with_gradients(selective_scan, inputs, softplus, return_final_state=True, **options)
    plain = with_gradients(loop, [x.detach().double().requires_grad_() for x in inputs], softplus)
    for name, a, b in zip(["y", "h", "u", "delta", *"ABCD", "delta_bias", "initial"], ours, plain, strict=True):
        assert a.isfinite().all(), name
        close(a.double(), b, name, rtol)


@settings(max_examples=25)
@given(
    batch=st.integers(1, 3),
    groups=st.integers(1, 4),
    per_group=st.integers(1, 5),
    length=st.integers(1, 40),
    states=st.integers(1, 7),
    softplus=st.booleans(),
    seed=st.integers(0, 99),
)
def test_scan_is_the_recurrence(batch, groups, per_group, length, states, softplus, seed):
    agree(draw(batch, per_group, length, states, groups, seed), softplus)


@pytest.mark.parametrize("length", [1, 2, 7, 31, 64, 1009, 4096])
def test_any_length(length):
    agree(draw(1, 2, length, 2, 1))


def test_float32():
    agree(draw(length=50, dtype=torch.float32), rtol=1e-5)


def test_optional_inputs_left_out():
    inputs = draw()
    zeros = [torch.zeros_like(x) for x in inputs]
    assert selective_scan(*inputs[:5]).equal(selective_scan(*inputs[:5], *zeros[5:7], True, zeros[7]))
    close(selective_scan(*inputs[:5]), loop(*inputs[:5])[0], "y")


@settings(max_examples=20)
@given(length=st.integers(2, 40), share=st.floats(0, 1))
def test_a_split_scan_is_the_whole(length, share):
    inputs, cut = draw(length=length), 1 + int(share * (length - 2))
    halves = [[x[..., part] if x.ndim > 2 else x for x in inputs[:7]] for part in (slice(cut), slice(cut, None))]

    def split(*_):
        y, h = selective_scan(*halves[0], True, inputs[7], True)
        after, h = selective_scan(*halves[1], True, h, True)
        return torch.cat([y, after], dim=2), h

    whole = with_gradients(selective_scan, inputs, return_final_state=True)
    for a, b in zip(with_gradients(split, inputs), whole, strict=True):
        close(a, b, "split", 1e-12)


def test_gradcheck():
    inputs = draw(1, 2, 5, 2, 2)
    assert torch.autograd.gradcheck(lambda *x: selective_scan(*x[:7], True, x[7], True), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shift", [-1e4, -60, 20, 1e4, 1e12])
def test_extreme_step_sizes(shift, dtype):
    inputs = draw(length=20, dtype=dtype)
    inputs[1].data += shift
    agree(inputs, rtol=1e-5 if dtype == torch.float32 else 1e-8)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 3e-7), (torch.float64, 1e-15)])
def test_softplus_is_exact_at_both_ends(dtype, rtol):
    x = torch.cat([torch.linspace(-80, 80, 9999), torch.tensor([-1e30, 1e30, math.inf])]).to(dtype)
    exact = functional.softplus(x.double(), threshold=100).to(dtype)  # by default it is x from 20 on
    torch.testing.assert_close(_softplus(x), exact, rtol=rtol, atol=0)


@pytest.mark.parametrize("last", [(0,), (1,), (0, 1), (3, 4)])
def test_any_layout(last):
    plain = draw()
    laid = [x.detach().mT.contiguous().mT if i in last else x.detach() for i, x in enumerate(plain)]
    laid = [x.requires_grad_() for x in laid]
    assert not all(x.is_contiguous() for x in laid)
    ours = with_gradients(selective_scan, laid, return_final_state=True)
    for a, b in zip(ours, with_gradients(selective_scan, plain, return_final_state=True), strict=True):
        close(a, b, "layout", 1e-12)
    assert [x.stride() for x in ours[:1] + ours[2:4]] == [laid[0].stride()] * 3  # y, and the gradients of u and delta


@pytest.mark.parametrize("rate", [0, 1e-9, 1e3, 1e9])
def test_extreme_decay(rate):
    inputs = draw(length=20)
    inputs[2].data *= rate
    agree(inputs)


def test_autocast_keeps_states_in_float32():
    inputs = [x.detach() for x in draw(length=60, dtype=torch.float32)]
    low = [x.bfloat16() if index in (0, 1, 3, 4) else x for index, x in enumerate(inputs)]
    low[0].requires_grad_()
    exact = loop(*(x.double() for x in low[:7]), True, low[7].double())
    with torch.autocast("cpu", torch.bfloat16):
        y, h = selective_scan(*low[:7], True, low[7], True)
        full, _ = selective_scan(low[0].float(), *low[1:7], True, low[7], True)
    assert (y.dtype, h.dtype, full.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    close(h.double(), exact[1], "h", 1e-5)
    close(full.double(), exact[0], "y", 1e-5)
    close(y.double(), exact[0], "rounded y", 1e-2)
    (grad,) = torch.autograd.grad(y.sum(), low[0])
    assert grad.dtype == torch.bfloat16


def test_runs_repeat_and_inputs_stay():
    for softplus in (True, False):
        for length in (1, 30):
            inputs = draw(length=length, dtype=torch.float32)
            before = [x.detach().clone() for x in inputs]
            one, other = (with_gradients(selective_scan, inputs, softplus, return_final_state=True) for _ in range(2))
            assert all(a.equal(b) for a, b in zip(one, other, strict=True))
            assert all(a.equal(b) for a, b in zip(inputs, before, strict=True))


@pytest.mark.parametrize("length", [256, 1024])
def test_what_is_saved_grows_with_the_chunks(length):
    inputs, sizes = draw(1, 8, length, 16, 1), []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
        selective_scan(*inputs[:7], True, inputs[7])
    states = 8 * 16 * length
    assert max(sizes) == max(states / length**0.5, 16 * length)  # the states before each chunk, or B and C themselves
    assert sum(sizes) < states / 2


def test_chunks_are_square_roots():
    lengths = {1: 1, 2: 2, 4: 2, 5: 3, 1009: 32, 1024: 32, 4096: 64}  # buffers of a chunk, too, grow with the root
    assert {length: chunk_length(length) for length in lengths} == lengths


@pytest.mark.parametrize("transform", ["compile", "export", "func"])
def test_transforms(transform):
    inputs = draw()
    expected = with_gradients(selective_scan, inputs, return_final_state=True)
    if transform == "compile":
        compiled = torch.compile(selective_scan, fullgraph=True, backend="aot_eager")
        ours = with_gradients(compiled, inputs, return_final_state=True)
        assert all(a.equal(b) for a, b in zip(ours, expected, strict=True))
    elif transform == "export":

        class Scan(torch.nn.Module):
            def forward(self, *x):
                return selective_scan(*x[:7], True, x[7], True)

        fixed = tuple(x.detach() for x in inputs)
        ours = torch.export.export(Scan(), fixed).module()(*fixed)
        assert all(a.equal(b) for a, b in zip(ours, expected[:2], strict=True))
    else:
        grad = torch.func.grad(lambda u: selective_scan(u, *inputs[1:7]).sum())(inputs[0].detach())
        assert grad.equal(torch.autograd.grad(selective_scan(*inputs[:7]).sum(), inputs[0])[0])


@pytest.mark.parametrize("last", [False, True])
def test_operator_contract(last):
    inputs = [x.detach().mT.contiguous().mT if last and x.ndim > 2 else x.detach() for x in draw()]
    options = (True, [False, True], "blocked")
    inputs = [*(x.requires_grad_() for x in inputs), *options]
    for test in ("test_schema", "test_faketensor"):
        torch.library.opcheck(torch.ops.stblocks.selective_scan.default, inputs, test_utils=test)
        with torch.no_grad():
            y, h, borders = torch.ops.stblocks.selective_scan(*inputs)
        again = [y, h, *(x.detach() for x in inputs[:7]), borders, *options]
        torch.library.opcheck(torch.ops.stblocks.selective_scan_backward.default, again, test_utils=test)


def test_shapes_without_values():
    with FakeTensorMode():
        inputs = [torch.empty(x.shape) for x in draw()]
        y, h = selective_scan(*inputs[:7], True, inputs[7], True)
    assert (y.shape, h.shape) == ((2, 6, 9), (2, 6, 4))


def test_a_second_derivative_is_refused():
    inputs = draw()
    (grad,) = torch.autograd.grad(selective_scan(*inputs[:7]).sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        grad.sum().backward()


def test_multiply_adds():
    # 84 scans of VMRNN-B on TaxiBJ: four directions of 256 channels over 8 x 8 tokens.
    assert round(84 * selective_scan_flops(1, 4 * 256, 64, 16) / 1e9, 4) == 0.3138


def test_shape_errors():
    inputs = [x.detach() for x in draw()]  # (2, 6, 9), 4 states, 2 groups
    with pytest.raises(ValueError, match=r"u must be \(B, D, L\) with L at least 1, got \(2, 6, 0\)"):
        selective_scan(inputs[0][..., :0], *inputs[1:])
    with pytest.raises(ValueError, match=r"groups of B .* must divide the 6 channels of u, got \(2, 4, 4, 9\)"):
        selective_scan(*inputs[:3], *(x.repeat(1, 2, 1, 1) for x in inputs[3:5]))
    with pytest.raises(ValueError, match=r"A must be \(D, N\)"):
        selective_scan(*inputs[:2], inputs[2][0], *inputs[3:5])
    names = ["delta", "A", "B", "C", "D", "delta_bias", "delta_softplus", "initial_state"]
    given = dict(zip(names, [*inputs[1:7], True, inputs[7]], strict=True))
    for name in names:
        if name != "delta_softplus":
            wrong = given | {name: torch.zeros([n + (axis == 0) for axis, n in enumerate(given[name].shape)])}
            with pytest.raises(ValueError, match=rf"^{name} must be \("):
                selective_scan(inputs[0], **wrong)


def test_positive_A_is_refused_wherever_there_are_values():
    inputs = [x.detach() for x in draw()]
    inputs[2][1, 1] = 0.5
    compiled = torch.compile(selective_scan, fullgraph=True, backend="eager")
    ensemble = torch.vmap(selective_scan, in_dims=(0, None, None, None, None))
    for scan, u in ((selective_scan, inputs[0]), (compiled, inputs[0]), (ensemble, torch.stack([inputs[0]] * 2))):
        with pytest.raises(ValueError, match=r"A must be negative.*up to 0\.5\. Pass -exp\(A_log\)"):
            scan(u, *inputs[1:5])


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_dtypes_that_are_refused(dtype):
    inputs = [x.detach() for x in draw()]
    names = ["u", "delta", "A", "B", "C", "D", "delta_bias", "initial_state", "z"]
    given = dict(zip(names, [*inputs, inputs[0]], strict=True))
    way_out = "its real part" if dtype.is_complex else r"as by {}\.float\(\)"
    for name in names:
        with pytest.raises(ValueError, match=rf"^{name} must be float16.*, got {dtype}; .*" + way_out.format(name)):
            selective_scan(**given | {name: given[name].to(dtype)})


MAPPED = {
    "batch": (0, 0, None, 1, 1, None, None, 0),
    "weights": (None, None, 0, None, None, 0, 1, None),
    "all": (0, 1, 0, 2, 0, 1, 0, 1),
}


@pytest.mark.parametrize("mapped", list(MAPPED))
def test_vmap(mapped):
    """Ensembles and gradients of single samples, with A as the only one that has a sign."""
    inputs, axes = [x.detach() for x in draw()], MAPPED[mapped]
    several = [x if d is None else torch.stack([x, 0.5 * x, 2 * x], d) for x, d in zip(inputs, axes, strict=True)]

    def call(scan, **options):
        return lambda *x: scan(*x[:7], True, x[7], **options)

    def gradients(scan):
        return torch.func.grad(lambda *x: sum((y * y).sum() for y in scan(*x)), argnums=tuple(range(8)))

    ours, plain = call(selective_scan, return_final_state=True, reverse=[False, True]), call(reversed_loop)
    for each in (lambda scan: scan, gradients):
        result = torch.vmap(each(ours), axes)(*several)
        expected = torch.vmap(each(plain), axes)(*several)
        for index, (a, b) in enumerate(zip(result, expected, strict=True)):
            close(a, b, str(index), 1e-10)
    summed = torch.func.grad(lambda x: torch.vmap(ours, axes)(x, *several[1:])[0].sum())(several[0])
    close(summed, torch.func.grad(lambda x: torch.vmap(plain, axes)(x, *several[1:])[0].sum())(several[0]), "summed")


def test_jacobian():
    inputs = [x.detach() for x in draw(1, 1, 5, 2, 2)]
    ours = torch.func.jacrev(lambda *x: selective_scan(*x[:7]), (0, 2))(*inputs)
    plain = torch.func.jacrev(lambda *x: loop(*x[:7])[0], (0, 2))(*inputs)
    for a, b in zip(ours, plain, strict=True):
        close(a, b, "jacobian", 1e-10)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # jvp of torch 2.14 itself
def test_forward_mode_is_refused():
    inputs = [x.detach() for x in draw()]
    with pytest.raises(NotImplementedError, match=r"selective_scan has no forward-mode derivative.*use vjp or jacrev"):
        torch.func.jvp(lambda u: selective_scan(u, *inputs[1:5]), (inputs[0],), (inputs[0],))


def reversed_loop(u, delta, A, B, C, D, delta_bias, delta_softplus, initial_state):
    """The loop on two groups, of which the second runs backwards."""
    d, outputs = u.shape[1] // 2, []
    for g in range(2):
        one = slice(g * d, (g + 1) * d)
        x = [u[:, one], delta[:, one], A[one], B[:, g : g + 1], C[:, g : g + 1]]
        x = [each.flip(-1) if g and each is not x[2] else each for each in x]
        y, h = loop(*x, D[one], delta_bias[one], delta_softplus, initial_state[:, one])
        outputs.append((y.flip(-1) if g else y, h))
    return tuple(torch.cat(each, dim=1) for each in zip(*outputs, strict=True))


@pytest.mark.parametrize("length", [1, 9, 30])
def test_groups_that_run_backwards(length):
    inputs = draw(length=length)
    for laid in (inputs, [x.detach().mT.contiguous().mT.requires_grad_() if x.ndim > 2 else x for x in inputs]):
        ours = with_gradients(selective_scan, laid, return_final_state=True, reverse=[False, True])
        for index, (a, b) in enumerate(zip(ours, with_gradients(reversed_loop, laid), strict=True)):
            close(a, b, str(index), 1e-10)
        assert [x.stride() for x in ours[:1] + ours[2:4]] == [laid[0].stride()] * 3
    for wrong in ([True], [0, 1], [True] * 3):
        with pytest.raises(ValueError, match=r"reverse must be 2 booleans, one for each group of B, got \["):
            selective_scan(*inputs[:5], reverse=wrong)


def test_gate():
    inputs, z = draw(), torch.randn(2, 6, 9, dtype=torch.float64, requires_grad=True)
    ours, plain = selective_scan(*inputs[:7], z=z), loop(*inputs[:7])[0] * functional.silu(z)
    close(ours, plain, "y", 1e-12)
    wanted = [z, *inputs[:7]]
    for a, b in zip(*(torch.autograd.grad(y.square().sum(), wanted) for y in (ours, plain)), strict=True):
        close(a, b, "gradient", 1e-10)


def test_the_gate_meets_outputs_that_are_not_rounded():
    inputs = [x.detach().bfloat16() for x in draw()]
    y = selective_scan(*inputs[:7], z=inputs[0])
    exact = loop(*(x.double() for x in inputs[:7]))[0] * functional.silu(inputs[0].double())
    assert y.dtype == torch.bfloat16
    close(y.float(), exact.bfloat16().float(), "y", 1e-6)  # the nearest bfloat16


@pytest.mark.parametrize("name", ["vmrnn_b", "vmrnn_d"])
def test_onnx(name):
    """The step of a cell in onnxruntime."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"export to ONNX needs the package {package}")
    import onnxruntime

    torch.manual_seed(0)
    depth = {"depth": 1} if name == "vmrnn_b" else {"depths_down": [1], "depths_up": [1]}
    layers = create_model(name, channels=4, state_dim=2, **depth).eval().stack.layers
    layer = next(each for each in layers if isinstance(each, Cell))
    for parameter in layer.parameters():  # away from the start, where blocks hardly matter
        parameter.data += 0.3 * torch.randn_like(parameter)
    x = torch.randn(2, layer.in_channels, 6, 3)
    state = {slot: torch.randn_like(value) for slot, value in layer.init_state(x).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(layer, (x, state, {}), dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    given = [x, *state.values()]
    named = {each.name: value.numpy() for each, value in zip(session.get_inputs(), given, strict=True)}
    y, after = layer(x, state)
    for theirs, ours in zip(session.run(None, named), [y, *after.values()], strict=True):
        close(torch.from_numpy(theirs), ours.detach(), "output", 1e-5)


def test_names_of_back_ends(monkeypatch):
    inputs = [x.detach() for x in draw()]
    monkeypatch.setattr(module, "_MISSING", {"mamba_ssm"})
    with pytest.raises(
        ValueError, match=r"one of auto, .*mamba_ssm \(installed here: auto, blocked, triton\), got 'cu'"
    ):
        selective_scan(*inputs[:5], backend="cu")
    with pytest.raises(ValueError, match=r"^backend='mamba_ssm' needs the package mamba_ssm"):
        selective_scan(*inputs[:5], backend="mamba_ssm")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(ValueError, match=r"'triton' needs tensors on a GPU.*backend='blocked'.*TRITON_INTERPRET=1"):
        selective_scan(*inputs[:5], backend="triton")
    monkeypatch.setenv("STBLOCKS_SCAN", "triton")
    with pytest.raises(ValueError, match=r"^STBLOCKS_SCAN='triton' needs tensors on a GPU.*unset it, or set it to 'bl"):
        selective_scan(*inputs[:5])
    assert selective_scan(*inputs[:5], backend="blocked").shape == inputs[0].shape  # the argument wins
    assert module._choose("triton", "cuda") == "triton"
    monkeypatch.delenv("STBLOCKS_SCAN")
    assert [module._choose("auto", device) for device in ("cpu", "cuda", "mps")] == ["blocked", "triton", "blocked"]
    monkeypatch.setattr(module, "_MISSING", {"triton"})
    assert module._choose("auto", "cuda") == "blocked"
    with pytest.raises(
        ValueError, match=r"'triton' needs the package triton: install it, or ask for backend='blocked'"
    ):
        selective_scan(*inputs[:5], backend="triton")


def test_the_environment_variable_is_named_where_it_chose(monkeypatch):
    inputs = [x.detach() for x in draw()]
    monkeypatch.setattr(module, "_MISSING", {"triton"})
    monkeypatch.setenv("STBLOCKS_SCAN", "cu")
    with pytest.raises(
        ValueError, match=r"^STBLOCKS_SCAN must be one of auto, .*, got 'cu'; unset it, or set it to 'b"
    ):
        selective_scan(*inputs[:5])
    with pytest.raises(ValueError, match=r"^backend must be one of auto, .*, got 'gpu'; ask for backend='blocked'"):
        selective_scan(*inputs[:5], backend="gpu")
    monkeypatch.setenv("STBLOCKS_SCAN", "triton")
    with pytest.raises(
        ValueError, match=r"^STBLOCKS_SCAN='triton' needs the package triton: install it, or unset it, or"
    ):
        selective_scan(*inputs[:5])
    monkeypatch.setenv("STBLOCKS_SCAN", "mamba_ssm")
    with pytest.raises(
        ValueError, match=r"^STBLOCKS_SCAN='mamba_ssm' takes no initial_state.*unset it, or set it to 'bl"
    ):
        selective_scan(*inputs[:5], return_final_state=True)
    monkeypatch.setenv("STBLOCKS_SCAN", "auto")
    assert selective_scan(*inputs[:5]).shape == inputs[0].shape


def test_mamba_ssm(monkeypatch):
    def selective_scan_fn(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False):
        y = loop(u, delta, A, B, C, D, delta_bias, delta_softplus)[0]
        return y if z is None else y * functional.silu(z)

    package = ModuleType("mamba_ssm.ops.selective_scan_interface")
    package.selective_scan_fn = selective_scan_fn
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setattr(module, "_MISSING", set())
    inputs = draw()
    for z, ways in ((None, None), (inputs[0].detach(), None), (inputs[1].detach(), [False, True])):
        ours = selective_scan(*inputs[:7], z=z, reverse=ways)
        close(selective_scan(*inputs[:7], z=z, reverse=ways, backend="mamba_ssm"), ours, "y")
    for options in ({"initial_state": inputs[7]}, {"return_final_state": True}):
        with pytest.raises(ValueError, match="takes no initial_state and gives the final state no gradient"):
            selective_scan(*inputs[:5], backend="mamba_ssm", **options)


INTERPRETED = """
import os
import torch
from stblocks import create_model
from stblocks.ops import scan_triton
from stblocks.ops.selective_scan import selective_scan
from tests.test_selective_scan import agree, close, draw, reversed_loop, with_gradients
inputs = draw(1, 33, 2, 3, 2)
inputs[1].data[:, ::2] -= 30
inputs[1].data[:, ::5] += 90
agree(inputs, backend="triton")
agree(draw(2, 1, 2, 1, 1, dtype=torch.float32), False, 1e-5, backend="triton")
inputs = draw(1, 1, 3, 2, 1, dtype=torch.float32)  # step sizes of 1e-13, made visible by u and D
inputs[0].data *= 1e13
inputs[1].data -= 30
inputs[5].data.zero_()
agree(inputs, rtol=1e-5, backend="triton")
scan_triton.chunk_length, scan_triton._ROWS = lambda length: 8, 2  # three chunks, whose carries take two rounds
inputs = draw(1, 2, 18, 2, 2)
inputs[0] = inputs[0].detach().mT.contiguous().mT.requires_grad_()  # laid out otherwise than delta
options = {"backend": "triton", "return_final_state": True, "reverse": [False, True]}
ours = with_gradients(selective_scan, inputs, **options)
for index, (a, b) in enumerate(zip(ours, with_gradients(reversed_loop, inputs), strict=True)):
    close(a, b, str(index), 1e-10)
torch.manual_seed(0)
model, forecasts = create_model("vmrnn_b", channels=4, depth=1, state_dim=2).eval(), {}
for parameter in model.parameters():  # away from the start, where blocks hardly matter
    parameter.data += 0.5 * torch.randn_like(parameter)
past = torch.rand(1, 2, 1, 12, 8)
for name in ("blocked", "triton"):
    os.environ["STBLOCKS_SCAN"] = name
    with torch.no_grad():
        forecasts[name] = model(past, 2)
assert not forecasts["triton"].equal(forecasts["blocked"])  # two back ends indeed
close(forecasts["triton"], forecasts["blocked"], "forecast", 1e-5)
"""


def test_triton_in_its_interpreter():
    pytest.importorskip("triton")
    # Triton reads the variable when it is imported: a process of its own.
    options = {"env": os.environ | {"TRITON_INTERPRET": "1"}, "cwd": ROOT, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", INTERPRETED], **options, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not torch.cuda.is_available(), reason="Triton's kernels need a GPU")
@pytest.mark.parametrize("length", [1, 64, 1009])
def test_triton_on_a_gpu(length):
    inputs = [x.detach().cuda().requires_grad_() for x in draw(2, 40, length, 16, 4, dtype=torch.float32)]
    agree(inputs, rtol=1e-4, backend="triton")
