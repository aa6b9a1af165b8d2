"""What the rooms of the package import: only what stands below them, and nothing slow before it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stblocks
from stblocks import score, train

ROOT = Path(__file__).resolve().parents[1]

#: Name below `stblocks`, in parts, to file; a package goes by the name of its folder.
MODULES = {
    tuple(part for part in path.relative_to(ROOT / "stblocks").with_suffix("").parts if part != "__init__"): path
    for path in sorted((ROOT / "stblocks").rglob("*.py"))
}

#: Floor of each room, from the ground up: a module imports from floors below its own, or from its own room.
FLOORS = {
    "borders": 0,
    "ops": 0,
    "runtime": 0,
    "weights": 1,
    "data": 1,
    "flops": 1,
    "speed": 1,
    "core": 2,
    "score": 2,
    "slots": 3,
    "blocks": 3,
    "tiles": 3,
    "viz": 3,
    "models": 4,
    "export": 4,
    "testing": 4,
    "interop": 4,
    "weight_maps": 4,
    "train": 4,
    "formats": 4,
    "tasks": 5,
    "cli": 5,
    "public": 5,
    "__main__": 6,
    "__init__": 6,
}

#: Rooms inside the blocks, in the same way.
FLOORS_OF_BLOCKS = {
    "layers": 0,
    "starts": 1,
    "plugs": 2,
    "maps": 2,
    "frames": 2,
    "sequences": 3,
    "recurrent": 3,
    "translators": 4,
}

#: Packages that are slow to import, and serve a few constructors, the hub, data sets, the trainer or pictures.
SLOW = ("torchvision", "timm", "torch._dynamo", "triton", "huggingface_hub", "matplotlib", "accelerate")


def imports(path):
    """What a file imports from this package, as names below `stblocks`."""
    package = ("stblocks", *path.relative_to(ROOT / "stblocks").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            names = [(*base, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        yield from (name[1:] for name in names if name[0] == "stblocks")


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


def target(name):
    """The module that an import of a name runs, which may be a package."""
    while name not in MODULES:
        name = name[:-1]
    return name


def find_circle(edges):
    """A way along edges that comes back to where it was, or none."""
    done = set()

    def follow(node, way):
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        found = next(filter(None, (follow(other, [*way, node]) for other in sorted(edges.get(node, ())))), [])
        done.add(node)
        return found

    return next(filter(None, (follow(node, []) for node in sorted(edges))), [])


@pytest.mark.parametrize(("room", "floors"), [("", FLOORS), ("blocks", FLOORS_OF_BLOCKS)])
def test_no_room_imports_upward(room, floors):
    found = [f"{path} imports {name}" for path, name in upward(ROOT / "stblocks" / room, floors)]
    way_out = "import from a room that stands lower in FLOORS; inside the package slots come from core.slot"
    assert not found, f"{'; '.join(found)}: {way_out}"


def test_no_room_is_missing():
    """A new folder has a floor, or the test above would not look at it."""
    rooms = {path.relative_to(ROOT / "stblocks").parts[0].removesuffix(".py") for path in MODULES.values()}
    assert rooms == set(FLOORS)
    assert {path.parent.name for path in (ROOT / "stblocks" / "blocks").glob("*/__init__.py")} <= set(FLOORS_OF_BLOCKS)


def test_no_module_imports_itself_by_way_of_others():
    edges = {name: {target(other) for other in imports(path)} - {name} for name, path in MODULES.items()}
    circle = find_circle(edges)
    assert not circle, " -> ".join(".".join(name) or "stblocks" for name in circle)


def test_a_circle_is_found():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_training_has_what_scoring_has():
    """For one import; the library itself goes to the room where a thing is."""
    assert all(getattr(train, name) is getattr(score, name) for name in score.__all__)
    assert set(score.__all__) <= set(train.__all__)
    homes = [("stblocks", "train", name) for name in score.__all__]
    assert not [path for path in MODULES.values() for name in imports(path) if ("stblocks", *name) in homes]


def test_nothing_slow_is_imported_before_it_is_used():
    code = f"import sys, stblocks; stblocks.GFM; print(*[name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_package_is_imported_without_torch():
    code = "import sys, stblocks.cli, stblocks.borders.checks; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_what_stands_at_the_top_is_there_however_it_is_reached():
    """Models too, though whoever imports the protocol alone imports none."""
    code = "from stblocks.core import list_models, register_model\nassert 'gmg_l' in list_models()\n"
    code += "import stblocks\nassert {'GFM', '__version__'} <= {*dir(stblocks)}\n"
    code += "from stblocks import *\nassert GFM is stblocks.blocks.GFM"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    with pytest.raises(AttributeError, match="module 'stblocks' has no attribute 'GFMM'"):
        getattr(stblocks, "GFM" + "M")


def test_a_room_without_its_packages_names_the_extra():
    code = "import sys\nfor package, room in (('accelerate', 'score'), ('matplotlib', 'viz')):\n"
    code += "  sys.modules[package] = None\n  try: __import__(f'stblocks.{room}')\n"
    code += "  except ImportError as error: print(error)\n  del sys.modules[package]"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "stblocks.score needs accelerate: pip install 'stblocks[train]'.",
        "stblocks.viz needs matplotlib: pip install 'stblocks[train]'.",
    ]
