"""Several runs in one picture: what its lines and bands are, read from the figure."""

import math

import pytest

from stblocks.train import read_records
from stblocks.viz import convergence
from tests.tiny import train


def run(scores, seconds=None, metric="mse@pixel"):
    """Records of a run that was validated after steps 10, 20, ..."""
    times = {} if seconds is None else {"seconds": seconds}
    records = [{"step": 1, "epoch": 1, "loss": 9.0, **times}]
    for number, score in enumerate(scores, start=1):
        taken = {} if seconds is None else {"seconds": seconds * number}
        records.append({"step": 10 * number, "epoch": number, "model": {metric: score}, "persistence": {}, **taken})
    return records


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws, and returns of each panel its labels, and by name of the model line, and of all the outlines of bands."""
    figures = []
    monkeypatch.setattr("stblocks.viz.runs.save", lambda figure, path: figures.append(figure))

    def draw(runs, **options):
        convergence(runs, tmp_path / "convergence.png", **options)
        panels = []
        for axis in figures.pop().axes:
            lines = {line.get_label(): line for line in axis.lines}
            paths = [path for band in axis.collections for path in band.get_paths()]
            panels.append((axis.get_xlabel(), axis.get_ylabel(), lines, paths))
        return panels

    return draw


def points(line):
    return [tuple(map(float, point)) for point in line.get_xydata()]


def test_means_and_bands_over_seeds_by_step_and_by_time(drawn):
    runs = {"a": [run([4.0, 2.0], 60), run([6.0, 1.0], 180)], "b": [run([5.0, 3.0], 600)]}
    step, time = drawn(runs)
    assert step[:2] == ("step", "validation mse@pixel")
    assert time[:2] == ("training time (min)", "validation mse@pixel")
    assert points(step[2]["a"]) == [(10, 5), (20, 1.5)]
    assert points(step[2]["b"]) == [(10, 5), (20, 3)]
    assert points(time[2]["a"]) == [(2, 5), (4, 1.5)]
    assert points(time[2]["b"]) == [(10, 5), (20, 3)]
    for panel, ends in ((step, (10, 20)), (time, (2, 4))):
        band = {tuple(map(float, vertex)) for vertex in panel[3][0].vertices}
        assert band == {(ends[0], 4), (ends[0], 6), (ends[1], 1), (ends[1], 2)}


def test_only_steps_that_all_runs_have(drawn):
    (step,) = drawn({"a": [run([4.0, 2.0, 1.0]), run([6.0, 1.0])], "ended": [run([3.0]), run([])]})
    assert points(step[2]["a"]) == [(10, 5), (20, 1.5)]
    assert points(step[2]["ended"]) == []


def test_no_panel_of_times_unless_all_records_have_them(drawn):
    assert len(drawn({"a": [run([4.0], 60)], "b": [run([4.0], 60)]})) == 2
    assert len(drawn({"a": [run([4.0], 60), run([4.0])], "b": [run([4.0], 60)]})) == 1
    assert len(drawn({"a": [run([4.0], 60)], "b": [run([4.0])]})) == 1
    assert len(drawn({"a": [run([4.0], 60)], "none": [run([], 60)]})) == 2


def test_a_score_that_is_not_defined_is_a_gap(drawn):
    (step,) = drawn({"a": [run([4.0, None, 1.0]), run([2.0, 3.0, 3.0])]})
    (_, first), (_, gap), (_, last) = points(step[2]["a"])
    assert (first, last) == (3, 2)
    assert math.isnan(gap)


def test_another_score_and_more_models_than_colours(drawn):
    (step,) = drawn({str(n): [run([0.5], metric="ssim@uniform7")] for n in range(12)}, metric="ssim@uniform7")
    assert step[1] == "validation ssim@uniform7"
    looks = {(line.get_color(), line.get_linestyle()) for line in step[2].values()}
    assert len(looks) == 12


def test_what_cannot_be_drawn_is_said(tmp_path):
    path = tmp_path / "convergence.png"
    for runs in ({}, {"a": []}, {"a": [run([])]}, {"a": [run([1.0]), run([])]}, {"a": [[]]}):
        with pytest.raises(ValueError, match="runs must hold validations that all runs of a model have, got none"):
            convergence(runs, path)
    with pytest.raises(ValueError, match="got 'csi@20'; 'a' has mse@pixel"):
        convergence({"a": [run([1.0])]}, path, "csi@20")
    assert not path.exists()


def test_runs_are_read_and_drawn(tmp_path):
    seeds = (0, 1)
    for seed in seeds:
        train(tmp_path / str(seed), seed=seed)
    runs = {"tiny": [read_records(tmp_path / str(seed)) for seed in seeds]}
    assert runs["tiny"][0] == read_records(tmp_path / "0" / "metrics.jsonl")
    convergence(runs, tmp_path / "convergence.png")
    assert (tmp_path / "convergence.png").read_bytes().startswith(b"\x89PNG")
