"""The command says what models take, and what is wrong with its arguments."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import stblocks
from stblocks import create_model, list_models
from stblocks.cli import main
from stblocks.cli.command import COMMANDS
from stblocks.cli.describe import SETTINGS
from stblocks.core import model_entry
from stblocks.data import DataSpec
from stblocks.flops import count_multiply_adds

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cli.md"
SMALL = ["--channels", "8", "--num_layers", "2", "--kernel_size", "3"]
ONE = ["--image_size", "8", "8", "--in_frames", "1", "--horizon", "1"]
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
    ],
)
def test_published_figures_stand_beside_the_same_options_alone(options, alike, capsys):
    text, entry = run(capsys, "info", "simvpv2_s", *options.split()), model_entry("simvpv2_s")
    table = figures(text)
    assert table["parameters"][1] == (entry.parameters if alike else None)
    assert table["multiply-adds"][1] == (entry.flops if alike else None)
    assert text.count("published") == (2 if alike else 1)
    assert shown(text)["published"].endswith("; with other options") != alike


@pytest.mark.parametrize("options", ["--horizon 5", "--batch 2"])
def test_published_parameters_are_those_of_any_frames(options, capsys):
    text, entry = run(capsys, "info", "simvpv2_s", *options.split()), model_entry("simvpv2_s")
    assert figures(text)["parameters"][1] == entry.parameters
    assert re.search(r"multiply-adds +[\d,]+ +-\n", text)
    assert shown(text)["published"].endswith("; with other frames")


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
        ("info predrnn --channels x", "channels must be an integer or a list of integers, got 'x'"),
        ("info predrnn --checkpointing", "--checkpointing must have a value, got none; a switch is --checkpointing tr"),
        ("info predrnn 3", "options of the model must be written --option value, got '3'"),
        ("info predrnn --batch 0", "argument --batch: must be at least 1, got 0"),
        ("info predrnn --horizon x", "argument --horizon: invalid integer value: 'x'"),
        ("info mim --image_size 8", "expected 2 arguments"),
        ("list xyz*", "pattern must match a model, got 'xyz*'; there are advection, cms_lstm,"),
        ("list gmg* --all", "stblocks list: there is no argument --all; see stblocks list --help."),
        ("lists", "stblocks: there is no command 'lists'; did you mean list?"),
        ("", "stblocks: there must be a command: "),
        ("info GMG-L", "stblocks info: There is no model 'GMG-L'; did you mean gmg_l?"),
        ("info predrnn --batchh", "--batchh must have a value"),
        ("info", "the following arguments are required: name"),
        ("info nosuch --help", "stblocks info: There is no model 'nosuch'"),
        ("train gmg", "stblocks train: there is no recipe 'gmg'; did you mean gmg_cikm"),
        (
            "train gmg_cikm --epochs 0",
            "stblocks train: ValueError: This run cannot start: epochs must be an integer >= 1",
        ),
    ],
)
def test_mistakes_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


def test_the_setting_of_every_published_figure_is_known():
    published = [model_entry(name) for name in list_models() if model_entry(name).flops]
    assert {entry.dataset for entry in published} <= SETTINGS.keys()


def test_the_page_shows_what_is_printed(capsys):
    sessions = re.findall(r"```console\n\$ stblocks (.*)\n((?:.*\n)*?)```", PAGE.read_text(encoding="utf-8"))
    assert len(sessions) >= 2
    for command, output in sessions:
        assert run(capsys, *command.replace("'", "").split()) == output


def test_help_of_a_recipe_says_how_it_was_called(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stblocks"])
    with pytest.raises(SystemExit):
        main(["train", "gmg_cikm", "--help"])
    assert capsys.readouterr().out.startswith("usage: stblocks train gmg_cikm [-h]")


def test_train_lists_recipes_and_runs_one(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stblocks"])
    names = run(capsys, "train").split()
    assert names == sorted(path.stem for path in (PAGE.parents[1] / "recipes").glob("*.py"))
    seen = []
    monkeypatch.setattr("stblocks.recipes.gmg_cikm.main", seen.append)
    main(["train", "gmg_cikm", "--epochs", "2"])
    assert seen == [["--epochs", "2"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_needs_no_torch(command):
    code = f"import sys; sys.argv[1:] = [{command!r}, '--help']\nfrom stblocks.cli import main\ntry: main()\n"
    code += "finally: assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"\nstblocks {command}" in done.stdout
    assert done.stderr == ""


def test_a_module_and_a_version():
    start = [sys.executable, "-m", "stblocks"]
    done = subprocess.run([*start, "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"stblocks {stblocks.__version__}\n"
    done = subprocess.run([*start, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)


def test_a_reader_may_leave_early():
    started = subprocess.Popen(
        [sys.executable, "-m", "stblocks", "train"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    started.stdout.close()
    assert started.stderr.read() == b""
    started.stderr.close()
    assert started.wait() == 1


def test_help_of_a_model_lists_its_options(capsys):
    text = run(capsys, "info", "swinlstm_d", "--help")
    for option in create_model("swinlstm_d", channels=8).config:
        assert option == "model" or f"\n  --{option} " in text
    assert "  --num_heads [4, 8]\n        Heads in each cell" in text
    assert "See `EmbedFrame`" not in text
    assert "See `Frame`" not in text
    assert "Channels of a frame of the video." in text


def test_the_diagram_says_what_blocks_read_and_write(capsys):
    text = run(capsys, "info", "gmg_s", *SMALL, "--num_layers", "3", *ONE)
    rows = text[text.index("layer 1") :].splitlines()
    columns = text[: text.index("layer 1")].splitlines()[-1]
    places = {name: columns.index(name) for name in columns.split()}
    with torch.device("meta"):
        stack = create_model("gmg_s", channels=8, num_layers=3, kernel_size=3).stack
    shown = [row for row in rows[: rows.index("")] if not row.startswith("layer")]
    stages = [stage for layer in stack.layers for stage in layer.stages]
    assert len(shown) == len(stages)
    for row, stage in zip(shown, stages, strict=True):
        marks = {name: row[place : place + 2].strip() for name, place in places.items()}
        reads, writes = ({slot.name for slot in slots} for slots in (stage.reads, stage.writes))
        assert row.split()[0] == type(stage).__name__
        assert {name for name, mark in marks.items() if "r" in mark} == reads
        assert {name for name, mark in marks.items() if "w" in mark} == writes
    told = {name: line for line in rows[rows.index("") :] for name in line.split("  to ")[0].replace(",", "").split()}
    assert "next step" in told["h"]
    assert "from the top one to the bottom one" in told["m"]
    assert "made afresh" in told["z"]


def test_layers_that_are_alike_are_shown_once(capsys):
    assert "layers 1 to 5  Cell\n" in run(capsys, "info", "convlstm", "--num_layers", "5", *ONE)
    text = run(capsys, "info", "sa_convlstm", *ONE)
    assert "  m     to the same layer at the next step" in text or "h, c, m" in text  # a stack overrules the route
    assert "10 frames -> Encoder -> Translator of 8 GSTA -> Decoder -> 10 frames" in run(
        capsys, "info", "simvpv2_s", "--image_size", "8", "8"
    )


def test_a_saved_model_is_described_by_its_own_options(capsys, tmp_path):
    model = create_model("convlstm", 2, (8, 12), channels=4, num_layers=1, kernel_size=3)
    model.data_spec = DataSpec(0.0, 10.0).to_dict()  # as a trained one has
    model.save_pretrained(tmp_path)
    text = run(capsys, "info", str(tmp_path), "--in_frames", "3")
    assert shown(text)["input"] == "1 x 3 x 2 x 8 x 12"
    assert {"channels=4", "num_layers=1"} <= set(shown(text)["options"].split())
    assert run(capsys, "info", str(tmp_path), "--help") == run(capsys, "info", "convlstm", "--help")


def test_a_closed_output_is_no_mistake(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)  # as after `>&-`
    main(["list", "gmg_l"])


@pytest.mark.slow
def test_it_needs_no_extra():
    code = "import sys; sys.modules |= dict.fromkeys(['accelerate', 'matplotlib'])\n"
    code += "from stblocks.cli import main; main(['list', 'predrnn'])"
    assert "predrnn" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
