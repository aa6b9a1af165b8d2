"""The plug-in board: what it shows, and the recipe that fills it."""

import csv
import math
import re
from importlib import import_module

import numpy as np
import pytest
import torch
from PIL import Image

from stblocks import create_model
from stblocks.recipes.hybrids import main as hybrids
from stblocks.recipes.translators import main as translators
from stblocks.score import BoardEntry, Leaderboard, training_cost
from stblocks.tasks.plug_board import PlugSettings
from stblocks.tasks.translator_board import TranslatorSettings
from stblocks.train import run_recipe
from stblocks.train.settings import described
from stblocks.viz import efficiency, leaderboard_bars

FLAGS = "--size 16 --patch_size 2 --channels 4 --num_layers 2 --sequences 4 --test_sequences 2 --batch_size 2"
TINY = [*FLAGS.split(), "--glyphs"]


@pytest.fixture
def glyphs(tmp_path):
    path = tmp_path / "glyphs.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (20, 6, 6), dtype=np.uint8))
    return str(path)


def board(frames_per_second=25.0):
    made = Leaderboard(("mse", "ssim"))
    made.add(BoardEntry("base", "base", 1_500_000, 2_000_000_000, 10.0, {"mse": [2.0, 4.0], "ssim": [0.5, 0.5]}))
    scores = {"mse": [1.0, 2.0], "ssim": [0.6, 0.8]}
    made.add(BoardEntry("base+gfm", "base", 1_600_000, 2_500_000_000, 12.0, scores, frames_per_second))
    return made


def test_means_spreads_and_deltas():
    header, _, base, hybrid = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in board().to_markdown().splitlines()
    ]
    costs = ["parameters (M)", "multiply-adds (G)", "step (ms)", "frames/s"]
    assert header == ["model", *costs, "mse", "delta", "ssim", "delta"]
    assert base == ["base", "1.500", "2.000", "10", "-", "3 ± 1.4", "", "0.5 ± 0", ""]
    assert hybrid == ["base+gfm", "1.600", "2.500", "12", "25.0", "1.5 ± 0.71", "-1.5", "0.7 ± 0.14", "+0.2"]


def test_csv_has_every_seed(tmp_path):
    board().to_csv(tmp_path / "board.csv")
    rows = list(csv.DictReader((tmp_path / "board.csv").read_text().splitlines()))
    assert [(row["model"], row["run"], float(row["mse"])) for row in rows] == [
        ("base", "0", 2.0),
        ("base", "1", 4.0),
        ("base+gfm", "0", 1.0),
        ("base+gfm", "1", 2.0),
    ]
    costs = ("parameters", "multiply_adds", "milliseconds", "frames_per_second")
    assert [[row[name] for name in costs] for row in rows[1:3]] == [
        ["1500000", "2000000000", "10.0", "nan"],
        ["1600000", "2500000000", "12.0", "25.0"],
    ]


def test_a_run_without_a_score():
    made = Leaderboard(("mse",))
    made.add(BoardEntry("base", "base", 1, 1, 1.0, {"mse": [2.0, math.nan, 4.0]}))
    assert "| nan ± nan |" in made.to_markdown()


def test_picture(tmp_path):
    leaderboard_bars(board(), tmp_path / "board.png")
    with Image.open(tmp_path / "board.png") as picture:
        assert picture.size[0] > 400
    with pytest.raises(ValueError, match="board must hold at least one model"):
        leaderboard_bars(Leaderboard(("mse",)), tmp_path / "none.png")


