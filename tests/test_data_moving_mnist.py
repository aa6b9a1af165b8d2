"""Moving MNIST: digits keep speed and ink, turn at borders, and are those of the split; the test file is read whole."""

import re

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stblocks.data import MovingMNIST, Scaler, moving_mnist_test

DOT = np.full((1, 1, 1), 255, np.uint8)


def video(data, index):
    """All frames of a sample, `(T, H, W)`."""
    return torch.cat(data[index])[:, 0]


def codes(count, first=1):
    """Glyphs `(count, 2, 3)`, each of one code, from `first` on."""
    return np.tile(np.arange(first, first + count, dtype=np.uint8)[:, None, None], (1, 2, 3))


def seen(data):
    """The codes of all glyphs that move in it."""
    values = torch.stack([torch.cat(sample) for sample in data]).mul(255).round().int().unique().tolist()
    return set(values) - {0}


def test_shapes_and_units():
    data = MovingMNIST(3, 2, 4, size=(40, 30))
    assert (len(data), data.in_frames, data.out_frames, data.frame_shape) == (3, 2, 4, (1, 40, 30))
    assert data.scaler == Scaler(unit="")
    assert [*MovingMNIST(1)[0].past.shape] == [10, 1, 64, 64]
    past, future = data[2]
    assert (past.shape, future.shape) == ((2, 1, 40, 30), (4, 1, 40, 30))
    assert past.dtype == future.dtype == torch.float32
    assert past.min() == 0
    assert 0.9 < past.max() <= 1


def test_a_sample_is_drawn_from_seed_split_and_index_alone():
    data = MovingMNIST(4, glyphs=codes(9))
    for other in (MovingMNIST(4, glyphs=codes(9)), MovingMNIST(2, 3, 17, glyphs=codes(9))):
        assert torch.equal(video(data, 1), video(other, 1))
    for other in (MovingMNIST(4, glyphs=codes(9), seed=1), MovingMNIST(4, glyphs=codes(9), split="test")):
        assert not any(torch.equal(video(data, i), video(other, j)) for i in range(4) for j in range(4))
    assert not torch.equal(video(data, 0), video(data, 1))


def test_a_worker_makes_the_same_samples():
    data = MovingMNIST(4, 1, 1)
    for here, there in zip(DataLoader(data, 2), DataLoader(data, 2, num_workers=1), strict=True):
        assert torch.equal(here.past, there.past)


@pytest.mark.parametrize("size", [(301, 301), (151, 401)])
def test_a_dot_keeps_its_speed_and_turns_at_the_border(size):
    """Pixels round places down, so steps are known to a pixel, and speeds to the 0.1 % to 0.7 % of a range it is."""
    data = MovingMNIST(4, 20, 20, glyphs=DOT, digits=1, size=size)
    headings = []
    for index in range(len(data)):
        frame, *places = video(data, index).nonzero().numpy().T
        assert frame.tolist() == list(range(40))  # one dot a frame, never outside
        velocity = []
        for place, end in zip(places, np.array(size) - 1, strict=True):
            step = np.diff(place)
            speed = np.abs(step).max()
            border = np.isin(place, (0, end))
            assert (speed - np.abs(step[~border[1:]]) <= 1).all()  # only the border cuts a step short
            assert border[1:-1][step[1:] * step[:-1] < 0].all()  # it turns nowhere else
            assert not (border[2:] & border[1:-1] & border[:-2]).any()  # and does not stay
            velocity.append(speed / end)
        assert np.hypot(*velocity) == pytest.approx(0.1, abs=0.007)
        headings.append(np.arctan2(*velocity))
    assert np.ptp(headings) > 0.3


