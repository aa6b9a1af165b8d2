"""What the rooms of the package import: only what stands below them, and nothing slow before it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Floor of each room, from the ground up: a module imports from floors below its own, or from its own room.
FLOORS = {
    "borders": 0,
    "ops": 0,
    "weights": 0,
    "core": 1,
    "blocks": 2,
    "models": 3,
}

#: Rooms inside the blocks, in the same way.
FLOORS_OF_BLOCKS = {
    "layers": 0,
    "starts": 1,
    "plugs": 2,
    "maps": 2,
    "frames": 2,
    "recurrent": 3,
    "translators": 3,
}

#: Packages that are slow to import, and serve a few constructors, the hub, data sets, the trainer or pictures.
SLOW = ("torchvision", "timm", "torch._dynamo", "triton", "huggingface_hub", "matplotlib", "accelerate")


def imports(path):
    """What a file imports from this package, as names below `stblocks`."""
    package = ("stblocks", *path.relative_to(ROOT / "stblocks").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                yield (*base, alias.name)[1:] if base[:1] == ("stblocks",) else ()
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield tuple(alias.name.split("."))[1:] if alias.name.split(".")[0] == "stblocks" else ()


def upward(root, floors):
    """Every import in a room under `root` of a room that does not stand below it, as (file, what it imports)."""
    inside = root.relative_to(ROOT / "stblocks").parts
    found = []
    for path in sorted(root.rglob("*.py")):
        room = path.relative_to(root).parts[0].removesuffix(".py")
        for name in imports(path):
            other = name[len(inside)] if name[: len(inside)] == inside and len(name) > len(inside) else room
            if room in floors and other != room and not floors.get(other, floors[room]) < floors[room]:
                found.append((str(path.relative_to(ROOT)), ".".join(name)))
    return found


@pytest.mark.parametrize(("room", "floors"), [("", FLOORS), ("blocks", FLOORS_OF_BLOCKS)])
def test_no_room_imports_upward(room, floors):
    assert not upward(ROOT / "stblocks" / room, floors)


def test_no_room_is_missing():
    """A new folder has a floor, or the test above would not look at it."""
    assert {path.parent.name for path in (ROOT / "stblocks" / "blocks").glob("*/__init__.py")} <= set(FLOORS_OF_BLOCKS)


def test_nothing_slow_is_imported_before_it_is_used():
    code = f"import sys, stblocks; print(*[name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
