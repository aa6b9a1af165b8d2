"""Frames from a file, whose kind is that of its ending."""

from pathlib import Path

from .arrays import open_arrays
from .grids import open_grid
from .images import open_folder, open_gif
from .source import Choice, Source

GRIDS = (".nc", ".nc4", ".zarr")

#: Options of `open_sources` that choose within a file, and the endings of files that they are for.
CHOICES: dict[str, tuple[str, ...]] = {
    "key": (".npz",),
    "sequence": (".npy", ".npz"),
    "values": (".npy", ".npz"),
    "variables": GRIDS,
    "axes": GRIDS,
}


def open_sources(path: str | Path, choice: Choice) -> list[Source]:
    """The sequences of a file, which are one unless `choice.sequence` is `"all"`.

    Args:
        path: An `.npy`, `.npz`, `.nc` or `.gif` file, a `.zarr` store, or a folder of images or `.npy` frames.
        choice: What of it is meant.

    Raises:
        ValueError: If the file is none of these or damaged, an option is for others, or frames do not have the channels
            that are wanted.
        ImportError: If the package that reads it is not installed.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if not path.exists():
        raise ValueError(f"There is no {path}; name a file or folder of frames.")
    for name, endings in CHOICES.items():
        if getattr(choice, name) is not None and ending not in endings:
            raise ValueError(f"{name} is for {' and '.join(endings)} files, got {path}; leave it out.")
    if ending in GRIDS:
        sources = [open_grid(path, choice)]
    elif path.is_dir():
        sources = [open_folder(path, choice)]
    elif ending == ".gif":
        sources = [open_gif(path, choice)]
    elif ending in (".npy", ".npz"):
        sources = open_arrays(path, choice)
    else:
        known = ", ".join((".npy", ".npz", ".gif", *GRIDS))
        raise ValueError(f"{path} must be a folder of images or end in {known}; convert it to one of these.")
    for source in sources:
        _check_channels(path, source, choice)
    return sources


def _check_channels(path: Path, source: Source, choice: Choice) -> None:
    channels = source.shape[1]
    if choice.channels in (None, channels):
        return
    hint = "name as many of its variables" if source.arrays else "bring the frames to the channels of the training data"
    if path.suffix.lower() in (".npy", ".npz") and choice.sequence is None:
        hint = f"if it holds sequences (N, T, H, W), choose one, as by --sequence 0; else {hint}"
    if choice.channels is not None and channels == len(choice.names) < choice.channels:
        hint += (
            f"; if those beside {', '.join(choice.names)} are extras of WeatherBench, which are not made here, "
            f"forecast from that data set in Python, or train without (--extras with no name)"
        )
    own = f"{channels} channel" if channels == 1 else f"{channels} channels"
    raise ValueError(f"{path} has frames of {own}, but the model takes {choice.channels}; {hint}.")
