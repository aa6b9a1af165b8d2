"""Driving and people: videos, images, splits, and files that are broken."""

import struct
from io import BytesIO

import av
import numpy as np
import pytest
import torch
from PIL import Image

from stblocks.data import Human36M, KittiCaltech, MovingMNIST
from stblocks.data.norpix import open_norpix
from stblocks.data.series import CentreCrop, EveryNth
from stblocks.data.video_files import open_video
from tests.test_data_folders import write


def grey(number, count, height=12, width=20):
    """Frames of one colour each, `(count, H, W, 3)`, far enough apart to be told after lossy coding."""
    values = (number + 8 * np.arange(count)) % 256
    return np.broadcast_to(values[:, None, None, None], (count, height, width, 3)).astype(np.uint8)


def levels(data, index):
    """What the frames of a window are, in codes."""
    return (torch.cat(data[index]).mean(dim=(1, 2, 3)) * 255).round().tolist()


def drive(root, name, number, count, width=20):
    for index, frame in enumerate(grey(number, count, width=width)):
        write(root / name / "image_03" / "data" / f"{index:010d}.png", frame)


def seq(frames, stamp=8, kind=102):
    """A Norpix file as bytes."""
    header = bytearray(1024)
    header[:4] = b"\xed\xfe\x00\x00"
    struct.pack_into("<II", header, 548, frames.shape[2], frames.shape[1])
    struct.pack_into("<I", header, 568, kind)
    content = [bytes(header)]
    for frame in frames:
        file = BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=95)
        content += [struct.pack("<I", len(file.getvalue()) + 4), file.getvalue(), b"\x01" * stamp]
    return b"".join(content)


def test_kitti_trains_and_validates(tmp_path):
    day = tmp_path / "kitti" / "city" / "2011_09_26"
    drive(day, "2011_09_26_drive_0001_sync", 0, 5)
    drive(day, "2011_09_26_drive_0001_extract", 200, 5)  # the same, unrectified
    drive(day, "2011_09_26_drive_0002_sync", 100, 4, width=24)  # recordings of another day are wider
    drive(day, "2011_09_26_drive_0005_sync", 50, 4)
    drive(day, "2011_09_26_drive_0104_sync", 50, 4)
    train, validation = (
        KittiCaltech(tmp_path, split, in_frames=2, out_frames=1, size=(8, 10)) for split in ("train", "validation")
    )
    assert (len(train), len(validation), train.frame_shape) == (3 + 2, 2, (3, 8, 10))
    assert [levels(train, index) for index in (2, 3)] == [[16, 24, 32], [100, 108, 116]]
    assert levels(validation, 0) == [50, 58, 66]
    with pytest.raises(ValueError, match="no sets set06 to set10 of Caltech"):
        KittiCaltech(tmp_path, "test")
    with pytest.raises(ValueError, match="All recordings are shorter than 11 frames, at most 5"):
        KittiCaltech(tmp_path)


@pytest.mark.parametrize("stamp", [8, 16])
def test_caltech_tests_every_third_frame(tmp_path, stamp):
    for name, number in (("set05", 9), ("set06", 20), ("set10", 60)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "V000.seq").write_bytes(seq(grey(number, 7), stamp))
    test = KittiCaltech(tmp_path, "test", in_frames=2, out_frames=1, size=(6, 10))
    assert [levels(test, index) for index in range(len(test))] == [[20, 44, 68], [60, 84, 108]]


def test_caltech_as_images(tmp_path):
    for index, frame in enumerate(grey(10, 9)):
        write(tmp_path / "set07" / "V003" / f"{index}.png", frame)
    test = KittiCaltech(tmp_path, "test", in_frames=1, out_frames=1, size=(6, 10))
    assert [levels(test, index) for index in range(len(test))] == [[10, 34], [34, 58]]


def test_norpix_files_that_are_broken(tmp_path):
    file = tmp_path / "V000.seq"
    whole = seq(grey(0, 3))
    file.write_bytes(whole[:-40])
    assert open_norpix(file).shape == (2, 3, 12, 20)  # the last one is cut short
    for content, message in (
        (whole[:1000], "does not begin as such files do"),
        (b"\x00" * 4 + whole[4:], "does not begin as such files do"),
        (seq(grey(0, 3), kind=100), "of format 100, not JPEG"),
        (whole[:1024], "holds no frame"),
    ):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            open_norpix(file)
    other = bytearray(whole)
    struct.pack_into("<I", other, 548, 30)
    file.write_bytes(other)
    with pytest.raises(ValueError, match="a frame is 12 x 20, not as its header says"):
        open_norpix(file)[0:1]
    struct.pack_into("<II", other, 548, 2**20, 2**20)
    file.write_bytes(other)
    with pytest.raises(ValueError, match="declares"):
        open_norpix(file)


def test_crops_around_the_centre_and_every_nth():
    frames = np.arange(7 * 3 * 6 * 10).reshape(7, 3, 6, 10)
    for size, rows, columns in (((4, 4), slice(0, 6), slice(2, 8)), ((2, 10), slice(2, 4), slice(0, 10))):
        crop = CentreCrop(frames, size)
        assert crop.shape == (7, *frames[0][:, rows, columns].shape)
        np.testing.assert_array_equal(crop[1:4], frames[1:4, :, rows, columns])
    for step in (1, 2, 3, 8):
        assert EveryNth(frames, step).shape[0] == len(frames[::step])
        np.testing.assert_array_equal(EveryNth(frames, step)[0:2], frames[::step][0:2])
        np.testing.assert_array_equal(EveryNth(frames, step)[1:3], frames[::step][1:3])


