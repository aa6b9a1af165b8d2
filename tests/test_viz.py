"""Pictures are written, are images of sensible size, and show what they should."""

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image

from stblocks.data import Scaler
from stblocks.score import Table
from stblocks.viz import forecast_gif, forecast_strip, loss_curve, skill_by_lead_time

GREY = (153, 153, 153)
WHITE = (255, 255, 255)


def sample(past=3, horizon=2, side=8, channels=1, seed=0):
    frames = torch.rand(past + horizon, channels, side, side, generator=torch.Generator().manual_seed(seed))
    return frames[:past], frames[past:], frames[past:] * 0.5


def pixels(path):
    """(H, W, 3), and a check that the file is a whole image of sensible size."""
    with Image.open(path) as image:
        image.load()
        assert image.format == path.suffix[1:].upper()
        assert 100 <= min(image.size) <= max(image.size) <= 3000
        return np.array(image.convert("RGB")).astype(int)


def gif_frames(path):
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            yield np.array(image.convert("RGB")).astype(int), image.info["duration"]


def share(picture, colour, tolerance=0):
    """Of the pixels, how many have a colour?"""
    return (abs(picture - np.array(colour)).max(axis=-1) <= tolerance).mean()


def errors(picture):
    """How much red or blue is in the lowest quarter, where the error is drawn."""
    lowest = picture[-picture.shape[0] // 4 :, : -picture.shape[1] // 5]  # less the colour bar
    return (lowest.max(axis=-1) - lowest.min(axis=-1) > 60).mean()


def test_a_strip_shows_the_error(tmp_path):
    past, future, prediction = sample()
    forecast_strip(past, future, prediction, tmp_path / "wrong.png")
    forecast_strip(past, future, future, tmp_path / "right.png")
    wrong, right = pixels(tmp_path / "wrong.png"), pixels(tmp_path / "right.png")
    assert errors(wrong) > 0.1
    assert errors(right) == 0
    assert wrong.shape[1] > 300


def test_a_strip_shows_errors_enlarged_in_the_colours_of_the_frames(tmp_path):
    past, future, prediction = sample()
    frames = torch.cat([past, future])
    for factor in (1, 10):
        forecast_strip(past, future, future - 0.05, tmp_path / "strip.png", error_factor=factor)
        picture = pixels(tmp_path / "strip.png")
        lowest = picture[-picture.shape[0] // 4 :, : -picture.shape[1] // 5]
        colour = colormaps["turbo"](factor * 0.05 / float(frames.max() - frames.min()), bytes=True)[:3]
        assert share(lowest, np.array(colour, int), tolerance=8) > 0.2
    for factor in (0, -1):
        with pytest.raises(ValueError, match=f"error_factor must be above 0, how much larger errors .* got {factor}"):
            forecast_strip(past, future, prediction, tmp_path / "x.png", error_factor=factor)


def test_a_strip_shows_a_box_again(tmp_path):
    past, future, prediction = sample()
    future[:, :, 2:4, 1:5] = torch.nan
    for zoom in (None, (2, 1, 2, 4), (4, 0, 4, 8)):
        forecast_strip(past, future, prediction, tmp_path / "strip.png", zoom=zoom)
        picture = pixels(tmp_path / "strip.png")
        red = share(picture, (255, 0, 0), tolerance=20)
        if zoom is None:
            plain, height = share(picture, GREY), picture.shape[0]
            assert red == 0
        else:
            assert red > 0
            assert picture.shape[0] > 1.3 * height
            assert (share(picture, GREY) > plain) == (zoom[0] == 2), "a box without a known cell is grey"
            row = picture[int(4.2 / 6 * len(picture)) : int(4.8 / 6 * len(picture)), : -picture.shape[1] // 5]
            coloured = (row.max(axis=-1) - row.min(axis=-1) > 60).mean()
            assert (coloured == 0) == (zoom[0] == 2), "all of it, and nothing else"
    for zoom in ((0, 0, 9, 1), (-1, 0, 2, 2), (0, 0, 0, 1), (0, 7, 1, 2), (0, 0, 1)):
        with pytest.raises(ValueError, match=r"zoom must be \(top, left, height, width\) within frames of 8 x 8, got"):
            forecast_strip(past, future, prediction, tmp_path / "x.png", zoom=zoom)


def test_a_strip_shows_the_channel_asked_for_and_missing_cells_in_grey(tmp_path):
    past, future, prediction = sample(channels=2)
    future[:, 1, :4] = torch.nan
    for channel in (0, 1):
        forecast_strip(past, future, prediction, tmp_path / f"{channel}.png", channel=channel)
    full, gaps = pixels(tmp_path / "0.png"), pixels(tmp_path / "1.png")
    assert share(gaps, GREY) > share(full, GREY) + 0.02


def test_a_strip_is_as_wide_as_the_longer_of_past_and_future(tmp_path):
    for number, lengths in enumerate([(1, 2), (2, 1), (1, 4)]):
        forecast_strip(*sample(*lengths), tmp_path / f"{number}.png")
    widths = [pixels(tmp_path / f"{number}.png").shape[1] for number in range(3)]
    assert widths[0] == widths[1]
    assert widths[2] == pytest.approx(2 * widths[0], abs=2)


def test_units_are_written_beside_the_colours(tmp_path):
    forecast_strip(*sample(), tmp_path / "plain.png")
    forecast_strip(*sample(), tmp_path / "units.png", Scaler(offset=-10.0, scale=95.0, unit="dBZ"))
    assert (pixels(tmp_path / "plain.png") != pixels(tmp_path / "units.png")).any()


@pytest.mark.parametrize("value", [0.0, torch.nan])
def test_frames_of_one_value_or_none_are_drawn(value, tmp_path):
    past, future, prediction = torch.zeros(2, 1, 8, 8), torch.full((2, 1, 8, 8), value), torch.zeros(2, 1, 8, 8)
    forecast_strip(past, future, prediction, tmp_path / "strip.png")
    forecast_gif(past, future, prediction, tmp_path / "film.gif")
    assert (share(pixels(tmp_path / "strip.png"), GREY) > 0.05) == np.isnan(value)
    forecast_gif(future, None, future, tmp_path / "film.gif")
    assert (share(pixels(tmp_path / "film.gif"), GREY) > 0.5) == np.isnan(value), "nothing is known, and it is drawn"


def test_a_film_has_a_picture_per_frame_and_halves_that_agree_while_frames_are_observed(tmp_path):
    past, future, prediction = sample()
    forecast_gif(past, future, prediction, tmp_path / "film.gif", milliseconds=120, side=128)
    frames = list(gif_frames(tmp_path / "film.gif"))
    assert len(frames) == 5
    for number, (frame, duration) in enumerate(frames):
        assert duration == 120
        assert frame.shape == (128, 128 + 4 + 128, 3)
        left, gap, right = frame[64:, :128], frame[:, 129:131], frame[64:, 132:]
        assert share(gap, WHITE, 3) == 1
        assert (abs(left - right).max() < 40) == (number < 3)


def test_a_film_shows_the_truth_on_the_left_with_missing_cells_in_grey(tmp_path):
    past, future, prediction = sample()
    future[0, 0, 4:, :4] = torch.nan
    forecast_gif(past, future, prediction, tmp_path / "film.gif", side=128)
    frames = [frame for frame, _ in gif_frames(tmp_path / "film.gif")]
    corners = [frame[66:126, 2:62] for frame in frames]
    assert [share(corner, GREY, 12) > 0.99 for corner in corners] == [False, False, False, True, False]
    assert share(frames[3][66:126, 134:194], GREY, 12) < 0.5


def test_a_film_enlarges_frames_by_a_whole_number(tmp_path):
    for side, width in ((7, 8), (8, 8), (23, 16), (24, 24)):
        forecast_gif(*sample(), tmp_path / "film.gif", side=side)
        with Image.open(tmp_path / "film.gif") as image:
            assert image.size == (2 * width + 4, width)


RECORDS = [{"step": step, "epoch": 1, "loss": 1 / step} for step in range(1, 30)]
VALIDATION = {"step": 29, "epoch": 1, "model": {"mse@pixel": 0.1}, "persistence": {"mse@pixel": 0.2}}


def test_a_loss_curve_shows_training_and_validation(tmp_path):
    loss_curve(RECORDS, tmp_path / "without.png")
    loss_curve([*RECORDS, VALIDATION], tmp_path / "with.png")
    loss_curve([*RECORDS[:1], {**VALIDATION, "model": {"mse@pixel": None}}], tmp_path / "undefined.png")
    without, both = pixels(tmp_path / "without.png"), pixels(tmp_path / "with.png")
    pixels(tmp_path / "undefined.png")
    middle = without.shape[1] // 2
    blue, orange = (31, 119, 180), (255, 127, 14)
    assert share(without[:, :middle], blue, 5) > 0
    assert share(without[:, middle:], blue, 5) == 0
    assert share(both[:, middle:], blue, 5) > 0
    assert share(both[:, middle:], orange, 5) > 0


def tables():
    lead = [{"mse@pixel": 0.1 * t, "csi@20": 1 / t, "csi@40": float("nan")} for t in (1, 2, 3)]
    pooled = {"mse@pixel": 0.2, "csi@20": 0.5, "csi@40": float("nan")}
    return [Table("model", pooled, lead), Table("persistence", pooled, [{**each, "mse@pixel": 1.0} for each in lead])]


def test_skill_has_a_panel_per_metric_and_a_line_per_forecast(tmp_path):
    skill_by_lead_time(dict(enumerate(tables())).values(), tmp_path / "all.png")  # as `evaluate` returns them
    skill_by_lead_time(tables(), tmp_path / "one.png", metrics=["mse@pixel"], minutes=6.0)
    skill_by_lead_time(tables(), tmp_path / "frames.png", metrics=["mse@pixel"])
    every, one, frames = (pixels(tmp_path / f"{name}.png") for name in ("all", "one", "frames"))
    assert every.shape[1] == pytest.approx(3 * one.shape[1], abs=2)
    assert (one != frames).any()
    for colour in ((31, 119, 180), (255, 127, 14)):
        assert share(one, colour, 5) > 0


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda path: loss_curve([VALIDATION], path), "records must hold at least one with a loss"),
        (
            lambda path: skill_by_lead_time(tables(), path, ["mse"]),
            "metrics must be in every table, got 'mse'; there are",
        ),
        (lambda path: skill_by_lead_time(tables(), path, []), "must not be empty"),
        (lambda path: skill_by_lead_time([], path), "must not be empty"),
        (lambda path: forecast_strip(*sample()[:2], torch.zeros(3, 1, 8, 8), path), r"got \(3, 1, 8, 8\), \(2, 1, 8,"),
        (lambda path: forecast_gif(torch.zeros(3, 8, 8), *sample()[1:], path), r"got \(3, 8, 8\)"),
        (lambda path: forecast_gif(*sample(), path, channel=1), "channel must be from 0 to 0, got 1"),
        (
            lambda path: forecast_strip(sample()[0], *sample(channels=2)[1:], path, channel=1),
            "channel must be from 0 to 0, got 1",
        ),
        (
            lambda path: forecast_strip(*sample(), path, cmap="turbro"),
            "cmap must be a colour map of matplotlib, got 'turbro'; did you mean turbo",
        ),
        (lambda path: forecast_gif(*sample(), path / "x.gif"), "path must be a file that can be written"),
        (lambda path: forecast_strip(*sample(), path / "x.png"), "path must be a file that can be written"),
    ],
)
def test_what_cannot_be_drawn_is_said(draw, message, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ValueError, match=message):
        draw(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_picture_has_the_ending_of_its_kind(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.gif, got .*out\.mp4"):
        forecast_gif(*sample(), tmp_path / "out.mp4")
    with pytest.raises(ValueError, match=r"path must end in \.png, got .*out\.jpg"):
        forecast_strip(*sample(), tmp_path / "out.jpg")
    assert list(tmp_path.iterdir()) == []
