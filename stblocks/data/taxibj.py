"""TaxiBJ: flows of crowds in Beijing, 4 frames to 4, as they were released and as they are passed on."""

import re
from functools import partial
from pathlib import Path

import numpy as np

from .hdf5_files import open_hdf5
from .numpy_files import open_npz
from .scaler import Scaler
from .split import Split, check_split, hold_out
from .windows import SequenceWindows

FRAME = (2, 32, 32)
VARIABLES = ("inflow", "outflow")
SLOTS = 48  # of 30 min, in a day
SECONDS = 1800.0  # of a slot
TEST_DAYS = 28
DATE = re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d\d", re.ASCII)
MOST = 10**5  # crowd flow: some 34,000 taxis took part, and the largest flow of the four files is 1292
SLACK = 1e-3  # of values that are from -1 to 1, for rounding


class TaxiBJ(SequenceWindows):
    """Inflow and outflow of 32 x 32 districts of Beijing, from the GPS of taxis, every 30 min: frames `(2, 32, 32)`.

    Zhang et al., AAAI 2017, https://arxiv.org/abs/1610.00081. Models see flows from 0 to 1. `path` may be

    * the HDF5 files as they were released (https://github.com/amirkhango/DeepST, `data/TaxiBJ`): one of them, or a
      folder with `BJ13_M32x32_T30_InOut.h5` to `BJ16_...`. They hold `data`, `(T, 2, 32, 32)`, and `date`, strings
      `YYYYMMDDSS` with slots 01 to 48. As in the authors' code, days that lack slots are left out, the last 28 days of
      those left are for testing, and the scaler goes from the least to the largest flow of all other days. Windows do
      not reach over gaps. Reading them needs `pip install 'stblocks[data]'`;
    * the `.npz` file of SimVP and OpenSTL (`taxibj_dataset.zip` among the releases of
      https://github.com/chengtan9907/OpenSTL): `X_train`, `Y_train`, `X_test`, `Y_test`, each `(N, 4, 2, 32, 32)`. Its
      values are from -1 to 1, here `(x + 1) / 2`, so squared errors are a quarter of those before, as in the SimVP
      paper. Which flow is the 1, the file does not say: pass `scaler` to have physical units.

    Args:
        path: File or folder.
        split: The part to read.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast; both together at most 8 in the `.npz` file.
        validation_fraction: Share of the train part, its last days or samples, that is for validation instead. Samples
            of the `.npz` file that follow one another may share frames.
        scaler: What the model's 0 and 1 stand for. `None` fits it to the HDF5 files, and leaves the values of the
            `.npz` file without a unit.

    Raises:
        ValueError: If there is no such file or part, or it is of another layout.
        ImportError: If h5py is not installed, for HDF5 files.
    """

    def __init__(
        self,
        path: str | Path,
        split: Split = "train",
        *,
        in_frames: int = 4,
        out_frames: int = 4,
        validation_fraction: float = 0.0,
        scaler: Scaler | None = None,
    ) -> None:
        check_split(split)
        if not 0 <= validation_fraction < 1:
            raise ValueError(f"validation_fraction must be in [0, 1), got {validation_fraction}.")
        if split == "validation" and not validation_fraction:
            raise ValueError("TaxiBJ has no validation part; pass validation_fraction=0.1, say, to all splits.")
        path = Path(path)
        if path.suffix == ".npz":
            scaler = Scaler() if scaler is None else scaler
            past, future = _pairs(path, "test" if split == "test" else "train")
            chosen = _choose(split, len(past), validation_fraction)
            frames = in_frames + out_frames
            if frames > past.shape[1] + future.shape[1]:
                raise ValueError(
                    f"in_frames + out_frames must be at most {past.shape[1] + future.shape[1]}, the frames of a sample "
                    f"in {path}, got {frames}; take fewer, or the HDF5 files."
                )
            make = partial(_sample, past=past, future=future, chosen=chosen, frames=frames, scaler=scaler)
            super().__init__(
                make,
                in_frames,
                out_frames,
                length=len(chosen),
                scaler=scaler,
                variables=VARIABLES,
                seconds=SECONDS,
            )
        else:
            days, flows = _read_days(path)
            before = len(days) - TEST_DAYS
            if before < 1:
                raise ValueError(f"{path} has {len(days)} whole days, of which {TEST_DAYS} are for testing; add files.")
            if scaler is None:
                scaler = Scaler.min_max(flows[:before].reshape(-1, *FRAME[1:]), "crowd flow / 30 min")
            chosen = np.arange(before, len(days)) if split == "test" else _choose(split, before, validation_fraction)
            runs = np.split(chosen, np.flatnonzero(np.diff(days[chosen]) != np.timedelta64(1, "D")) + 1)
            series = [flows[run[0] : run[-1] + 1].reshape(-1, *FRAME) for run in runs]
            series = [one for one in series if len(one) >= in_frames + out_frames]
            if not series:
                raise ValueError(
                    f"{path} has no {in_frames + out_frames} frames for '{split}' without a gap, at most "
                    f"{SLOTS * max(map(len, runs))}; take fewer frames, or add files."
                )
            super().__init__(series, in_frames, out_frames, scaler=scaler, variables=VARIABLES, seconds=SECONDS)


