"""What the site's hooks make of pages: formulas, tables, cards, drawings and charts."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "hooks"))

import catalogue
import charts
import development
import diagrams
import gallery
import mathematics
import results
import search
import tables
from mkdocs.exceptions import PluginError

from stblocks.core.create import model_entry
from stblocks.slots import C, H, M, X

BLOCKS = Path(gallery.__file__).parents[1] / gallery.SOURCE
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


def test_examples_run_and_say_what_they_cost():
    import examples

    shown = examples.example("SimpleGFM")
    assert "h = block(x, h)" in shown.code
    assert (shown.parameters, shown.multiply_adds) == (64 * 64 * 25, 64 * 64 * 25 * 16 * 16)


@pytest.mark.parametrize("name", [card.name for card in gallery.cards(BLOCKS)])
def test_every_card_has_an_example(name):
    import examples

    assert examples.example(name) is not None or name in examples.BASES


def test_parts_stand_on_the_page_of_their_block(tmp_path):
    page = tmp_path / "blocks.md"
    page.write_text("# Blocks\n\n## One\n\n::: stblocks.GFM\n\n## Two\n::: stblocks.MGM\n::: stblocks.ops.deformable\n")
    first, second = gallery.cards(page)
    assert first == ("One", "GFM", ["stblocks.GFM"])
    assert second == ("Two", "MGM", ["stblocks.MGM", "stblocks.ops.deformable"])
    page.write_text("# Blocks\n\n## One\n\n::: stblocks.ops.deformable\n")
    with pytest.raises(PluginError, match=r"stblocks\.ops\.deformable needs a block before it"):
        list(gallery.cards(page))


def test_a_drawing_has_an_arrow_for_each_slot_by_its_route():
    drawn = diagrams.block("Name", (X, H, M), (H, C, M), (H, C, M))
    assert drawn.count("<polyline") == 6
    assert drawn.count('class="route zigzag" points') == 2
    assert drawn.count('class="route local" points') == 1  # x: h and m are the block's own
    assert "step before" in drawn
    assert "step before" not in diagrams.block("Name", (X, H), (H,), ())  # h comes from the stage before


def test_the_zigzag_turns_from_the_top_to_the_next_bottom():
    assert (
        diagrams.network(layers=3, steps=4).count('class="route zigzag" points') == 4 * 2 + 3 + 1
    )  # the last: its name


def test_measurements_become_tables_and_charts():
    measured = {"machine": "one core", "columns": ["name", "lead", "a b"], "rows": [["x", 1, 2.5], ["x", 3, "1,000"]]}
    assert "| name | lead | a b |\n| --- | --: | --: |\n| x | 1 | 2.5 |" in results.table(measured)
    assert results.plot("p", measured, "lines", "lead", "a b").count("<circle") == 2
    named = {"columns": ["name", "mse@frame_sum", "a b"], "rows": [["x", "1", "2"], ["y", "3", "4"]]}
    assert results.plot("p", named, "scatter", "a_b", "mse@frame_sum").count("<circle") == 2
    assert results.plot("p", measured, "bars", "name", "a b").count('class="bar') == 3  # one is the legend's
    assert results.plot("p", measured, "scatter", "lead", "a b").count("<circle") == 1  # by name
    with pytest.raises(ValueError, match="not pie"):
        results.plot("p", measured, "pie", "lead", "a b")


@pytest.mark.parametrize("asked", ["table: nosuch", "drawing: nosuch", "plot: speed bars model nosuch"])
def test_what_cannot_be_made_ends_the_build(asked):
    with pytest.raises(PluginError, match=r"page\.md: <!-- .*nosuch.* --> cannot be made"):
        results.on_page_markdown(f"<!-- {asked} -->", page=PAGE)


@pytest.mark.parametrize("values", [[0.0, 1.0], [3.0], [0.02, 0.0207], [110.0, 119.6], [-5.0, 2000.0]])
def test_ticks_hold_all_values(values):
    ticks = charts._ticks(values)
    assert ticks[0] <= min(values) <= max(values) <= ticks[-1]
    assert 2 <= len(ticks) <= 9


def test_the_search_passes_code_by():
    page = '<p>said</p><div class="highlight"><pre>code</pre></div><div class="doc-signature highlight">f()</div>'
    made = search.on_page_content(page, page=PAGE)
    assert made.count("data-search-exclude") == 2
    assert made.startswith("<p>said</p>")
    option = '<li class="doc-section-item field-body">channels</li>'
    model = SimpleNamespace(file=SimpleNamespace(src_uri="models/gmg_l.md"))
    assert "data-search-exclude" in search.on_page_content(option, page=model)
    assert "data-search-exclude" not in search.on_page_content(option, page=PAGE)


def test_the_table_of_models_leads_to_their_pages_and_leaves_them_the_reference():
    text = "| `gmg_l` | 31 |\n| `nosuch` | 0 |\n\n::: stblocks.models.gmg.gmg_l\n::: stblocks.models.simvp\n"
    text += "::: stblocks.create_model\n"
    made = catalogue.on_page_markdown(text, page=SimpleNamespace(file=SimpleNamespace(src_uri="models.md")))
    assert "| [`gmg_l`](models/gmg_l.md) | 31 |\n| `nosuch` |" in made
    assert "::: stblocks.models.gmg.gmg_l" not in made
    assert re.search(r"::: stblocks\.models\.simvp\n    options: .*simvpv2_s.*\n::: stblocks\.create_model\n", made)


@pytest.mark.parametrize("name", ["gmg_s", "simvp", "hybrid"])
def test_the_page_of_a_model_has_its_figures_blocks_and_commands(name):
    page = catalogue.page_of(model_entry(name))
    assert "| here | published |" in page
    assert f"stblocks info {name}" in page
    assert f'create_model(\n    "{name}"' in page
    assert "](../blocks/" in page


def test_rows_of_fidelity_lead_to_tests_that_are_there():
    text = (BLOCKS.parent / "fidelity.md").read_text(encoding="utf-8")
    page = SimpleNamespace(file=SimpleNamespace(src_uri="fidelity.md"))
    rows = development.on_page_markdown(text, page=page).split("|---|", 1)[1].splitlines()[1:]
    named = "\n".join(development.tests())
    for row in filter(lambda row: row.startswith("|"), rows):
        led = re.findall(r"\]\(tests\.md#(\w+)\)", row.split(" | ")[-1])
        assert led or row.endswith("| none |"), f"no test in the row {row[:60]}"
        assert all(f"{{#{test}}}" in named for test in led), row
