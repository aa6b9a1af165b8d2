"""KTH from zip files and unpacked: frames, ranges, persons; clips that are broken or too short."""

import sys
from io import BytesIO
from zipfile import ZipFile

import av
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stblocks.data import KTH

H, W = 12, 16


def pixels(number, length=8):
    """Grey frames, uint8 `(length, H, W)`."""
    return np.random.default_rng(number).integers(0, 256, (length, H, W), dtype=np.uint8)


def avi(frames, codec="ffv1", form="gray"):
    """A clip as bytes; ffv1 keeps every pixel."""
    file = BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], form
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray").reformat(format=form)))
        container.mux(stream.encode())
    return file.getvalue()


def name(person, action="walking", scene=1):
    return f"person{person:02d}_{action}_d{scene}_uncomp.avi"


@pytest.fixture
def zips(tmp_path):
    for action, persons in (("walking", (1, 16, 17)), ("boxing", (1, 25))):
        with ZipFile(tmp_path / f"{action}.zip", "w") as archive:
            for person in persons:
                archive.writestr(name(person, action), avi(pixels(person + len(action))))
    return tmp_path


def test_persons_and_pixels(zips):
    train, test = (KTH(zips, split, in_frames=3, out_frames=2, size=None) for split in ("train", "test"))
    assert (len(train), len(test), train.frame_shape) == (3 * 4, 2 * 4, (1, H, W))
    for data, order in ((train, (1 + 6, 1 + 7, 16 + 7)), (test, (17 + 7, 25 + 6))):  # by person, then action
        for clip, number in enumerate(order):
            for start in range(4):
                window = torch.cat(data[4 * clip + start])[:, 0] * 255
                np.testing.assert_allclose(window, pixels(number)[start : start + 5], atol=1e-4)
    assert len(KTH(zips / "boxing.zip", in_frames=3, out_frames=2)) == 4
    assert len(KTH(zips, in_frames=3, out_frames=2, stride=3)) == 3 * 2
    assert torch.equal(next(iter(DataLoader(train, 3, num_workers=1))).past[2], train[2].past)


def test_unpacked_at_any_depth_and_resized(tmp_path):
    (tmp_path / "a" / "walking").mkdir(parents=True)
    (tmp_path / "a" / "walking" / name(3)).write_bytes(avi(pixels(0, 31)))
    data = KTH(tmp_path)
    assert (len(data), data.in_frames, data.out_frames, data.frame_shape) == (2, 10, 20, (1, 128, 128))
    assert data[1].future.shape == (20, 1, 128, 128)
    assert 0 <= data[1].past.min() < data[1].past.max() <= 1


def test_clips_that_are_written_anew_are_read_anew(tmp_path):
    for number in (0, 1):
        (tmp_path / name(3)).write_bytes(avi(pixels(number)))
        (data,) = KTH(tmp_path, in_frames=6, out_frames=2, size=None)
        np.testing.assert_allclose(torch.cat(data)[:, 0] * 255, pixels(number), atol=1e-4)


def test_a_codec_as_theirs(tmp_path):
    """DivX is MPEG-4 part 2: most frames are changes to the one before, and grey is 16 to 235."""
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    frames = np.stack([np.broadcast_to(np.roll(ramp, t), (48, 64)) for t in range(12)])
    (tmp_path / name(1)).write_bytes(avi(frames, "mpeg4", "yuv420p"))
    data = KTH(tmp_path, in_frames=6, out_frames=6, size=None)
    assert len(data) == 1
    error = (torch.cat(data[0])[:, 0] * 255 - torch.from_numpy(frames.astype(np.float32))).abs()
    assert error.mean() < 8
    assert error[:, :, 20:45].mean() < 8


def test_ranges_of_the_official_file(zips):
    text = "Sequences\n\nperson01_walking_d1\t\tframes\t1-3, 5-8, \nperson13_handclapping_d3\t*missing*\n"
    text += "person16_walking_d1\t\tframes\t2-9\nperson01_boxing_d1\t\tframes\t1-2, 3-4\n"
    (zips / "00sequences.txt").write_text(text)
    data = KTH(zips, in_frames=2, out_frames=2, size=None)
    starts = [(8, 4), *((23, start) for start in range(1, 5))]  # boxing is too short, and 9 is beyond the end
    assert len(data) == len(starts)
    for sample, (number, start) in zip(data, starts, strict=True):
        np.testing.assert_allclose(torch.cat(sample)[:, 0] * 255, pixels(number)[start : start + 4], atol=1e-4)
    with pytest.raises(ValueError, match=r"00sequences.txt says nothing of person17_walking_d1; fetch it again"):
        KTH(zips, "test", in_frames=2, out_frames=2)


