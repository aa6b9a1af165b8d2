"""Shanghai2020 and other folders of frames: order, kinds of files, and files that are not as they should be."""

import sys
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from PIL import Image

from stblocks.data import FrameFolders, Scaler, Shanghai2020

DBZ = Scaler(offset=-10.0, scale=95.0, unit="dBZ")


def write(path, pixels):
    """A frame as `.npy` or image, by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, pixels) if path.suffix == ".npy" else Image.fromarray(pixels).save(path)


def flat(value, dtype=np.uint8, shape=(3, 4)):
    """A frame of one value."""
    return np.full(shape, value, dtype)


def values(data):
    """The value of each frame of each sample, in codes."""
    return [torch.cat(sample).mul(255).round().int().amax((1, 2, 3)).tolist() for sample in data]


@pytest.mark.parametrize("suffix", ["png", "npy", "bmp", "TIF"])
def test_frames_and_folders_are_in_natural_order(tmp_path, suffix):
    for folder, first in (("rain_10/radar", 40), ("rain_9", 20)):
        for number in (11, 2, 1, 10):
            write(tmp_path / folder / f"img_{number}.{suffix}", flat(first + number))
    (tmp_path / "rain_9" / "notes.txt").write_text("not a frame")
    (tmp_path / "rain_9" / f".img_3.{suffix}").write_text("not one either")
    data = FrameFolders(tmp_path, 1, 2)
    assert data.frame_shape == (1, 3, 4)
    assert values(data) == [[21, 22, 30], [22, 30, 31], [41, 42, 50], [42, 50, 51]]
    assert values(FrameFolders(tmp_path / "rain_10", 1, 2, stride=2)) == [[41, 42, 50]]


def test_links_to_folders_are_followed_once_and_hidden_folders_are_not_read(tmp_path):
    root = tmp_path / "root"
    for folder, value in (("root/a", 1), ("root/a/.ipynb_checkpoints", 2), ("root/.cache/b", 3), ("elsewhere/c", 4)):
        for number in range(3):
            write(tmp_path / folder / f"{number}.npy", flat(value))
    (root / "d").symlink_to(tmp_path / "elsewhere")
    (root / "loop").symlink_to(root)
    (root / "a" / "loop").symlink_to(root / "a")
    assert values(FrameFolders(root, 1, 2)) == [[1, 1, 1], [4, 4, 4]]
    assert values(FrameFolders(root / ".cache", 1, 2)) == [[3, 3, 3]]


def test_digits_that_are_no_decimals_are_letters(tmp_path):
    for name in ("1²2", "1²10"):
        write(tmp_path / f"{name}.npy", flat(int(name[2:])))
    assert values(FrameFolders(tmp_path, 1, 1)) == [[2, 10]]


@pytest.mark.parametrize(
    ("name", "pixels", "model"),
    [
        ("grey.png", flat(51), 0.2),
        ("deep.png", flat(13107, np.uint16), 0.2),
        ("grey.npy", flat(51), 0.2),
        ("deep.npy", flat(13107, np.uint16), 0.2),
        ("dbz.npy", flat(9.0, np.float64), 0.2),
        ("dbz.tif", flat(9.0, np.float32), 0.2),
        ("channels.npy", np.stack([flat(v) for v in (0, 51, 255)]), [0, 0.2, 1]),
        ("colour.png", np.stack([flat(v) for v in (0, 51, 255)], -1), [0, 0.2, 1]),
    ],
)
def test_kinds_of_files(tmp_path, name, pixels, model):
    for number in (1, 2):
        write(tmp_path / f"{number}_{name}", pixels)
    data = FrameFolders(tmp_path, 1, 1, scaler=DBZ)
    channels = np.size(model)
    assert data.frame_shape == (channels, 3, 4)
    expected = torch.tensor(model, dtype=torch.float32).reshape(1, channels, 1, 1).expand(1, channels, 3, 4)
    torch.testing.assert_close(data[0], (expected, expected), check_dtype=True)


def test_hourly_images_in_a_folder_for_each_typhoon(tmp_path):
    for typhoon, first in (("201520", 100), ("201513", 0)):
        for hour in range(13):
            write(tmp_path / typhoon / f"2015-09-21-{hour:02}.png", flat(first + hour))
    data = FrameFolders(tmp_path, 8, 4)
    assert (data.in_frames, data.out_frames, data.frame_shape) == (8, 4, (1, 3, 4))
    assert values(data) == [list(range(first, first + 12)) for first in (0, 1, 100, 101)]


def test_options_are_those_of_windows(tmp_path):
    for number in range(3):
        write(tmp_path / f"{number}.npy", flat(np.nan if number == 1 else 9.0, np.float32))
    data = FrameFolders(tmp_path, 1, 1, size=(6, 2), scaler=DBZ, missing="mask")
    assert data[0].future.isnan().all()
    assert data[0].future.shape == (1, 1, 6, 2)
    assert data[1].past.eq(0).all()
    with pytest.raises(ValueError, match=r"Window 1 \(series 0, frames 1 to 2\) has 12 values that are NaN"):
        FrameFolders(tmp_path, 1, 1)[1]


def broken(path):
    """An image cut short."""
    write(path, np.random.default_rng(0).integers(0, 255, (30, 40), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-200])


BROKEN = {
    "cut.png": broken,
    "cut.jpg": broken,
    "cut.npy": broken,
    "text.png": lambda path: path.write_text("no image"),
    "empty.png": lambda path: path.touch(),
    "empty.npy": lambda path: path.touch(),
    "pickle.npy": lambda path: np.save(path, np.array([None])),
    "alpha.png": lambda path: Image.new("RGBA", (4, 3)).save(path),
    "palette.png": lambda path: Image.new("P", (4, 3)).save(path),
    "wide.tif": lambda path: Image.fromarray(flat(70000, np.int32)).save(path),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_cannot_be_read_are_named(tmp_path, name):
    for number in range(3):
        write(tmp_path / f"{number}.png", flat(0))
    BROKEN[name](tmp_path / name)
    data = FrameFolders(tmp_path, 1, 1)
    with pytest.raises(
        ValueError, match=rf"{name} cannot be read as (a frame|an .npy file) \(.+\); fetch (or write )?it again"
    ):
        data[2]


def test_frames_of_another_shape_or_type_are_named(tmp_path):
    write(tmp_path / "1.npy", flat(0))
    write(tmp_path / "2.npy", flat(0, shape=(3, 5)))
    write(tmp_path / "3.npy", flat(0, np.int64))
    data = FrameFolders(tmp_path, 1, 1)
    with pytest.raises(
        ValueError, match=r"2.npy has shape .* \(1, 3, 5\), the first frame of the data set \(1, 3, 4\)"
    ):
        data[0]
    (tmp_path / "2.npy").unlink()
    with pytest.raises(ValueError, match="uint8 or uint16 codes, or floats in physical units, got int64"):
        FrameFolders(tmp_path, 1, 1)[0]


def test_folders_that_do_not_do(tmp_path):
    with pytest.raises(ValueError, match=r"There is no folder .*nowhere; name the one"):
        FrameFolders(tmp_path / "nowhere", 1, 1)
    with pytest.raises(ValueError, match=r"holds no frames \(.png, .*or .npy files\)"):
        FrameFolders(tmp_path, 1, 1)
    for name, count in (("long", 3), ("short", 2)):
        for number in range(count):
            write(tmp_path / name / f"{number}.png", flat(0))
    with pytest.raises(ValueError, match=r"short has 2 frames, fewer than the 3 of a window"):
        FrameFolders(tmp_path, 1, 2)


def test_images_need_pillow_and_arrays_do_not(tmp_path, monkeypatch):
    for number in range(2):
        write(tmp_path / "images" / f"{number}.png", flat(0))
        write(tmp_path / "arrays" / f"{number}.npy", flat(0))
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert len(FrameFolders(tmp_path / "arrays", 1, 1)) == 1
    with pytest.raises(ImportError, match=r"needs pillow: pip install 'stblocks\[data\]'"):
        FrameFolders(tmp_path / "images", 1, 1)


@pytest.fixture
def shanghai(tmp_path):
    for part, first, samples in (("train", 0, 2), ("test", 100, 1)):
        for sample in range(samples):
            for number in range(20):
                path = tmp_path / "Shanghai-2020" / part / f"sample_{sample}" / f"{number + 1}.png"
                write(path, flat(first + 50 * sample + number, shape=(8, 8)))
    return tmp_path / "Shanghai-2020"


def test_shanghai(shanghai):
    data = Shanghai2020(shanghai, size=(4, 4))
    assert (data.in_frames, data.out_frames, data.frame_shape) == (10, 10, (1, 4, 4))
    assert values(data) == [list(range(20)), list(range(50, 70))]
    assert values(Shanghai2020(shanghai, "test", size=None)) == [list(range(100, 120))]
    assert Shanghai2020(shanghai).frame_shape == (1, 64, 64)
    assert data.scaler.to_physical(1.0) == 70
    assert data.scaler.unit == "dBZ"


def test_shanghai_errors(shanghai):
    with pytest.raises(ValueError, match=r"has no validation part: no file or folder is called 'validation...'"):
        Shanghai2020(shanghai, "validation")
    with pytest.raises(ValueError, match="split must be 'train', 'validation' or 'test', got 'valid'"):
        Shanghai2020(shanghai, "valid")
    with pytest.raises(ValueError, match=r"There is no .*nowhere; name the file or folder"):
        Shanghai2020(shanghai / "nowhere")
    write(shanghai / "train" / "sample_1" / "21.png", flat(0, shape=(8, 8)))
    with pytest.raises(ValueError, match="sample_1 must hold the 20 frames of one sample, got 21"):
        Shanghai2020(shanghai)
    for number in (20, 21):
        (shanghai / "train" / "sample_1" / f"{number}.png").unlink()
    with pytest.raises(ValueError, match="sample_1 has 19 frames, fewer than the 20"):
        Shanghai2020(shanghai)


FORMS = [
    "%Y%m%d%H%M.npy",
    "rain_%Y%m%d%H%M00.npy",
    "%Y-%m-%d %H_%M.npy",
    "%Y.%m.%dT%H:%M:00_mosaic.npy",
    "B_%Y%m%d_%H%M_1.npy",
]


def by_time(folder, minutes, form="%Y%m%d%H%M.npy"):
    """A frame for each time, of the number of its place in the order of time."""
    start = datetime(2019, 6, 30, 23, 0)
    for number, minute in enumerate(minutes):
        write(folder / (start + timedelta(minutes=minute)).strftime(form), flat(number))


@pytest.mark.parametrize("form", FORMS)
def test_windows_do_not_reach_over_holes(tmp_path, form):
    by_time(tmp_path / "june", [0, 5, 10, 15, 60, 65, 70, 80], form)  # the last comes ten minutes late
    by_time(tmp_path / "may", [0, 5, 10], form)
    assert values(FrameFolders(tmp_path, 2, 1)) == [[0, 1, 2], [1, 2, 3], [4, 5, 6], [0, 1, 2]]
    with pytest.raises(ValueError, match=r"may has 3 frames, fewer than the 4 of a window"):
        FrameFolders(tmp_path, 3, 1)
    with pytest.raises(ValueError, match=r"june has no 5 frames without a hole, at most 4: .* leave one before .*2019"):
        FrameFolders(tmp_path / "june", 4, 1)


def test_small_delays_are_no_holes_and_days_and_months_have_ends(tmp_path):
    by_time(tmp_path / "late", [0, 5, 11, 15, 21, 25])
    by_time(tmp_path / "daily", [1440 * day for day in (0, 31, 62, 92)], "%Y-%m-%d.npy")  # the first of each month
    assert values(FrameFolders(tmp_path, 3, 1)) == [[0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]


@pytest.mark.parametrize(
    "names",
    [
        ["20190630_1", "20190630_2", "20190630_9"],  # one day
        ["00000001", "00000002", "00000009"],
        ["20190230", "20190231", "20190601"],  # no dates
        ["20190601", "20190602", "last"],
        ["2019060100", "20190602", "20190901"],  # times and none
    ],
)
def test_numbers_that_are_no_times(tmp_path, names):
    for number, name in enumerate(names):
        write(tmp_path / f"{name}.npy", flat(number))
    assert len(FrameFolders(tmp_path, 2, 1)) == 1
