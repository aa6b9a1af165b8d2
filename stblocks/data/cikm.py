"""CIKM2017: radar echoes over Shenzhen, 5 frames to 10, in the layouts it is found in."""

from pathlib import Path

import numpy as np

from .cikm_text import text_samples
from .folders import frame_series
from .numpy_files import StoredArray, npz_names, open_npy, open_npz
from .scaler import Scaler
from .series import Coded, Series
from .split import Split, check_split, find_part, hold_out
from .windows import SequenceWindows

FRAMES = 15
SECONDS = 360.0  # from frame to frame
ALTITUDES = (0.5, 1.5, 2.5, 3.5)  # km
CIKM_DBZ = Scaler(offset=-10.0, scale=95.0, unit="dBZ")  # pixel p of 0 to 255 is p / 255 to models


class CIKM2017(SequenceWindows):
    r"""CIKM AnalytiCup 2017: samples of 15 radar frames of 101 x 101 km, one every 6 min, at four altitudes.

    Pixels p are 0 to 255; models see p / 255, which stands for

    $$\text{dBZ} = p \cdot 95 / 255 - 10$$

    Yao and Li, CIKM 2017; GMG paper, Sec. IV-A (altitude 0.5 km, 64 x 64 pixels, 5 frames to 10, train and validation
    9 to 1: `validation_fraction=0.1`). `path` may be

    * an official text file (`train.txt`, `testA.txt`, ...), each line `id,label,values` with 15 x 4 x 101 x 101 values,
      or a folder of them; -1, no measurement, is read as 0;
    * an `.npz` file with uint8 arrays `train`, `test`, maybe `validation`, `(N, 15, H, W)` or `(N, 15, 4, H, W)`;
    * such an array as an `.npy` file, read as a memmap, or a folder of them;
    * a folder of samples, each a folder of 15 frames (PNG or `.npy`), or a folder of parts of that kind.

    A part is known by its name: `train...` for training, `val...` for validation, `test...`, `testA...` and `testB...`
    for testing. Anything with another name is all for training.

    Args:
        path: File or folder.
        split: The part to read.
        altitude: 0.5, 1.5, 2.5 or 3.5 km, where the data have all four; there, `None` is 0.5 km.
        size: `(H, W)` to resize frames to, bilinear; `None` leaves them.
        in_frames: Frames a forecast starts from, the first of each sample.
        out_frames: Frames to forecast.
        validation_fraction: Share of the train part to hold out as the validation part; 0 holds out nothing, and leaves
            `"validation"` to data that come with such a part. In `.npz` files that say where each crop was taken
            (`train_x`, the column it starts at), whole places are held out, and train and validation share no pixel;
            in others, the last samples are.

    Raises:
        ValueError: If there is no such part, it is empty, cut short or of another layout, or the altitude is not there.
    """

    def __init__(
        self,
        path: str | Path,
        split: Split = "train",
        *,
        altitude: float | None = None,
        size: tuple[int, int] | None = (64, 64),
        in_frames: int = 5,
        out_frames: int = 10,
        validation_fraction: float = 0.0,
    ) -> None:
        check_split(split)
        if not 0 <= validation_fraction < 1:
            raise ValueError(f"validation_fraction must be in [0, 1), got {validation_fraction}.")
        part: Split = "train" if validation_fraction and split == "validation" else split
        samples, left = _read_part(Path(path), part, altitude)
        if validation_fraction and part == "train":
            width = samples[0].shape[-1]
            train, validation = hold_out(len(samples), validation_fraction, left, width)
            samples = [samples[i] for i in (train if split == "train" else validation)]
        # With this stride there is one window in each sample, from its first frame on.
        super().__init__(
            samples,
            in_frames,
            out_frames,
            stride=FRAMES,
            size=size,
            scaler=CIKM_DBZ,
            variables=("reflectivity",),
            seconds=SECONDS,
        )


def _read_part(path: Path, part: Split, altitude: float | None) -> tuple[list[Series], np.ndarray | None]:
    """One series for each sample, and the column where each starts in a larger map, if that is known."""
    if path.suffix == ".npz" and not path.is_dir() and path.exists():
        return _read_npz(path, part, altitude)
    return [sample for file in find_part(path, part) for sample in _read_file(file, altitude)], None


def _read_npz(path: Path, part: Split, altitude: float | None) -> tuple[list[Series], np.ndarray | None]:
    if part not in (held := npz_names(path)):
        raise ValueError(f"{path} has no array '{part}', only {', '.join(held)}; choose another split.")
    column = f"{part}_x"
    arrays = open_npz(path, [part, column] if column in held else [part])
    _check_array(path, arrays[part])
    left = arrays.get(column)
    if left is not None and (left.shape != arrays[part].shape[:1] or left.dtype.kind not in "iu"):
        raise ValueError(
            f"{column} of {path} must be integers ({arrays[part].shape[0]},), the column where each sample starts, "
            f"got {left.dtype} {left.shape}; write it again."
        )
    samples = _array_samples(path, arrays[part].read(), altitude)
    return samples, None if left is None else left.read()


def _read_file(path: Path, altitude: float | None) -> list[Series]:
    if path.is_dir():
        _refuse_altitude(path, altitude)
        return list(_folder_samples(path))
    if path.suffix not in (".npy", ".txt", ""):
        raise ValueError(
            f"{path} must be a .txt, .npy or .npz file or a folder of CIKM2017; read NetCDF and zarr with "
            "WeatherBench, other arrays with SequenceWindows and images with FrameFolders."
        )
    if path.suffix == ".npy":
        stored = open_npy(path)
        _check_array(path, stored)
        return _array_samples(path, stored.map(), altitude)
    return [Coded(sample, CIKM_DBZ) for sample in text_samples(path, _level(altitude))]


def _folder_samples(path: Path) -> list[Series]:
    series = frame_series(path, CIKM_DBZ, at_least=FRAMES)
    for one in series:
        if one.shape[:2] != (FRAMES, 1):
            raise ValueError(
                f"{one.files[0].parent} must hold {FRAMES} grey frames, got {one.shape[0]} of {one.shape[1]} channels; "
                f"read other data with FrameFolders."
            )
    return list(series)


def _check_array(path: Path, array: StoredArray) -> None:
    shape = array.shape
    if array.dtype != np.uint8 or len(shape) not in (4, 5) or shape[1] != FRAMES or (len(shape) == 5 and shape[2] != 4):
        raise ValueError(
            f"{path} must hold uint8 arrays (N, 15, H, W) or (N, 15, 4, H, W), got {array.dtype} {shape}; "
            f"read other arrays with SequenceWindows."
        )
    if 0 in shape:
        raise ValueError(f"{path} holds no samples; fetch it again.")


def _array_samples(path: Path, array: np.ndarray, altitude: float | None) -> list[Series]:
    if array.ndim == 5:
        array = array[:, :, _level(altitude)]
    else:
        _refuse_altitude(path, altitude)
    return [Coded(sample, CIKM_DBZ) for sample in array]


def _level(altitude: float | None) -> int:
    if altitude is None:
        return 0
    if altitude not in ALTITUDES:
        raise ValueError(f"altitude must be one of {', '.join(map(str, ALTITUDES))} km, got {altitude}.")
    return ALTITUDES.index(altitude)


def _refuse_altitude(path: Path, altitude: float | None) -> None:
    if altitude is not None:
        raise ValueError(f"{path} holds frames of one altitude, got altitude={altitude}; leave it out.")
