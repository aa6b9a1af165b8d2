"""Recipes travel: a copy of one runs anywhere, and a wheel holds them all."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.py"))
TINY = "--size 32 --sequences 4 --test_sequences 2 --batch_size 2 --channels 4 --num_layers 1 --metrics mse@pixel"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_a_program_that_needs_no_other_file(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imports += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    tops = {name.partition(".")[0] for name in imports}
    assert tops <= {"stblocks", "torch", *sys.stdlib_module_names}
    assert ast.unparse(tree.body[-1].body[0]) == "run_recipe(main)"
    assert not any(name.startswith("stblocks.recipes") for name in imports)
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40


def test_a_copy_of_a_recipe_runs_elsewhere(tmp_path):
    shutil.copy(ROOT / "recipes" / "predrnn_mmnist.py", tmp_path / "mine.py")
    code = f"import sys, runpy; sys.path[0] = {str(ROOT)!r}; runpy.run_path('mine.py', run_name='__main__')"
    ran = subprocess.run(
        [sys.executable, "-c", code, *TINY.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "go on with --out" in ran.stdout
    assert (tmp_path / "runs" / "predrnn_mmnist-1" / "model").is_dir()


def test_the_wheel_holds_the_recipes(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    for name in ("stblocks", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "."]
    built = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for path in RECIPES:
            assert archive.read(f"stblocks/recipes/{path.name}") == path.read_bytes()
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "stblocks").rglob("*.py")}
    assert sources <= names
    assert not any(name.startswith("recipes/") for name in names)


def test_the_citation_is_of_this_version():
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), flags=re.M)[1]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
