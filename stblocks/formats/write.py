"""A forecast into a file, whose kind is that of its ending."""

import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..borders.extras import needing
from ..borders.files import make_atomically, write_atomically
from .forecast import Forecast
from .grid_forecast import as_dataset


def check_out(path: Path, force: bool) -> None:
    """Look at where a forecast is to go before it is made.

    Raises:
        ValueError: If the ending is of no kind that is written, or there is something already.
    """
    if _kind(path) not in WRITERS:
        raise ValueError(
            f"out must end in {', '.join(filter(None, WRITERS))}, or in nothing for a folder of PNG files, got {path}."
        )
    if path.exists() and not force:
        raise ValueError(f"{path} is there already; name another file, or replace it with --force.")
    if path.is_dir() and _kind(path) and _kind(path) != ".zarr":
        raise ValueError(f"{path} is a folder; name a file.")


def write_forecast(path: Path, forecast: Forecast) -> None:
    """Write a forecast as the ending of the path says; after a crash there is all of it or nothing.

    Raises:
        ValueError: If it cannot be written there, or the kind of file does not hold such frames.
        ImportError: If the package that writes it is not installed.
    """
    WRITERS[_kind(path)](path, forecast)


def _kind(path: Path) -> str:
    return path.suffix.lower()


def _npy(path: Path, forecast: Forecast) -> None:
    write_atomically(path, lambda file: np.save(file, forecast.values))


def _npz(path: Path, forecast: Forecast) -> None:
    """With times and places where they are known, by the names under which they are read again."""
    arrays: dict[str, Any] = {"forecast": forecast.values, "unit": np.array(forecast.scaler.unit)}
    arrays |= forecast.source.places
    if forecast.time is not None and forecast.time.dtype.kind == "M":
        arrays["time"] = forecast.time
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def _grid(path: Path, forecast: Forecast) -> None:
    """NetCDF or zarr."""
    with needing("data", f"Writing {path.suffix}"):
        for name in ("xarray", "zarr") if _kind(path) == ".zarr" else ("xarray", "h5netcdf"):
            import_module(name)
    made = as_dataset(forecast)
    if _kind(path) == ".zarr":
        make_atomically(path, lambda place: made.to_zarr(place, consolidated=False))
    else:
        make_atomically(path, lambda place: made.to_netcdf(place, engine="h5netcdf"))


def _folder(path: Path, forecast: Forecast) -> None:
    """PNG files, the model's [0, 1] as codes: grey of 16 bits, or RGB of 8 bits."""
    with needing("data", "Writing PNG"):
        from PIL import Image
    channels = forecast.values.shape[1]
    if channels not in (1, 3):
        raise ValueError(f"PNG holds 1 or 3 channels, got a forecast of {channels}; write .npy or .nc.")
    model = forecast.scaler.to_model(forecast.values.astype(np.float64))
    if outside := int(((model < 0) | (model > 1)).sum()):
        low, high = model.min(), model.max()
        warnings.warn(
            f"{outside} of {model.size} values are outside of what pixels stand for, 0 to 1 in model units, and cut: "
            f"the forecast is {low:.3g} to {high:.3g}.",
            stacklevel=2,
        )
    most, dtype = (65535, np.uint16) if channels == 1 else (255, np.uint8)
    pixels = np.round(model.clip(0, 1) * most).astype(dtype)
    names = _stamped(forecast)

    def write(folder: Path) -> None:
        folder.mkdir()
        for name, frame in zip(names, pixels, strict=True):
            Image.fromarray(frame[0] if channels == 1 else np.moveaxis(frame, 0, -1)).save(folder / f"{name}.png")

    make_atomically(path, write)


def _stamped(forecast: Forecast) -> list[str]:
    """Names of frames: their times to the second, where these are known and differ, else their lead times."""
    dates: Any = [] if forecast.time is None else forecast.time
    texts = [str(each.astype("M8[s]")) if isinstance(each, np.datetime64) else each.isoformat() for each in dates]
    names = [text.replace("-", "").replace(":", "").partition(".")[0] for text in texts]
    if names and len(set(names)) == len(names):
        return names
    return [f"forecast_{lead:03d}" for lead in range(1, len(forecast.values) + 1)]


def _gif(path: Path, forecast: Forecast) -> None:
    """The observed frames, then the forecast, in colours."""
    import torch

    from ..viz import forecast_gif

    past, values = (
        torch.from_numpy(forecast.scaler.to_model(frames.astype(np.float64))).float()
        for frames in (forecast.past, forecast.values)
    )
    forecast_gif(past, None, values, path, forecast.scaler)


#: Ending of a path to what writes it; no ending is a folder of PNG files.
WRITERS: dict[str, Callable[[Path, Forecast], None]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".nc": _grid,
    ".zarr": _grid,
    ".gif": _gif,
    "": _folder,
}