def video(path, frames, b_frames=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=50)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 5, b_frames
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize("b_frames", [0, 2])
def test_every_start_in_a_video_is_reached(tmp_path, b_frames):
    """With B-frames, the key frame that a seek finds may be shown after the frame that is wanted."""
    video(tmp_path / "a.mp4", grey(16, 24, 32, 48), b_frames)
    clip = open_video(tmp_path / "a.mp4")
    whole = clip[0:24]
    np.testing.assert_allclose(whole.mean(axis=(1, 2, 3)), 16 + 8 * np.arange(24), atol=6)
    for first in range(23):
        np.testing.assert_array_equal(clip[first : first + 2], whole[first : first + 2])


def test_frames_of_a_video_by_their_number(tmp_path):
    video(tmp_path / "a.mp4", grey(16, 24, 32, 48))
    clip = open_video(tmp_path / "a.mp4")
    assert clip.shape == (24, 3, 32, 48)
    for part in (slice(0, 24), slice(7, 9), slice(3, 24, 5), slice(22, 30)):
        np.testing.assert_allclose(clip[part].mean(axis=(1, 2, 3)), (16 + 8 * np.arange(24))[part], atol=3)


def test_human36m_subjects_and_actions(tmp_path):
    recordings = (1, "Walking 1.54138969", 20), (1, "WalkingDog.54138969", 40), (1, "_ALL 1.1", 80), (9, "Eating.1", 60)
    for subject, action, number in recordings:
        video(tmp_path / f"S{subject}" / "Videos" / f"{action}.mp4", grey(number, 10, 32, 48))
    every = Human36M(tmp_path, size=(8, 8), in_frames=2, out_frames=1, step=3)
    assert (len(every), every.frame_shape) == (2 * 2, (3, 8, 8))
    np.testing.assert_allclose(levels(every, 1), [44, 68, 92], atol=5)  # the next number is 8 away
    assert len(Human36M(tmp_path, actions=("Walking ",), size=None)) == 3
    assert len(Human36M(tmp_path, actions=("_ALL", "Walking "), size=None)) == 2 * 3
    assert len(Human36M(tmp_path, "test", size=None)) == 3
    with pytest.raises(ValueError, match=r"no videos or folders of images of S1, S5, .* begin with \('Posing',\)"):
        Human36M(tmp_path, actions=("Posing",))
    with pytest.raises(ValueError, match="All videos are shorter than 20 frames, at most 10"):
        Human36M(tmp_path, in_frames=10, out_frames=10)
    (tmp_path / "S9" / "Videos" / "Eating.1.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match="cannot be read as a video"):
        Human36M(tmp_path, "test")


def test_human36m_as_images(tmp_path):
    for folder, number in (("S5_Posing_1_54138969", 5), ("S11_Posing_1_54138969", 90)):
        for index, frame in enumerate(grey(number, 3)):
            write(tmp_path / folder / f"{index:06d}.png", frame)
    train = Human36M(tmp_path, actions=("Posing",), in_frames=1, out_frames=1, size=None)
    assert [levels(train, index) for index in range(len(train))] == [[5, 13], [13, 21]]
    with pytest.raises(ValueError, match="no validation part"):
        Human36M(tmp_path, "validation")
    with pytest.raises(ValueError, match=r"actions must be a list of beginnings of names, such as .*, got 'Posing'"):
        Human36M(tmp_path, actions="Posing")


def test_human36m_reads_each_folder_of_images_once(tmp_path):
    for folder, number, width in (
        ("S9", 5, 20),
        ("S9/Posing_1", 90, 20),
        ("S11/Posing_1/above", 40, 24),
        ("S11/_ALL_1", 9, 24),
    ):
        for index, frame in enumerate(grey(number, 3, width=width)):
            write(tmp_path / folder / f"{index:06d}.png", frame)
    for folder in ("S9", "S11", "S11/Posing_1"):
        (tmp_path / folder / ".DS_Store").write_bytes(b"of a file browser")
        (tmp_path / folder / "about.txt").write_text("no frame")
    test = Human36M(tmp_path, "test", in_frames=1, out_frames=2, size=(8, 8))
    assert sorted(levels(test, index) for index in range(len(test))) == [[5, 13, 21], [40, 48, 56], [90, 98, 106]]
    chosen = Human36M(tmp_path, "test", actions=["Posing"], in_frames=1, out_frames=2, size=(8, 8))
    assert [levels(chosen, index) for index in range(len(chosen))] == [[90, 98, 106]]


def test_fashion_moves_as_digits_do(tmp_path):
    from tests.test_data_glyphs import write_mnist

    write_mnist(tmp_path)
    (tmp_path / "MNIST").rename(tmp_path / "FashionMNIST")
    fashion = MovingMNIST(3, 2, 2, glyphs=tmp_path, size=(20, 20))
    write_mnist(tmp_path)
    with pytest.raises(ValueError, match="both MNIST and FashionMNIST"):
        MovingMNIST(3, 2, 2, glyphs=tmp_path, size=(20, 20))
    (tmp_path / "FashionMNIST").rename(tmp_path / "elsewhere")
    digits = MovingMNIST(3, 2, 2, glyphs=tmp_path, size=(20, 20))
    assert torch.equal(fashion[1].past, digits[1].past)  # the same glyphs, in the other's folder
