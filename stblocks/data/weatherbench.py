"""WeatherBench and other weather on a grid, 12 frames to 12."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..borders.checks import check_positive
from .fill import Fill
from .scaler import Scaler
from .split import Split, check_split, hold_out
from .times import check_ascending, on_step
from .weather_arrays import level_name
from .weather_extras import Extra, Frames, make_extra
from .weather_files import Grid, Variables, open_grid
from .windows import SequenceWindows

YEARS = {"train": (1979, 2015), "validation": (2016, 2016), "test": (2017, 2018)}


class WeatherBench(SequenceWindows):
    """Maps of weather in time: ERA5 as WeatherBench has it, or any NetCDF, zarr or `.npz` file of that layout.

    Rasp et al., JAMES 2020, https://arxiv.org/abs/2002.00469; the files are at https://mediatum.ub.tum.de/1524895, one
    for each year and variable: `2m_temperature/2m_temperature_1979_5.625deg.nc` holds `t2m` on `(time, lat, lon)`,
    `geopotential/...` holds `z` on `(time, level, lat, lon)`. Axes are known by their names (`lat...`, `lon...`) and
    dates, in any order. Files are read through xarray (`pip install 'stblocks[data]'`), only the window asked for. An
    `.npz` file holds the variables, `(time, lat, lon)`, and `time`, `lat`, `lon`, maybe `train_index`, `test_index`.

    The model sees the variables standardised by mean and deviation over the frames for training, each channel by its
    own, and after them the extra channels; it forecasts the variables. Fitting looks through all frames for training:
    with years of data, give the scaler of the first data set to the others. Windows do not reach over gaps in time or
    from one split into another.

    Args:
        path: A file, or a folder with `.nc` files at any depth.
        split: The part to read.
        variables: Names as in the files; with levels where there are some: `{"t2m": None, "z": (500, 850)}`.
        years: First and last year of each split. `None` takes the indices of frames that an `.npz` file has, else
            WeatherBench's own years: 1979 to 2015, 2016, and 2017 to 2018.
        axes: Names of the axes, such as `{"lat": "north", "lon": "east"}`. Those that begin with `lat` and `lon` are
            known, and so are `y` and `x`, `rlat` and `rlon`, `south_north` and `west_east`, and
            `projection_y_coordinate` and `projection_x_coordinate`; time is known by its dates.
        validation_fraction: Share of the indices for training, the last, that is for validation instead. Give the same
            for all splits: scaler and climatology come from what is left.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        step: Hours from one frame to the next, a divisor or a multiple of 24; frames are those at multiples of it from
            midnight (UTC), or, where all stamps are at one offset, such as half past, at multiples from there. Stamps
            that are off by less than a tenth of the time between maps are rounded.
        stride: Frames from the start of a window to that of the next.
        extras: Channels to see beside the variables, in this order:

            * `"hour"`: sine and cosine of the time of day of each frame (2 channels);
            * `"day"`: sine and cosine of the time of year (2);
            * `"position"`: sine of latitude, sine and cosine of longitude, standardised over the grid (3);
            * `"climatology"`: each variable's mean over the frames for training, by hour of day and grid point, at the
              frame's hour (1 for each variable and level);
            * `"climatology_ahead"`: the same at the hour `in_frames` frames later, so the usual course of the frames to
              forecast (1 for each).
        size: `(H, W)` to resize frames to, bilinear; `None` leaves them.
        scaler: Of the variables, from another split, or from a trained model (`DataSpec`): frames for training are then
            looked at for climatologies alone, and need not be there for anything else. `None` fits one.
        missing: As in `SequenceWindows`.
        fill: As in `SequenceWindows`.

    Raises:
        ValueError: If a file, variable, level, year or extra is not there, a variable is constant, or no window fits.
        ImportError: If xarray is not installed, for files other than `.npz`.
    """

    def __init__(
        self,
        path: str | Path,
        split: Split = "train",
        *,
        variables: Variables = "t2m",
        years: Mapping[Split, tuple[int, int]] | None = None,
        axes: Mapping[str, str] | None = None,
        validation_fraction: float = 0.0,
        in_frames: int = 12,
        out_frames: int = 12,
        step: int = 1,
        stride: int = 1,
        extras: Sequence[str] = (),
        size: tuple[int, int] | None = None,
        scaler: Scaler | None = None,
        missing: Literal["error", "mask"] = "error",
        fill: Fill | None = "zero",
    ) -> None:
        check_split(split)
        check_positive(step=step, in_frames=in_frames, out_frames=out_frames)
        if 24 % step and step % 24:
            raise ValueError(f"step must divide 24 or be a multiple of 24, in hours, got {step}.")
        grid = open_grid(Path(path), variables, axes)
        time, regular = on_step(grid.time, step)
        check_ascending(time, f"{path}, rounded to the step,")
        grid = replace(grid, time=time)
        splits = _splits(Path(path), grid, years, validation_fraction)
        train = Frames(grid, _regular(splits, "train", regular))
        if scaler is None or any(name.startswith("climatology") for name in extras):
            _require(train.frames, "train", grid, path)
        ahead = np.timedelta64(step * in_frames, "h")
        added = tuple(make_extra(name, train, ahead) for name in extras)
        _require(chosen := _regular(splits, split, regular), split, grid, path)
        runs = _runs(grid.time, chosen, step)
        series = [Frames(grid, run, added) for run in runs if len(run) >= in_frames + out_frames]
        if not series:
            apart = min(np.diff(grid.time.astype(int)).tolist(), default=0) / 3600
            raise ValueError(
                f"{path} has no {in_frames + out_frames} frames for '{split}' that follow one another every {step} h, "
                f"at most {max(map(len, runs))}; its maps are {apart:g} h apart: take another step, other years, or "
                f"fewer frames."
            )
        super().__init__(
            series,
            in_frames,
            out_frames,
            stride=stride,
            size=size,
            scaler=_extend(Scaler.standard(train, grid.units) if scaler is None else scaler, grid, added),
            out_channels=len(grid.channels),
            missing=missing,
            fill=fill,
            variables=_names(variables),
            seconds=3600 * step,
        )


def _names(variables: Variables) -> list[str]:
    """A name for each variable and level, such as `t2m` and `z500`."""
    if isinstance(variables, str):
        return [variables]
    if not isinstance(variables, Mapping):
        return list(variables)
    return [
        each
        for name, levels in variables.items()
        for each in ([name] if levels is None else [level_name(name, level) for level in levels])
    ]


def _splits(
    path: Path, grid: Grid, years: Mapping[Split, tuple[int, int]] | None, fraction: float
) -> Mapping[str, np.ndarray]:
    """The indices of the frames of each split."""
    if years is not None or not grid.splits:
        if fraction:
            raise ValueError(
                f"validation_fraction is for .npz files with a train_index, got {fraction}; "
                f"say which years are for validation: years={{'validation': (2016, 2016), ...}}."
            )
        year = grid.years
        ranges = YEARS if years is None else years
        return {name: np.flatnonzero((year >= first) & (year <= last)) for name, (first, last) in ranges.items()}
    if not 0 <= fraction < 1:
        raise ValueError(f"validation_fraction must be in [0, 1), got {fraction}.")
    splits = dict(grid.splits)
    for name, frames in splits.items():
        if frames.size and not 0 <= frames.min() <= frames.max() < len(grid.time):
            raise ValueError(f"{name}_index of {path} must be from 0 to {len(grid.time) - 1}; write it again.")
    if fraction and "train" in splits:
        kept, held = hold_out(len(splits["train"]), fraction, None, 0)
        splits |= {"train": splits["train"][kept], "validation": splits["train"][held]}
    return splits


def _regular(splits: Mapping[str, np.ndarray], name: str, regular: np.ndarray) -> np.ndarray:
    """The frames of a split that are on the step."""
    frames = splits.get(name, np.empty(0, int))
    return np.sort(frames[regular[frames]])


def _require(frames: np.ndarray, name: str, grid: Grid, path: str | Path) -> None:
    """Raise a `ValueError` if a split has no frames."""
    if frames.size:
        return
    first, last = grid.time[[0, -1]].astype("M8[m]") if grid.days_a_year is None else grid.years[[0, -1]]
    way_out = f"years={{'{name}': {tuple(grid.years[[0, -1]].tolist())}}}, say"
    if name == "train":
        way_out += ", or scaler= of the data set or model that was trained, and no climatology among extras"
    elif grid.splits:
        way_out += ", or validation_fraction= if it has a train_index"
    raise ValueError(f"{path} has no frames for '{name}': its time is {first} to {last} UTC; give {way_out}.")


def _runs(time: np.ndarray, frames: np.ndarray, step: int) -> list[np.ndarray]:
    """Frames that follow one another without a gap."""
    gaps = np.flatnonzero(np.diff(time[frames]) != np.timedelta64(step, "h")) + 1
    return np.split(frames, gaps)


def _extend(scaler: Scaler, grid: Grid, extras: tuple[Extra, ...]) -> Scaler:
    """The scaler of the variables, and of the extra channels after them."""
    variables = [scaler.channel(index) for index in range(len(grid.channels))]
    added = [variables if extra.like_variables else [Scaler()] * extra.channels for extra in extras]
    return Scaler.of_channels([*variables, *(each for group in added for each in group)])