def test_efficiency_shows_the_main_score_against_all_costs(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("stblocks.viz.curves.save", lambda figure, path: drawn.append((figure, path)))
    for speed in (25.0, float("nan")):
        efficiency(board(speed), tmp_path / "efficiency.png")
    timed, untimed = ([[tuple(note.xy) for note in axis.texts] for axis in figure.axes] for figure, _ in drawn)
    assert timed == [[(2.0, 3.0), (2.5, 1.5)], [(10.0, 3.0), (12.0, 1.5)], [(25.0, 1.5)]]
    assert untimed == timed[:2]
    assert [path for _, path in drawn] == [tmp_path / "efficiency.png"] * 2
    with pytest.raises(ValueError, match="board must hold at least one model"):
        efficiency(Leaderboard(("mse",)), tmp_path / "none.png")


def test_entries_must_fit_the_board():
    with pytest.raises(ValueError, match="scores of 'a' must hold ssim, got mse"):
        Leaderboard(("mse", "ssim")).add(BoardEntry("a", "a", 1, 1, 1.0, {"mse": [1.0]}))
    with pytest.raises(ValueError, match="'b', the base of 'a', must be on the board first"):
        Leaderboard(("mse",)).add(BoardEntry("a", "b", 1, 1, 1.0, {"mse": [1.0]}))


def test_cost_counts_one_sequence():
    model = create_model("convlstm", channels=4, num_layers=1, patch_size=1, kernel_size=3)
    clock = iter([0.0, 3.0, 10.0, 11.0, 20.0, 22.0])
    parameters, work, milliseconds = training_cost(model, torch.rand(3, 2, 1, 8, 8), 2, 3, clock.__next__)
    assert parameters == 9 * 16 * (1 + 4) + 4
    assert work == 3 * 64 * (9 * (1 + 4) * 16 + 4)  # steps, pixels, convolutions of x and h, head
    assert milliseconds == 2000
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_stays_as_it_is_when_its_cost_is_measured():
    model = create_model("simvpv2_s", in_frames=2, out_frames=2, channels=4, translator_channels=8, num_layers=2)
    past = torch.rand(2, 2, 1, 16, 16)
    model(past, 2).sum().backward()
    before = [value.clone() for value in model.state_dict().values()]
    training_cost(model, past, 2, 1)
    assert all(map(torch.equal, before, model.state_dict().values()))
    assert any(parameter.grad is not None for parameter in model.parameters())


def names(settings):
    return [(candidate.name, candidate.base) for candidate in settings.candidates()]


def test_candidates():
    assert names(PlugSettings(base=("predrnn", "convlstm"), plug=("gfm", "ce"))) == [
        ("predrnn", "predrnn"),
        ("predrnn+gfm+ce", "predrnn"),
        ("convlstm", "convlstm"),
        ("convlstm+gfm+ce", "convlstm"),
    ]
    three = PlugSettings(base=("mim",), plug=("gfm", "ce", "se"), each=True)
    assert [name for name, _ in names(three)] == ["mim", "mim+gfm", "mim+ce", "mim+se", "mim+gfm+ce+se"]
    assert len(names(PlugSettings(plug=("gfm", "ce", "se"), grid=True))) == 8
    assert [name for name, _ in names(PlugSettings(plug=()))] == ["predrnn"]
    assert [name for name, _ in names(PlugSettings(plug=("gfm",), each=True))] == ["predrnn", "predrnn+gfm"]
    assert names(TranslatorSettings(translator=("tau", "vss"))) == [("simvp+tau",) * 2, ("simvp+vss", "simvp+tau")]


@pytest.mark.parametrize("kind", [PlugSettings, TranslatorSettings])
def test_what_help_points_to_is_there(kind):
    helps = " ".join(each.help for each in described(kind).values())
    pointers = re.findall(r"`(stblocks\.[\w.]+)\.(\w+)`", helps)
    assert pointers
    assert all(hasattr(import_module(place), name) for place, name in pointers)


def test_the_board_of_translators(glyphs, tmp_path):
    sizes = ["--channels", "2", "--encoder_layers", "2", "--translator_channels", "8", "--num_layers", "1"]
    data = ["--size", "16", "--sequences", "2", "--test_sequences", "2", "--batch_size", "2", "--glyphs"]
    shown = ["--metrics", "mae@pixel", "snr@frame_mean", "mae@pixel"]
    translators([*data, glyphs, *sizes, "--translator", "gsta", "poolformer", "--out", str(tmp_path / "board"), *shown])
    table = (tmp_path / "board" / "leaderboard.md").read_text()
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["simvp+gsta", "simvp+poolformer"]
    scores = [cell.strip() for cell in table.splitlines()[0].split("|")[6:-1]]
    assert scores == ["mae@pixel", "delta", "snr@frame_mean", "delta"]
    with pytest.raises(ValueError, match="translator must name at least one, each once, got tau tau"):
        translators(["--translator", "tau", "tau", "--out", str(tmp_path / "none")])


def test_the_board_is_trained_and_gone_on_with(glyphs, tmp_path, capsys):
    out = tmp_path / "board"
    argv = [*TINY, glyphs, "--digits", "1", "--seeds", "2", "--plug", "gfm", "--out", str(out)]
    hybrids(argv)
    table = (out / "leaderboard.md").read_text()
    assert table in capsys.readouterr().out
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["predrnn", "predrnn+gfm"]
    assert {path.name for path in out.iterdir()} == {
        *(
            "predrnn",
            "predrnn+gfm",
            "leaderboard.md",
            "leaderboard.csv",
            "leaderboard.png",
            "efficiency.png",
            "convergence.png",
        )
    }
    with pytest.raises(ValueError, match="holds a run already"):
        hybrids(argv)
    scores = [line.split("|")[6:] for line in table.splitlines()[2:]]
    hybrids([*argv, "--resume"])
    again = (out / "leaderboard.md").read_text()
    assert [line.split("|")[6:] for line in again.splitlines()[2:]] == scores
    rows = csv.DictReader((out / "leaderboard.csv").read_text().splitlines())
    first = [f"{float(row['mse@frame_sum']):.4g}" for row in rows][:2]
    runs = {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.pt")}
    more = [*TINY, glyphs, "--digits", "1", "--seeds", "3", "--plug", "gfm", "mgm", "--each", "--out", str(out)]
    shown = ["--metrics", "mse@frame_sum", "mae@pixel"]
    hybrids([*more, *shown, "--resume"])  # more plugs, seeds, other scores: what is there is not trained again
    assert {path: path.stat().st_mtime_ns for path in runs} == runs
    grown = list(csv.DictReader((out / "leaderboard.csv").read_text().splitlines()))
    assert {*shown[1:], "psnr@frame_mean"} & {*grown[0]} == {*shown[1:]}
    assert [f"{float(row['mse@frame_sum']):.4g}" for row in grown[:2]] == first
    assert [row["model"] for row in grown[::3]] == ["predrnn", "predrnn+gfm", "predrnn+mgm", "predrnn+gfm+mgm"]


def test_a_run_that_diverges_ends_alone(glyphs, tmp_path, capsys):
    out = tmp_path / "board"
    hybrids(
        [
            *TINY,
            glyphs,
            "--digits",
            "1",
            "--plug",
            "gfm",
            "--lr",
            "1e30",
            "--epochs",
            "2",
            "--seeds",
            "2",
            "--out",
            str(out),
        ]
    )
    rows = list(csv.DictReader((out / "leaderboard.csv").read_text().splitlines()))
    assert [(row["model"], row["mse@frame_sum"]) for row in rows] == 2 * [("predrnn", "nan")] + 2 * [
        ("predrnn+gfm", "nan")
    ]
    assert "predrnn+gfm, seed 0: Step " in capsys.readouterr().out
    assert (out / "leaderboard.png").exists()
    assert not (out / "convergence.png").exists(), "there is nothing to draw"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--plug", "gmf"], "There is no plug"),
        (["--base", "predrnn", "--plug", "mgm", "motion_gru"], "do not fit base 'predrnn'"),
        (["--seeds", "0"], "seeds must be at least 1, got 0"),
        (["--metrics"], "metrics or thresholds must name a score that the board shows, got neither"),
        (["--each", "--grid"], "each changes nothing with grid"),
        (["--path", "somewhere"], "path goes with data='radar'"),
        (["--glyphs", "nowhere.npz"], "nowhere.npz"),
        (["--data", "radar", "--digits", "3"], "go with data='moving_mnist'"),
        (["--data", "radar", "--path", "somewhere", "--sequences", "8"], "are for data that is made"),
        (["--base", "predrnn", "predrnn"], "base must name each once, got predrnn predrnn"),
        (["--plug", "se", "--size", "32", "--patch_size", "16"], "scales must be at most the height and width"),
    ],
)
def test_mistakes_are_said_before_training(argv, says, tmp_path):
    with pytest.raises(SystemExit) as stop:
        run_recipe(lambda: hybrids([*argv, "--out", str(tmp_path / "none")]))
    assert says in str(stop.value)
    assert not (tmp_path / "none").exists()
