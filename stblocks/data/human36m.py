"""Human3.6M: people who walk, eat and talk, 4 frames to 4."""

import re
from collections.abc import Iterable
from pathlib import Path

from ..borders.checks import check_positive
from .folders import IMAGES, frame_series
from .scaler import Scaler
from .series import Coded, EveryNth, Series, long_enough
from .split import Split, check_split
from .video_files import open_video
from .windows import SequenceWindows

SUBJECTS = {"train": (1, 5, 6, 7, 8), "test": (9, 11)}
NO_ACTION = "_ALL"  # how the names of recordings begin that each subject has beside those of its actions
SUBJECT = re.compile(r"^S(\d{1,2})(?![0-9A-Za-z])")


class Human36M(SequenceWindows):
    """Actors filmed 50 times a second at 1000 x 1000, RGB in [0, 1]: subjects 1, 5, 6, 7, 8 train, 9 and 11 test.

    Ionescu et al., PAMI 2014; http://vision.imar.ro/human3.6m, after an application. The videos lie as they come,
    `S1/Videos/Directions 1.54138969.mp4`, or as folders of images, `S1/Directions_1.54138969/000001.jpg` or
    `S1_Directions_1_54138969/...`. The subject is told by a name that begins with `S` and a number. Reading needs
    `pip install 'stblocks[data]'`.

    Args:
        root: Folder that holds the subjects.
        split: The part to read.
        actions: Beginnings of the names of videos, such as `("Walking",)`; `None` reads all actions, which leaves out
            the recordings `_ALL`. "Walking" also begins `WalkingDog`: `"Walking "` or `"Walking."` do not.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        step: Frames of the video from one frame to the next; 5 makes 10 a second.
        stride: Such frames from the start of a window to that of the next.
        size: `(H, W)` to resize frames to, bilinear; `None` leaves them, if all are of one size.

    Raises:
        ValueError: If a number is not positive, `actions` is one string, there are no videos for the split, one is
            broken, or all are shorter than a window.
        ImportError: If av or pillow is not installed.
    """

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        *,
        actions: Iterable[str] | None = None,
        in_frames: int = 4,
        out_frames: int = 4,
        step: int = 1,
        stride: int = 1,
        size: tuple[int, int] | None = (256, 256),
    ) -> None:
        check_split(split)
        check_positive(in_frames=in_frames, out_frames=out_frames, step=step)
        if split == "validation":
            raise ValueError(
                "Human3.6M has no validation part: subjects 1, 5 to 8 are for training, 9 and 11 for testing."
            )
        root, scaler = Path(root), Scaler()
        if not root.is_dir():
            raise ValueError(f"There is no folder {root}; name the one that holds S1, S5 and the other subjects.")
        folders = [path for path in sorted(root.iterdir()) if path.is_dir() and _subject(path) in SUBJECTS[split]]
        if isinstance(actions, str):
            raise ValueError(f"actions must be a list of beginnings of names, such as ['Walking'], got {actions!r}.")
        actions = None if actions is None else tuple(actions)
        found = [one for folder in folders for one in _recordings(folder, actions, scaler)]
        if not found:
            wanted = ", ".join(f"S{number}" for number in SUBJECTS[split])
            raise ValueError(
                f"{root} has no videos or folders of images of {wanted}"
                f"{'' if actions is None else f' whose names begin with {actions}'}; name the folder that has them."
            )
        long = long_enough([EveryNth(each, step) for each in found], in_frames + out_frames, "videos")
        super().__init__(long, in_frames, out_frames, stride=stride, size=size, scaler=scaler, seconds=step / 50)


def _subject(folder: Path) -> int | None:
    found = SUBJECT.match(folder.name)
    return int(found[1]) if found else None


def _recordings(folder: Path, actions: tuple[str, ...] | None, scaler: Scaler) -> list[Series]:
    """Of one subject: its videos, or its folders of images."""

    def wanted(name: str) -> bool:
        return not name.startswith(NO_ACTION) if actions is None else name.startswith(actions)

    videos = [file for file in sorted(folder.rglob("*.mp4")) if wanted(file.name)]
    if videos:
        return [Coded(open_video(file), scaler) for file in videos]
    named = sorted({file.parent for file in folder.rglob("[!.]*") if file.suffix.lower() in IMAGES})
    kept = [path for path in named if wanted(_action(path))]
    # each folder by itself: cameras differ in size, and what lies in folders below is found there
    return [one for path in kept for one in frame_series(path, scaler, at_least=1) if one.files[0].parent == path]


def _action(folder: Path) -> str:
    """The name of a folder of images without its subject."""
    return re.sub(r"^S\d{1,2}[_ ]?", "", folder.name)
