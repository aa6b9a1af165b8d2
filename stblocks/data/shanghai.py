"""Shanghai2020: radar echoes over the Yangtze delta, 10 frames to 10."""

from pathlib import Path

from .folders import frame_series
from .scaler import Scaler
from .split import Split, find_part
from .windows import SequenceWindows

FRAMES = 20


class Shanghai2020(SequenceWindows):
    """Shanghai-2020: samples of 20 radar frames, the first 10, every 6 min, to forecast the last 10, every 12 min.

    Leiming Ma et al., doi:10.5281/zenodo.7251972, in folders of PNG or `.npy` frames: `train/<sample>/<frame>.png` and
    likewise `test/`, or `val/`. GMG paper, Sec. IV-A: 9,000 samples to train on, 1,000 to validate on, at 64 x 64.

    Args:
        root: The data set's folder.
        split: The part to read.
        size: `(H, W)` to resize frames to, bilinear; `None` leaves them.
        scaler: What pixels stand for: by default 0 to 255 are 0 to 70 dBZ, so the model's [0, 1] is 0 to 70 dBZ.

    Raises:
        ValueError: If the part or a frame is missing, or a file cannot be read.
    """

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        *,
        size: tuple[int, int] | None = (64, 64),
        scaler: Scaler = Scaler(offset=0.0, scale=70.0, unit="dBZ"),  # noqa: B008  (frozen)
    ) -> None:
        series = [one for part in find_part(Path(root), split) for one in frame_series(part, scaler, at_least=FRAMES)]
        for one in series:
            if one.shape[0] != FRAMES:
                raise ValueError(
                    f"{one.files[0].parent} must hold the {FRAMES} frames of one sample, got {one.shape[0]}; "
                    f"read longer series with FrameFolders."
                )
        super().__init__(series, FRAMES // 2, FRAMES // 2, size=size, scaler=scaler, variables=("reflectivity",))
