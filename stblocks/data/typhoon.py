"""Typhoon: cloud images of typhoons, an hour apart, 8 frames to 4."""

from pathlib import Path

from .folders import frame_series
from .numpy_files import open_npy
from .scaler import Scaler
from .series import Coded, Series
from .split import Split, check_split
from .windows import SequenceWindows

IN_FRAMES, OUT_FRAMES = 8, 4


class Typhoon(SequenceWindows):
    """Sequences of 12 hourly images of typhoons, the first 8 to forecast the last 4; CMS-LSTM paper, Sec. 3.2.

    The images are those of geostationary satellites that CEReS, Chiba University, gives out
    (http://www.cr.chiba-u.jp/databases/GEO/4_9/FD/index.html). Which of them the paper cut into sequences is not
    published; it has 1809 to train on and 603 to test on, at 64 x 64. Here the first three quarters of your sequences
    are for training, in their order, and the last quarter is for testing: of 2412, these numbers.

    Args:
        path: An `.npy` file `(N, 12, H, W)`, or a folder with a folder for each sequence, a PNG or `.npy` file a frame.
        split: The part to read: `"train"` or `"test"`.
        size: `(H, W)` to resize frames to, bilinear; `None` leaves them.
        scaler: What pixels stand for. By default the range of 8- or 16-bit codes is [0, 1], as in the paper.

    Raises:
        ValueError: If there are no such files, a sequence has not 12 frames, or there are fewer than two sequences.
    """

    def __init__(
        self,
        path: str | Path,
        split: Split = "train",
        *,
        size: tuple[int, int] | None = (64, 64),
        scaler: Scaler = Scaler(),  # noqa: B008  (frozen)
    ) -> None:
        check_split(split)
        if split == "validation":
            raise ValueError("Typhoon has no validation part: 'train' is the first three quarters, 'test' the rest.")
        series = _sequences(Path(path), scaler)
        border = round(0.75 * len(series))
        part = series[border:] if split == "test" else series[:border]
        if not part:
            raise ValueError(f"{path} has {len(series)} sequences, too few for a part to train and one to test on.")
        stride = IN_FRAMES + OUT_FRAMES
        super().__init__(part, IN_FRAMES, OUT_FRAMES, stride=stride, size=size, scaler=scaler, seconds=3600.0)


def _sequences(path: Path, scaler: Scaler) -> list[Series]:
    frames = IN_FRAMES + OUT_FRAMES
    if path.suffix == ".npy":
        stored = open_npy(path)
        if stored.ndim != 4 or stored.shape[1] != frames:
            raise ValueError(f"{path} must hold sequences (N, {frames}, H, W), got {stored.shape}; write it again.")
        return [Coded(sequence, scaler) for sequence in stored.map()]
    folders = frame_series(path, scaler, at_least=frames)
    for folder in folders:
        if folder.shape[0] != frames:
            raise ValueError(
                f"{folder.files[0].parent} must hold the {frames} frames of one sequence, got {folder.shape[0]}; "
                f"read longer ones with FrameFolders(root, {IN_FRAMES}, {OUT_FRAMES})."
            )
    return list(folders)