def test_unpacked_clips_come_first(zips):
    (zips / name(1)).write_bytes(avi(pixels(99)))
    window = torch.cat(KTH(zips / "walking.zip", in_frames=4, out_frames=4, size=None)[0])[:, 0] * 255
    np.testing.assert_allclose(window, pixels(8), atol=1e-4)
    window = torch.cat(KTH(zips, in_frames=4, out_frames=4, size=None)[1])[:, 0] * 255
    np.testing.assert_allclose(window, pixels(99), atol=1e-4)


def test_errors(zips, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="split must be 'train', 'validation' or 'test', got 'val'"):
        KTH(zips, "val")
    with pytest.raises(ValueError, match="KTH has no validation part: persons 1 to 16 are for training"):
        KTH(zips, "validation")
    with pytest.raises(ValueError, match=r"out_frames must be an integer >= 1, got 0"):
        KTH(zips, out_frames=0)
    with pytest.raises(ValueError, match=r"All clips are shorter than 30 frames, at most 8; take fewer frames"):
        KTH(zips)
    with pytest.raises(ValueError, match=r"There is no .*kth; name the folder of the zip files or clips"):
        KTH(tmp_path / "kth")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty has no clips for 'test', persons 17 to 25: no files person"):
        KTH(tmp_path / "empty", "test")
    (tmp_path / "empty" / name(1)).write_bytes(b"no clip")
    with pytest.raises(ValueError, match=r"avi cannot be read as clip person01_walking_d1 \(.+\); fetch it again"):
        KTH(tmp_path / "empty")
    (tmp_path / "empty" / "running.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"running.zip cannot be read as a zip file \(.+\); fetch it again"):
        KTH(tmp_path / "empty")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"needs av: pip install 'stblocks\[data\]'"):
        KTH(zips, in_frames=2, out_frames=2)


def test_a_clip_cut_short(tmp_path):
    whole = avi(pixels(0, 60))
    (tmp_path / name(1)).write_bytes(whole[: len(whole) * 3 // 4])
    data = KTH(tmp_path, in_frames=6, out_frames=6)
    with pytest.raises(
        ValueError, match=r"(cannot be read as clip )?person01_walking_d1 (ends after|\().*fetch it again"
    ):
        data[-1]


def test_clips_are_not_larger_than_clips_can_be(tmp_path, monkeypatch):
    with ZipFile(tmp_path / "walking.zip", "w", 8) as archive:
        archive.writestr(name(1), avi(pixels(1)) + bytes(2**26))
    with pytest.raises(ValueError, match=r"walking.zip cannot be read as clip person01_walking_d1 .*more than 64 MiB"):
        KTH(tmp_path, in_frames=2, out_frames=2)
    monkeypatch.setattr("stblocks.data.kth.MOST_BYTES", 8 * H * W - 1)
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / name(1)).write_bytes(avi(np.zeros((8, H, W), np.uint8), "mpeg4", "yuv420p")[: 8 * H * W - 1])
    with pytest.raises(ValueError, match=r"announces \(T, H, W\) = \(8, 12, 16\), more than|cannot be read as clip"):
        KTH(tmp_path / "clip", in_frames=2, out_frames=2)


def test_a_clip_is_an_avi_file_whatever_ffmpeg_would_guess(tmp_path):
    (tmp_path / "whole.avi").write_bytes(avi(pixels(1)))
    (tmp_path / name(1)).write_text("ffconcat version 1.0\nfile whole.avi\n")
    with pytest.raises(ValueError, match=r"cannot be read as clip person01_walking_d1"):
        KTH(tmp_path, in_frames=2, out_frames=2)


@pytest.mark.parametrize("text", ["0-4", "5-2", "1-" + "9" * 5000, "1" * 5000 + "-2"])
def test_ranges_that_are_none(zips, text):
    (zips / "00sequences.txt").write_text(f"person01_walking_d1 frames {text}\n")
    with pytest.raises(ValueError, match=r"00sequences.txt must have ranges of frames from 1 on, such as 1-95, got"):
        KTH(zips, in_frames=2, out_frames=2)
