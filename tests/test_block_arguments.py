"""What no block can be built from is refused by a sentence that names the argument, whatever the block."""

import inspect
import sys
from functools import partial
from pathlib import Path

import pytest
from torch import nn

import stblocks
from stblocks import GSTA, SS2D, LinearShortcut, RecurrentTranslator, TwoWayDecoder

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "hooks"))

import examples

NAMES = [
    name
    for name in stblocks.__all__
    if name not in examples.BASES
    and isinstance(made := getattr(stblocks, name), type)
    and made.__module__.startswith("stblocks.blocks.")
]
#: What counts something, of which there is one at least.
COUNTS = ("channels", "in_channels", "out_channels", "frames", "in_frames", "out_frames", "num_heads", "window_size")
#: The name of the slot stands for the argument in messages of `Block`.
SAID = r"channels|frames|num_heads|window_size"


def given(name):
    """The arguments of the block's example, by name, and those that have a default."""
    build = getattr(stblocks, name)
    arguments = examples.ARGUMENTS.get(name) or ", ".join(examples._required(build))
    scope = {**vars(stblocks), **{each: getattr(stblocks, each) for each in stblocks.__all__}}
    scope |= {"nn": nn, "partial": partial, "call": lambda *values, **options: (values, options)}
    values, options = eval(f"call({arguments.replace('64', '16')})", scope)
    bound = inspect.signature(build).bind(*values, **options)
    bound.apply_defaults()
    return build, bound


def build_with(name, **changed):
    build, bound = given(name)
    bound.arguments.update(changed)
    return build(*bound.args, **bound.kwargs)


CASES = [
    (name, argument)
    for name in NAMES
    for argument in inspect.signature(getattr(stblocks, name)).parameters
    if argument in (*COUNTS, "norm", "cell_norm", "memory_norm", "peephole_size")
]


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_an_argument_of_no_use_is_refused(name, argument):
    wrong, message = {
        "norm": ((3, "group", nn.BatchNorm2d(4)), "^norm must be a function from channels to a norm"),
        "cell_norm": ((3, "group"), "^cell_norm must be a function from channels to a norm"),
        "memory_norm": ((3, "group"), "^memory_norm must be a function from channels to a norm"),
        "peephole_size": ((0, (), [0], (0, 4), "xx"), r"^peephole_size must be \(H, W\), got "),
    }.get(argument, ((0, -1, 2.5), rf"({SAID}).* must (be|leave)"))
    for value in wrong:
        with pytest.raises(ValueError, match=message):
            build_with(name, **{argument: value})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GSTA(0), "channels must be an integer >= 1, got 0"),
        (lambda: GSTA(4, dilation=1.5), "dilation must be an integer >= 1, got 1.5"),
        (lambda: LinearShortcut(1, 1, 0, 2), "in_frames must be an integer >= 1, got 0"),
        (lambda: SS2D(4, expand=float("nan")), "expand must be a number above 0, got nan"),
        (lambda: RecurrentTranslator(nn.Identity(), 1, 1), r"stack must be a RecurrentStack, got Identity; write Rec"),
        (lambda: TwoWayDecoder(nn.Identity()), "encoder must be a TwoWayEncoder, which can be undone, got Identity"),
    ],
)
def test_errors_name_the_argument_and_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_size_of_peepholes_may_be_a_list():
    assert build_with("MIM", peephole_size=[4, 3]).stationary.peephole_size == (4, 3)
