"""Driving in KITTI to train on, and in Caltech's pedestrian data set to test on: 10 frames to 1."""

import re
from pathlib import Path

from ..borders.checks import check_positive
from .folders import frame_series
from .norpix import open_norpix
from .scaler import Scaler
from .series import CentreCrop, Coded, EveryNth, Series, long_enough
from .split import Split, check_split
from .windows import SequenceWindows, check_size

DRIVE = re.compile(r"\d{4}_\d\d_\d\d_drive_\d{4}")
VALIDATION = ("2011_09_26_drive_0005",)
NEITHER = ("2011_09_26_drive_0104", "2011_09_26_drive_0079", "2011_09_26_drive_0070")
TEST_SETS = tuple(f"set{number:02d}" for number in range(6, 11))
CALTECH_STEP = 3  # of its 30 frames a second, to have the 10 of KITTI


class KittiCaltech(SequenceWindows):
    """Frames of car-mounted cameras, 10 a second, RGB in [0, 1]: train on KITTI, test on Caltech pedestrian.

    Lotter et al., ICLR 2017, Sec. 3.2. KITTI's raw recordings (https://www.cvlibs.net/datasets/kitti/raw_data.php, of
    the categories city, residential and road) are unpacked as they come: `2011_09_26_drive_0001_sync/image_03/data/
    0000000000.png`. That paper's validation recording, drive 0005, is for validation, and the three that it tested on
    are left out. Of Caltech's sets (https://data.caltech.edu/records/f6rph-90m20), 06 to 10 are for testing, every
    third frame: files `set06/V000.seq`, or folders `set06/V000` of images. Frames are cut around their centre to the
    shape of `size`, then resized. Reading images needs `pip install 'stblocks[data]'`.

    Args:
        root: Folder that holds the recordings of KITTI and the sets of Caltech at any depth; one of them will do.
        split: The part to read.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        stride: Frames from the start of a window to that of the next.
        size: `(H, W)` of the frames.

    Raises:
        ValueError: If there are no recordings for the split, one is broken, or all are shorter than a window.
        ImportError: If pillow is not installed.
    """

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        *,
        in_frames: int = 10,
        out_frames: int = 1,
        stride: int = 1,
        size: tuple[int, int] = (128, 160),
    ) -> None:
        check_split(split)
        check_size(size)
        check_positive(in_frames=in_frames, out_frames=out_frames)
        root, scaler = Path(root), Scaler()
        if not root.is_dir():
            raise ValueError(f"There is no folder {root}; name the one that holds KITTI and Caltech.")
        found = _caltech(root, scaler) if split == "test" else _kitti(root, split, scaler)
        if not found:
            where = "sets set06 to set10 of Caltech" if split == "test" else "recordings ..._drive_...._sync of KITTI"
            raise ValueError(f"{root} has no {where} for '{split}'; name the folder that has them.")
        long = long_enough(found, in_frames + out_frames, "recordings")
        cut = [CentreCrop(series, size) for series in long]
        super().__init__(cut, in_frames, out_frames, stride=stride, size=size, scaler=scaler, seconds=0.1)


def _kitti(root: Path, split: Split, scaler: Scaler) -> list[Series]:
    folders = dict[str, Path]()
    for folder in sorted(root.rglob("image_03")):
        drive = DRIVE.search(folder.parent.name)
        if drive is None or drive[0] in NEITHER or (drive[0] in VALIDATION) != (split == "validation"):
            continue
        folders[drive[0]] = folder  # once each: `..._sync` comes after `..._extract`, the same drive unrectified
    return [series for folder in folders.values() for series in frame_series(folder, scaler, at_least=1)]


def _caltech(root: Path, scaler: Scaler) -> list[Series]:
    series: list[Series] = []
    for folder in sorted(path for name in TEST_SETS for path in root.rglob(name) if path.is_dir()):
        recordings: list[Series] = [Coded(open_norpix(file), scaler) for file in sorted(folder.rglob("*.seq"))]
        series += [EveryNth(one, CALTECH_STEP) for one in recordings or frame_series(folder, scaler, at_least=1)]
    return series
