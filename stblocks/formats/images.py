"""Frames as images: a folder with a file for each frame, and GIF."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..borders.extras import needing
from ..borders.reading import check_declared, reading
from ..data.folders import frame_series
from ..data.series import Coded
from ..data.times import stamps
from .source import Choice, Source


def open_folder(path: Path, choice: Choice) -> Source:
    """The frames of a folder, in the order of the times in their names, or else in natural order.

    Raises:
        ValueError: If there are none, or they are in several folders, or a file is damaged.
    """
    parts = frame_series(path, choice.scaler, at_least=1, by_time=True)
    folders = {part.files[0].parent for part in parts}
    if len(folders) > 1:
        raise ValueError(
            f"{path} holds frames in {len(folders)} folders; name the one with the sequence, such as {min(folders)}."
        )
    files = tuple(file for part in parts for file in part.files)
    return Source(replace(parts[0], files=files), stamps([file.name for file in files]))


def open_gif(path: Path, choice: Choice) -> Source:
    """The frames of a GIF, in grey, or in colour if three channels are wanted.

    Raises:
        ValueError: If the file is damaged.
        ImportError: If pillow is not installed.
    """
    with needing("data", "Reading GIF"):
        from PIL import Image
    mode = "RGB" if choice.channels == 3 else "L"
    with reading(path, "a GIF"), Image.open(path) as image:
        if image.format != "GIF":
            raise ValueError(f"it is {image.format}")
        count = int(getattr(image, "n_frames", 1))
        size = count * image.width * image.height * len(mode)
        check_declared(path, "its frames", size, path.stat().st_size)
        frames = []
        for number in range(count):
            image.seek(number)
            frames.append(np.asarray(image.convert(mode)))
    pixels = np.stack(frames)
    return Source(Coded(np.moveaxis(pixels, -1, 1) if mode == "RGB" else pixels, choice.scaler))
