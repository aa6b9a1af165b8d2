"""What Triton makes of the scan's kernels for GPUs: its compiler needs none."""

import re

import pytest

pytest.importorskip("triton")

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from stblocks.ops import scan_gradients, scan_kernels

VERSION = tuple(int(part) for part in triton.__version__.split(".")[:2])
WALK = {"SOFTPLUS": True, "STEPS": 32, "CHANNELS": 32}
CARRY = {"BACK": True, "ROUNDS": 2, "ROWS": 32, "CHANNELS": 32}
KERNELS = {
    "walk": WALK | {"LAST": True, "ALONE": False},
    "first walk": WALK | {"LAST": False, "ALONE": False},
    "walk alone": WALK | {"LAST": True, "ALONE": True},
    "walk_back": WALK,
    "differentiate": WALK | {"ALONE": False, "STRIDE": 4},
    "carry": CARRY,
}


def compiled(name, capability, **constants):
    """A kernel of float32 tensors for an NVIDIA GPU of a compute capability, such as 90 for 9.0."""
    held = scan_gradients if name in ("walk_back", "differentiate") else scan_kernels
    kernel = getattr(held, name.removeprefix("first ").removesuffix(" alone"))
    numbers = re.compile("sequences|groups|width|states|length|chunks|reverse|period|size|[uBC]_.*|state_step")
    kinds = {each: "i32" if numbers.fullmatch(each) else "*fp32" for each in kernel.arg_names if each not in constants}
    kinds |= {} if VERSION < (3, 3) else dict.fromkeys(constants, "constexpr")
    source = ASTSource(kernel, kinds, constants)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": 1}).asm


def in_loops(text):
    """Lines of a program that stand in one of its loops."""
    inside, found = [], []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("}"):
            inside.pop()
        if any(inside):
            found.append(line)
        if re.search(r"\{(\s*loc\(.*\))?$", line):
            inside.append("scf.for" in line or "scf.while" in line or line.startswith("} do"))
    return found


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_compile_and_keep_states_where_they_are(name, capability):
    constants = KERNELS[name] | ({} if name == "carry" else {"STATES": 16})
    program = compiled(name, capability, **constants)
    assert program["cubin"]
    loops = in_loops(program["ttgir"])
    assert any("math.exp" in line for line in loops)
    if VERSION >= (3, 8):  # compilers before that deal out states that are not neighbours as if they were
        assert not [line for line in loops if re.search(r"convert_layout.*: tensor<\d+x\d+x", line)]
