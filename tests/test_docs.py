"""The snippets of the pages run, every public name has a page, and recipes take the flags that pages show."""

import builtins
import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

import stblocks
import stblocks.data
import stblocks.score
import stblocks.tasks
import stblocks.train
import stblocks.viz
from benchmarks import figures
from stblocks import Route, Slot

ROOT = Path(__file__).resolve().parents[1]
#: Pages with code: what is fenced as `python` runs, from top to bottom of a page; fragments are fenced as `py`.
RUNNABLE = [
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "```python\n" in path.read_text(encoding="utf-8")
]


def snippets(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.S)


@pytest.mark.parametrize("page", RUNNABLE)
@pytest.mark.usefixtures("forgotten")
def test_snippets_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    snippet = ModuleType("snippet")  # torch.compile looks up the module that a function says it is of
    monkeypatch.setitem(sys.modules, snippet.__name__, snippet)
    found = snippets(page)
    assert found
    for code in found:
        exec(compile(code, page, "exec"), vars(snippet))


class Lightning(ModuleType):
    """The part of Lightning that the page needs: a trainer that takes one step of each kind."""

    class LightningModule(torch.nn.Module):
        def log_dict(self, values):
            self.logged = {**getattr(self, "logged", {}), **values}

        def log(self, name, value, prog_bar):
            self.log_dict({name: value})

    class Trainer:
        def __init__(self, max_epochs):
            pass

        def fit(self, module, train, validation):
            optimizer = module.configure_optimizers()
            module.training_step(next(iter(train)), 0).backward()
            optimizer.step()
            module.validation_step(next(iter(validation)), 0)
            assert module.logged.keys() == {"loss", "l1", "l2", "mse"}
            assert all(value.isfinite() for value in module.logged.values())


def test_the_module_for_lightning(monkeypatch, tmp_path):
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```py\n(import lightning.*?)```", page, flags=re.S)
    model = stblocks.create_model("convlstm", channels=4, num_layers=1, kernel_size=3)
    before = model.head[0].weight.clone()
    loader = torch.utils.data.DataLoader(stblocks.data.SyntheticRadar(2), 2)
    monkeypatch.setitem(sys.modules, "lightning", Lightning("lightning"))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "deployment.md", "exec"), {"model": model, "train_loader": loader, "validation_loader": loader})
    assert not torch.equal(model.head[0].weight, before)
    assert (tmp_path / "model" / "config.json").is_file()


def test_every_public_name_has_a_page():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    for package in (stblocks, stblocks.data, stblocks.tasks, stblocks.score, stblocks.train, stblocks.viz):
        for name in package.__all__:
            if package is stblocks.train and name in stblocks.score.__all__:
                continue  # the same thing, whose page is that of scores
            if not isinstance(getattr(package, name), (Slot, Route)):
                assert f"::: {package.__name__}.{name}\n" in pages, f"{name} has no entry in docs/"


def test_messages_are_as_the_pages_say():
    """Every `>>> statement` with the error below it."""
    shown = re.findall(r">>> (.*)\n(\w+Error): (.*)\n", (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8"))
    assert shown
    for statement, error, message in shown:
        with pytest.raises(getattr(builtins, error)) as raised:
            eval(statement, {name: getattr(stblocks, name) for name in stblocks.__all__})
        assert set(message.split()) <= set(str(raised.value).split())  # it lists blocks that tests define, too


def test_headings_begin_a_line():
    """Outside code, and with an empty line before and after, or they are text for some readers of Markdown."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"^```.*?^```|`[^`\n]+`", "code", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        assert not re.findall(r"\S.*\s#{1,6} .*|.+\n#{1,6} .*|^#{1,6} .*\n.+", text, flags=re.M), page.name


def test_links_and_pictures_are_there():
    """Of files and places outside the docs' build, which `make check` sees to."""
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{page.name} leads to {target}, which is not there"


def test_recipes_take_the_flags_of_the_pages(capsys):
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))]
    commands = [found for page in pages for found in re.findall(r"python recipes/(\w+)\.py([^#\n]*)", page)]
    assert commands
    for recipe, arguments in commands:
        with pytest.raises(SystemExit, match=r"^0$"):
            importlib.import_module(f"stblocks.recipes.{recipe}").main(["--help"])
        taken = re.findall(r"--\w+", capsys.readouterr().out)
        assert set(re.findall(r"--\w+", arguments)) <= set(taken), f"{recipe}{arguments}"


def test_the_model_table_is_true():
    table = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"\| `(\w+)` \| ([\d.]+) M", table))
    assert rows.keys() == set(stblocks.list_models())
    for name, millions in rows.items():
        with torch.device("meta"):
            parameters = sum(parameter.numel() for parameter in stblocks.create_model(name).parameters())
        assert f"{parameters / 1e6:.3f}" == millions


@pytest.mark.slow
def test_figures_of_models_cover_them_all():
    """`python -m benchmarks.figures` writes them; a page goes without those that are not there yet."""
    assert json.loads(figures.RESULT.read_text(encoding="utf-8")).keys() == set(stblocks.list_models())


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("convlstm", "simvpv2_s") else pytest.mark.slow)
        for name in stblocks.list_models()
    ],
)
def test_figures_of_models_are_true(name):
    assert json.loads(figures.RESULT.read_text(encoding="utf-8"))[name] == figures.figures(name)


def test_the_lists_of_recipes_are_complete():
    programs = {path.name for path in (ROOT / "recipes").glob("*.py") if "run_recipe(main)" in path.read_text("utf-8")}
    for page in ("README.md", "CHANGELOG.md", "docs/recipes.md"):
        listed = set(re.findall(r"(\w+\.py)\b", (ROOT / page).read_text(encoding="utf-8")))
        assert programs <= listed, page
