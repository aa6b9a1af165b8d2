"""What the site's hooks make of pages: formulas and tables."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "hooks"))

import mathematics
import tables
from mkdocs.exceptions import PluginError

PAGE = SimpleNamespace(file=SimpleNamespace(src_uri="page.md"))


def rendered(latex):
    return mathematics.on_page_content(rf'<div class="arithmatex">\[{latex}\]</div>', page=PAGE)


def test_consecutive_displays_are_rows_with_numbers_of_their_own():
    made = rendered("a = b \\tag{1, 2}$$\n$$c &lt; d \\tag{3}")
    assert made.count('<div class="row">') == made.count("<math ") == 2
    assert made.index("(1, 2)") < made.index("<mi>c</mi>") < made.index("(3)")
    assert "<mo>&lt;</mo>" in made
    assert "$" not in made
    assert "tag" not in made


def test_a_row_breaks_between_formulas():
    assert rendered(r"a = b \qquad c = d").count("<math ") == 2


def test_a_formula_that_tex_refuses_ends_the_build():
    with pytest.raises(PluginError, match=r"page\.md: .*\\nosuch.* in the formula a \\nosuch"):
        rendered(r"a \nosuch")


def test_cells_know_their_column():
    table = (
        "<table><thead><tr><th>a</th><th><code>b</code></th></tr></thead><tbody>" + 2 * "<tr><td>1</td><td>2</td></tr>"
    )
    made = tables.on_page_content(f"{table}</tbody></table>")
    assert made.count('<tr><td data-head="a">1</td><td data-head="b">2</td></tr>') == 2
