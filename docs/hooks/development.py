"""Two pages about how the library is made: CONTRIBUTING.md, and what each file of tests shows."""

import ast
import re
from pathlib import Path
from typing import Any

from navigation import add_page

ROOT = Path(__file__).resolve().parents[2]


def on_files(files: Any, config: Any) -> Any:
    """Makes the pages."""
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    add_page(files, config, "contributing.md", contributing.replace("](docs/", "]("))
    add_page(files, config, "tests.md", "---\nsearch: {exclude: true}\n---\n\n" + "\n\n".join(tests()) + "\n")
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str | None:
    """Links the tests that a row of `fidelity.md` names."""
    if page.file.src_uri != "fidelity.md":
        return None
    linked = re.sub(r"`(test_\w+)`", r"[`\1`](tests.md#\1)", markdown)
    return re.sub(r"golden (`[\w*]+`)", r"[golden](tests.md#test_golden) \1", linked)


def tests() -> list[str]:
    """The page of the tests: a section for each file, with its sentence and the names of its tests as they read."""
    parts = [
        "# What the tests show",
        "Each file of tests with what it is about and the names of its tests. `make test` runs them.",
    ]
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name[:5] == "test_"]
        listed = "; ".join(name.removeprefix("test_").replace("_", " ") for name in names)
        about = " ".join((ast.get_docstring(tree) or "").split())
        parts += [f"## {path.stem} {{#{path.stem}}}", about, f"*{listed}.*"]
    return parts