def test_directions_and_starts_are_uniform():
    data = MovingMNIST(300, 1, 1, glyphs=DOT, digits=1, size=(101, 101))
    first, second = (np.array([sample[part].nonzero()[0, 2:].tolist() for sample in data]) for part in (0, 1))
    assert np.abs(first.mean(0) - 50).max() < 6
    assert np.abs(first.std(0) - 100 / 12**0.5).max() < 5
    quadrants = np.unique((second > first).astype(int) @ [1, 2], return_counts=True)[1]
    assert quadrants.min() > 45  # of 75


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_ink_is_kept_and_overlaps_show_the_brighter(digits):
    glyphs = np.zeros((digits, 4, 4), np.uint8)
    glyphs[:, 1:3] = 50 * np.arange(1, digits + 1)[:, None, None]
    wide = MovingMNIST(20, 2, 2, glyphs=glyphs, digits=digits, size=(60, 90))
    ink = torch.stack([video(wide, i) for i in range(20)]).mul(255).round().sum((2, 3))
    assert ink.max() == glyphs.sum()  # digits apart
    assert (ink == glyphs.sum()).float().mean() > 0.8
    tight = MovingMNIST(1, 2, 2, glyphs=glyphs, digits=digits, size=(4, 4))
    assert video(tight, 0).mul(255).round().eq(torch.from_numpy(glyphs.max(0))).all()


def test_the_glyphs_of_a_sample_differ():
    assert all(len(seen([sample])) == 2 for sample in MovingMNIST(20, 1, 1, glyphs=codes(2), size=(40, 40)))
    assert seen(MovingMNIST(40, 1, 1, glyphs=codes(5))) == {1, 2, 3, 4, 5}


def test_the_glyphs_are_those_of_the_split(tmp_path):
    np.savez(tmp_path / "digits.npz", images=codes(9), train_index=np.arange(6), test_index=np.arange(6, 9))
    assert seen(MovingMNIST(40, 1, 1, glyphs=tmp_path / "digits.npz")) == {1, 2, 3, 4, 5}
    assert seen(MovingMNIST(40, 1, 1, glyphs=tmp_path / "digits.npz", split="test")) == {7, 8, 9}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "length must be an integer >= 1, got 0"),
        ({"in_frames": 0}, "in_frames must be an integer >= 1, got 0"),
        ({"out_frames": 0}, "out_frames must be an integer >= 1, got 0"),
        ({"digits": 0}, "digits must be an integer >= 1, got 0"),
        ({"digits": 4}, "digits must be at most 3, the number of glyphs to train with, got 4; take fewer"),
        ({"seed": -1}, "seed must not be negative, got -1"),
        ({"split": "val"}, "split must be 'train', 'validation' or 'test', got 'val'"),
        ({"size": (1, 9)}, r"size must be at least \(H, W\) = \(2, 3\), that of a glyph, got \(1, 9\)"),
        ({"size": (9, 2)}, r"size must be at least .* got \(9, 2\)"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        MovingMNIST(**{"length": 2, "glyphs": codes(3), **options})


def test_the_test_file(tmp_path):
    file = tmp_path / "MovingMNIST" / "mnist_test_seq.npy"
    with pytest.raises(ValueError, match=r"There is no .*mnist_test_seq.npy; pass download=True"):
        moving_mnist_test(tmp_path)
    file.parent.mkdir()
    stored = np.random.default_rng(0).integers(0, 256, (20, 3, 64, 64), dtype=np.uint8)
    np.save(file, stored)
    data = moving_mnist_test(tmp_path)
    assert (len(data), data.in_frames, data.out_frames, data.frame_shape) == (3, 10, 10, (1, 64, 64))
    for index in range(3):
        np.testing.assert_array_equal(video(data, index), stored[:, index].astype(np.float32) / 255)
    short = moving_mnist_test(str(tmp_path), 4, 3, download=True)  # it is there
    assert len(short) == 3
    assert torch.equal(video(short, 2), video(data, 2)[:7])
    with pytest.raises(ValueError, match="20 frames, fewer than in_frames \\+ out_frames = 21"):
        moving_mnist_test(tmp_path, 10, 11)
    for other, shape in ((stored[:10], "uint8 (10, 3, 64, 64)"), (stored / 255, "float64 (20, 3, 64, 64)")):
        np.save(file, other)
        with pytest.raises(
            ValueError, match=re.escape(f"must hold uint8 (20, N, H, W), got {shape}; remove it and pass")
        ):
            moving_mnist_test(tmp_path)
    for content in (file.read_bytes()[:-9], b""):
        file.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"mnist_test_seq.npy cannot be read as an .npy file \(.+\); remove it and pass download"
        ):
            moving_mnist_test(tmp_path)
