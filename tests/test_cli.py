"""The command says what models take, and what is wrong with its arguments."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stblocks import create_model, list_models
from stblocks.cli import SETTINGS, main
from stblocks.core import model_entry
from stblocks.flops import count_multiply_adds

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
SMALL = ["--channels", "8", "--num_layers", "2", "--kernel_size", "3"]
DIRECT = ["--channels", "4", "--translator_channels", "8", "--num_layers", "2"]


def run(capsys, *arguments):
    main(arguments)
    return capsys.readouterr().out


def figures(text):
    """Row to the two numbers of the table; `None` for a dash."""
    rows = re.findall(r"^ *([\w -]*\w)  +([\d,]+)(?: +([\d,]+|-))?$", text, flags=re.M)
    return {name: tuple(int(n.replace(",", "")) if n not in ("-", "") else None for n in row) for name, *row in rows}


def shown(text):
    """What stands beside each of the words below the table."""
    return dict(re.findall(r"^(input|output|published|options) +(.*(?:\n {11}.*)*)$", text, flags=re.M))


def test_info(capsys):
    text = run(capsys, "info", "predrnn", *SMALL, "--in_frames", "2", "--horizon", "3")
    model = create_model("predrnn", channels=8, num_layers=2, kernel_size=3)
    parameters = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    entry, table = model_entry("predrnn"), figures(text)
    assert text.startswith("predrnn\n")
    assert table["parameters"] == (sum(parameters.values()), None)
    assert table["stack"] == (parameters["stack"], None)
    assert table["head"] == (parameters["head"], None)
    assert "stem" not in table  # it has no parameters
    work = count_multiply_adds(model, torch.empty(1, 2, 1, 64, 64), 3)
    assert table["multiply-adds"] == (work.products, None)
    assert shown(text)["input"] == "1 x 2 x 1 x 64 x 64"
    assert shown(text)["output"] == "1 x 3 x 1 x 64 x 64"
    assert entry.paper in shown(text)["published"]
    assert "CIKM2017, one sequence: 5 frames to 10 of 1 x 64 x 64" in shown(text)["published"]
    assert {"channels=8", "num_layers=2", "norm=null"} <= set(shown(text)["options"].split())


@pytest.mark.parametrize(
    ("options", "alike"),
    [
        ("", True),
        ("--translator gsta --image_size 64 64 --out_frames 10", True),  # what is left out, spelt out
        ("--translator vit", False),
        ("--in_channels 2", False),
        ("--horizon 5", False),
        ("--batch 2", False),
    ],
)
def test_published_figures_stand_beside_the_same_options_alone(options, alike, capsys):
    text, entry = run(capsys, "info", "simvpv2_s", *options.split()), model_entry("simvpv2_s")
    table = figures(text)
    assert table["parameters"][1] == (entry.parameters if alike else None)
    assert table["multiply-adds"][1] == (entry.flops if alike else None)
    assert text.count("published") == (2 if alike else 1)
    assert shown(text)["published"].endswith("; with other options") != alike


def test_what_is_left_out_is_as_published(capsys):
    text = run(capsys, "info", "predrnn", *SMALL)
    assert shown(text)["input"] == "1 x 5 x 1 x 64 x 64"
    assert shown(text)["output"] == "1 x 10 x 1 x 64 x 64"


def test_models_of_fixed_length_bring_their_own_frames(capsys):
    text = run(capsys, "info", "simvpv2_s", *DIRECT, "--in_frames", "3", "--out_frames", "2", "--batch", "2")
    assert shown(text)["input"] == "2 x 3 x 1 x 64 x 64"
    assert shown(text)["output"] == "2 x 2 x 1 x 64 x 64"
    longer = run(capsys, "info", "simvpv2_s", *DIRECT, "--in_frames", "3", "--out_frames", "2", "--horizon", "4")
    assert shown(longer)["output"] == "1 x 4 x 1 x 64 x 64"
    assert figures(longer)["multiply-adds"] == figures(text)["multiply-adds"]  # two sequences, or one twice as long


def test_options_are_those_of_create_model(capsys):
    text = run(capsys, "info", "hybrid", *SMALL, "--base", "convlstm", "--plugs", '["ce"]', "--scales", "1", "2")
    assert {'base="convlstm"', 'plugs=["ce"]', "2]"} <= set(shown(text)["options"].split())
    assert figures(text)["parameters"][1] is None
    assert shown(text)["published"] == model_entry("hybrid").paper
    text = run(
        capsys, "info", "predrnn", "--num-layers=1", "--channels=4", "--image-size", "10", "12", "--in-channels=2"
    )
    assert shown(text)["input"] == "1 x 5 x 2 x 10 x 12"
    assert {"num_layers=1", "in_channels=2"} <= set(shown(text)["options"].split())


def test_list(capsys):
    lines = run(capsys, "list").splitlines()
    assert [line.split()[0] for line in lines] == ["model", *list_models()]
    header, line = run(capsys, "list", "gmg_l").splitlines()
    assert line.split()[:4] == ["gmg_l", "31,448,973", "111,980,338,624", "CIKM2017"]
    assert line.index("Du et al.") == header.index("paper")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("info gmgl", "stblocks info: There is no model 'gmgl'; did you mean gmg_l"),
        ("info predrnn --chanels 3", "predrnn has no option 'chanels'; did you mean channels or"),
        ("info predrnn --channels x", "channels must be an integer >= 1, got 'x'"),
        ("info predrnn --checkpointing", "--checkpointing must have a value, got none; a switch is --checkpointing tr"),
        ("info predrnn 3", "options of the model must be written --option value, got '3'"),
        ("info predrnn --batch 0", "argument --batch: must be at least 1, got 0"),
        ("info predrnn --horizon x", "argument --horizon: invalid integer value: 'x'"),
        ("info mim --image_size 8", "expected 2 arguments"),
        ("list xyz*", "pattern must match a model, got 'xyz*'; there are cms_lstm,"),
        ("list gmg* --all", "list takes a pattern and no more, got --all"),
        ("lists", "invalid choice: 'lists'"),
        ("", "required: command"),
    ],
)
def test_mistakes_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_the_setting_of_every_published_figure_is_known():
    published = [model_entry(name) for name in list_models() if model_entry(name).flops]
    assert {entry.dataset for entry in published} <= SETTINGS.keys()


def test_the_page_shows_what_is_printed(capsys):
    sessions = re.findall(r"```console\n\$ stblocks (.*)\n((?:.*\n)*?)```", PAGE.read_text(encoding="utf-8"))
    assert len(sessions) >= 2
    for command, output in sessions:
        assert run(capsys, *command.replace("'", "").split()) == output


def test_train_lists_recipes_and_runs_one(capsys, monkeypatch):
    names = run(capsys, "train").split()
    assert names == sorted(path.stem for path in (PAGE.parents[1] / "recipes").glob("*.py"))
    seen = []
    monkeypatch.setattr("stblocks.recipes.gmg_cikm.main", seen.append)
    main(["train", "gmg_cikm", "--epochs", "2"])
    assert seen == [("--epochs", "2")]
    with pytest.raises(SystemExit, match=r"There is no recipe 'gmg'; did you mean gmg_cikm"):
        main(["train", "gmg"])


@pytest.mark.slow
def test_it_needs_no_extra():
    code = "import sys; sys.modules |= dict.fromkeys(['accelerate', 'matplotlib'])\n"
    code += "from stblocks.cli import main; main(['list', 'predrnn'])"
    assert "predrnn" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
