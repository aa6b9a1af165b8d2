"""The docstring of every public name says its arguments, shapes, errors and source: `make check` runs this."""

import ast
import importlib
import inspect
import re
import textwrap
from enum import Enum
from types import ModuleType

import pytest
from torch import Tensor, nn

from stblocks import Block

PACKAGES = ("", ".data", ".score", ".train", ".viz", ".tasks", ".models", ".interop", ".testing", ".flops")
#: What `docs/hooks` or a table shows instead: fields with their help, members with their comments.
DESCRIBED_BY_FIELD = ("TrainConfig", "Settings")


def public():
    """Every public callable once, by the first package that has it."""
    seen = {}
    for package in PACKAGES:
        module = importlib.import_module(f"stblocks{package}")
        names = getattr(module, "__all__", None) or [
            name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__
        ]
        for name in names:
            thing = getattr(module, name)
            if name[0] != "_" and callable(thing) and not isinstance(thing, ModuleType) and hasattr(thing, "__name__"):
                seen.setdefault(thing, f"{module.__name__}.{name}")
    return {path: thing for thing, path in seen.items()}


PUBLIC = public()
BLOCKS = {
    path: thing
    for path, thing in PUBLIC.items()
    if isinstance(thing, type) and thing.__module__.startswith("stblocks.blocks.")
}


PARTS = {path for path in PUBLIC if path.startswith("stblocks.testing.")}
PARTS -= {"stblocks.testing.check_block", "stblocks.testing.check_cell"}


def section(doc, title):
    """The text of a section of a docstring, up to the next line that is not indented."""
    found = re.search(rf"^{title}:\n((?:    .*\n|\n)*)", doc + "\n", re.M)
    return found[1] if found else ""


def described(doc):
    """The names that `Args` and `Attributes` describe."""
    entries = re.findall(r"^    ([\w*, ]+):", section(doc, "Args") + section(doc, "Attributes"), re.M)
    return {name.strip("* ") for names in entries for name in names.split(",")}


def arguments(thing):
    """The names of what it takes, but for what users do not give."""
    if isinstance(thing, type) and (
        issubclass(thing, Enum | BaseException | str) or thing.__init__ is nn.Module.__init__  # which takes anything
    ):
        return []
    return list(inspect.signature(thing).parameters)


def raised(thing):
    """The names of the errors that it raises itself, in its functions or as it is made."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    names = set()
    for each in ast.walk(tree):
        if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call) and isinstance(each.exc.func, ast.Name):
            names.add(each.exc.func.id)
    return {name for name in names if name[0].isupper()} - {"NotImplementedError", "AttributeError"}


@pytest.mark.parametrize("path", PUBLIC)
def test_arguments_are_described(path):
    thing = PUBLIC[path]
    doc = inspect.getdoc(thing) or ""
    assert doc.strip(), f"{path} has no docstring"
    if path.rpartition(".")[2].endswith(DESCRIBED_BY_FIELD) or path in PARTS:
        return  # what each check takes is said once, by check_block
    missing = [name for name in arguments(thing) if name not in described(doc)]
    assert not missing, f"{path}: its docstring must have {', '.join(missing)} under Args"


@pytest.mark.parametrize("path", PUBLIC)
def test_errors_are_described(path):
    thing = PUBLIC[path]
    doc = inspect.getsource(thing)
    missing = [name for name in raised(thing) if not re.search(rf"Raises:\n(?:\s+.*\n)*?\s+{name}:", doc)]
    assert not missing, f"{path}: its docstring must have {', '.join(missing)} under Raises"
    assert "as said here" not in doc, f"{path}: its docstring must say which argument is refused, and what it must be"


@pytest.mark.parametrize("path", PUBLIC)
def test_shapes_are_described(path):
    """Of a module under Shapes, of a function that takes tensors in what it says of them."""
    thing = PUBLIC[path]
    doc = inspect.getdoc(thing) or ""
    if isinstance(thing, type) and issubclass(thing, nn.Module):
        assert re.search(r"^    returns?:", section(doc, "Shapes"), re.M), f"{path}: its docstring must have Shapes"
    elif inspect.isfunction(thing) and any(
        each.annotation is Tensor for each in inspect.signature(thing, eval_str=True).parameters.values()
    ):
        assert re.search(r"`\((?:\w+, )+", doc), f"{path}: its docstring must give the shapes of its tensors"


@pytest.mark.parametrize("path", BLOCKS)
def test_blocks_have_equations_and_a_source(path):
    doc = inspect.getdoc(BLOCKS[path])
    if path == "stblocks.MapBlock":
        return  # a base, which computes nothing
    if issubclass(BLOCKS[path], Block):  # a whole network has no single one
        assert "$" in doc, f"{path}: its docstring must have its equation"
    assert re.search(r"\b(paper|et al|ours|Ours|timm)\b", doc), f"{path}: its docstring must say where it is from"


def test_the_test_sees_what_is_missing():
    doc = "Sentence.\n\nArgs:\n    one: First.\n    two, three: More.\n\nShapes:\n    returns: `(B, C)`.\n"
    assert described(doc) == {"one", "two", "three"}
    assert section(doc, "Shapes") == "    returns: `(B, C)`.\n\n"
    assert section(doc, "Raises") == ""