def _choose(split: Split, count: int, fraction: float) -> np.ndarray:
    """The days or samples of a split, of all in its part."""
    if split == "test" or not fraction:
        return np.arange(count)
    train, validation = hold_out(count, fraction, None, 0)
    return train if split == "train" else validation


def _pairs(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    stored = open_npz(path, (f"X_{part}", f"Y_{part}"))
    lengths = {array.shape[:1] for array in stored.values()}
    for name, array in stored.items():
        if array.ndim != 5 or array.shape[2:] != FRAME or 0 in array.shape or len(lengths) != 1:
            raise ValueError(
                f"{name} of {path} must be (N, T, 2, 32, 32), as many X as Y, got {array.shape}; "
                f"read other arrays with SequenceWindows."
            )
        if array.dtype.kind != "f":
            raise ValueError(f"{name} of {path} must be floats, got {array.dtype}; fetch it again.")
    past, future = (array.read() for array in stored.values())
    for name, values in zip(stored, (past, future), strict=True):
        low, high = float(values.min()), float(values.max())
        if not (-1 - SLACK < low < 0 and high < 1 + SLACK):  # NaN is neither
            raise ValueError(
                f"{name} of {path} must have values from -1, no flow, to 1, got {low:g} to {high:g}; "
                f"read arrays in other units with SequenceWindows."
            )
    return past, future


def _sample(
    index: int, *, past: np.ndarray, future: np.ndarray, chosen: np.ndarray, frames: int, scaler: Scaler
) -> np.ndarray:
    codes = np.concatenate([past[chosen[index]], future[chosen[index]]])[:frames]
    return scaler.to_physical((codes + 1) / 2)


def _read_days(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The days with all 48 slots, `(N,)`, and their flows, `(N, 48, 2, 32, 32)`, in the order of time."""
    files = sorted(path.glob("BJ*_M32x32_T30_InOut.h5")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise ValueError(f"There is no {path / 'BJ16_M32x32_T30_InOut.h5' if path.is_dir() else path}; name the files.")
    days, flows = [], []
    for file in files:
        date, data = _read_file(file)
        starts, of_date = np.unique([text[:8] for text in date], return_inverse=True)
        for number, day in enumerate(starts):
            inside = np.flatnonzero(of_date == number)
            if [int(date[i][8:]) for i in inside] == [*range(1, SLOTS + 1)]:
                days.append(_day(day, file))
                flows.append(data[inside])
    order = np.argsort(np.array(days, dtype="M8[D]"))
    return np.array(days, dtype="M8[D]")[order], np.array(flows, dtype=np.float32).reshape(-1, SLOTS, *FRAME)[order]


def _day(text: str, file: Path) -> np.datetime64:
    try:
        return np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    except ValueError as error:
        raise ValueError(f"{file} has a day that no month has, {text}; name another file.") from error


def _read_file(file: Path) -> tuple[list[str], np.ndarray]:
    held = open_hdf5(file)
    if not {"data", "date"} <= held.keys():
        raise ValueError(f"{file} must hold 'data' and 'date', got {', '.join(held)}; name another file.")
    data, date = held["data"], held["date"]
    if data.shape != (*date.shape, *FRAME) or data.dtype.kind not in "fiu" or date.dtype.kind not in "SO":
        raise ValueError(
            f"{file} must hold numbers as data, (T, 2, 32, 32), and texts as date, (T,), got {data.dtype} {data.shape} "
            f"and {date.dtype} {date.shape}; name another file."
        )
    texts = [text.decode("latin-1") if isinstance(text, bytes) else str(text) for text in date.read()]
    if wrong := [text for text in texts if not DATE.fullmatch(text)]:
        raise ValueError(f"{file} must hold dates YYYYMMDDSS, got {wrong[0][:20]!r}; name another file.")
    flows = data.read()
    if not (flows.min(initial=0) >= 0 and flows.max(initial=0) <= MOST):  # NaN is neither
        raise ValueError(
            f"{file} must hold flows from 0 to {MOST}, got {flows.min():g} to {flows.max():g}; fetch it again."
        )
    return texts, flows
