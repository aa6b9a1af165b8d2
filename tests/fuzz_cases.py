"""A small valid file or folder for every public reader, and how to read it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import h5py
import numpy as np
import torch
import zarr
from PIL import Image
from torch import Tensor

from stblocks import create_model
from stblocks.borders.reading import reading
from stblocks.core.pretrained import Pretrained
from stblocks.data import (
    CIKM2017,
    KTH,
    SEVIR,
    DataSpec,
    FrameFolders,
    Human36M,
    KittiCaltech,
    MovingMNIST,
    RadarArchive,
    Scaler,
    SequenceWindows,
    Shanghai2020,
    TaxiBJ,
    Typhoon,
    WeatherBench,
    moving_mnist_test,
)
from stblocks.data.sequence import to_tensor
from stblocks.data.zarr_files import check_zarr
from stblocks.formats.read import open_sources
from stblocks.formats.source import Choice
from stblocks.train.checkpoint import load_checkpoint, save_checkpoint
from stblocks.weights.state import read_weights, save_weights
from tests import test_data_kth as kth
from tests import test_data_storms as storms
from tests import test_data_taxibj as taxi
from tests import test_data_video as video
from tests import test_data_weatherbench as weather
from tests.test_data_folders import write
from tests.test_data_glyphs import write_mnist

CODES = (0.0, 1.0)
ANY = (-np.inf, np.inf)


@dataclass(frozen=True)
class Case:
    """A reader.

    Args:
        make: Writes valid files into an empty folder.
        read: Reads them as a user would.
        allowed: Least and largest value that the layout knows of, for files without a checksum.
    """

    make: Callable[[Path], object]
    read: Callable[[Path], list[Tensor]]
    allowed: tuple[float, float] = ANY


def some(data: SequenceWindows) -> list[Tensor]:
    """The first sample and the last."""
    return [part for index in (0, len(data) - 1) for part in data[index]]


def frames(count: int, kind: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 9, 11)).astype(kind)


def windows(file: Path, load: Callable[[Path], object]) -> list[Tensor]:
    if file.is_dir():
        check_zarr(file)  # zarr waits for pipes before a reader of ours sees the array
    with reading(file, "a series"):  # opening is the user's, who calls the format's library
        series = load(file)
    return some(SequenceWindows(series, 2, 1, scaler=Scaler(0, 255)))


def make_h5(folder: Path) -> None:
    with h5py.File(folder / "rain.h5", "w") as file:
        file.create_dataset("rain", data=frames(6, np.float32), chunks=(2, 9, 11), compression="gzip")


def make_zarr(folder: Path) -> None:
    made = zarr.open_array(str(folder / "rain.zarr"), mode="w", shape=(6, 9, 11), chunks=(2, 9, 11), dtype="f4")
    made[:] = frames(6, np.float32)


def samples(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (4, length, 6, 7), dtype=np.uint8)


def make_text(folder: Path) -> None:
    values = np.random.default_rng(0).integers(-1, 256, 15 * 4 * 101 * 101)
    (folder / "train.txt").write_text(f"sample_1,2.5,{' '.join(map(str, values.tolist()))}\n")


def make_folders(folder: Path, parts: tuple[str, ...], length: int, suffixes: tuple[str, ...] = (".png",)) -> None:
    for part in parts:
        for number, frame in enumerate(samples(length)[0]):
            write(folder / part / "sample_1" / f"img_{number}{suffixes[number % len(suffixes)]}", frame)


def make_taxi(folder: Path) -> None:
    date = taxi.dates("2015-11-01", 29)
    flow = np.minimum(np.arange(len(date), dtype=np.float32), 1300)[:, None, None, None]
    with h5py.File(folder / "BJ16_M32x32_T30_InOut.h5", "w") as file:
        shape = (len(date), 2, 32, 32)
        file.create_dataset("data", data=np.broadcast_to(flow, shape), chunks=(48, 2, 32, 32), compression="gzip")
        file["date"] = np.array(date)


def make_clips(folder: Path, *, zipped: bool) -> None:
    clips = {kth.name(person): kth.avi(kth.pixels(person)) for person in (1, 2)}
    if zipped:
        with ZipFile(folder / "walking.zip", "w", compression=8) as archive:
            for name, clip in clips.items():
                archive.writestr(name, clip)
        return
    for name, clip in clips.items():
        (folder / name).write_bytes(clip)
    (folder / "00sequences.txt").write_text(
        "Sequences\nperson01_walking_d1\tframes\t1-4, 5-8\nperson02_walking_d1\tframes\t2-8\n"
    )


def make_weather(folder: Path, name: str) -> None:
    made = weather.dataset(2015, count=30)
    if name.endswith(".nc"):
        made.to_netcdf(folder / name, engine="h5netcdf")
    else:
        made.to_zarr(folder / name, zarr_format=2 if name == "two.zarr" else 3, consolidated=name == "two.zarr")


def read_weather(folder: Path, name: str = "", variables: object = "t2m") -> list[Tensor]:
    years = None if name.endswith(".npz") else {"train": (2015, 2015)}
    return some(WeatherBench(folder / name, variables=variables, years=years, in_frames=3, out_frames=2))


def make_archive(folder: Path) -> None:
    storms.archive(folder, range(0, 60, 5))
    storms.catalogue(folder, "2019-06-01T00:05,2019-06-01T00:40,train,")


def read_archive(folder: Path) -> list[Tensor]:
    data = RadarArchive(folder / "rain.npz", folder / "events.csv", variable="rain", in_frames=2, out_frames=1)
    return some(data)


def make_caltech(folder: Path) -> None:
    (folder / "set06").mkdir()
    (folder / "set06" / "V000.seq").write_bytes(video.seq(video.grey(20, 7)))


def make_gif(folder: Path) -> None:
    first, *others = [Image.fromarray(frame) for frame in frames(5)]
    first.save(folder / "a.gif", save_all=True, append_images=others)


def read_frames(folder: Path, name: str) -> list[Tensor]:
    choice = Choice(scaler=Scaler(0, 255), variables=("t2m",) if name.endswith(".nc") else None)
    (source,) = open_sources(folder / name, choice)
    parts = [to_tensor(source.series[first : first + 2]) for first in (0, source.shape[0] - 2)]
    return [part.nan_to_num(nan=0.0) for part in parts]  # missing cells, which the command refuses


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    made = create_model("convlstm", in_channels=1, channels=4, num_layers=1, patch_size=2).eval()
    made.data_spec = DataSpec(-10.0, 95.0, "dBZ", ("rain",), 300.0, 5, 10, (64, 64)).to_dict()
    return made


def load_model(folder: Path) -> list[Tensor]:
    """Weights, and the numbers that a model knows of its data, if it says any."""
    loaded = Pretrained.from_pretrained(folder)
    if loaded.data_spec is not None:
        DataSpec.of_model(loaded)
    return tensors(loaded.state_dict())


def tensors(value: object) -> list[Tensor]:
    """All in a nested value."""
    if isinstance(value, Tensor):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for each in inner for tensor in tensors(each)]


def weights(folder: Path) -> list[Tensor]:
    made = model()
    read_weights(made, folder / "a.safetensors")
    return list(made.state_dict().values())


BOTH = {"t2m": None, "z": (850,)}
CASES = {
    "windows .npy": Case(
        lambda f: np.save(f / "a.npy", frames(6, np.float32)),
        lambda f: windows(f / "a.npy", partial(np.load, mmap_mode="r")),
    ),
    "windows HDF5": Case(make_h5, lambda f: windows(f / "rain.h5", lambda file: h5py.File(file)["rain"])),
    "windows zarr": Case(make_zarr, lambda f: windows(f / "rain.zarr", partial(zarr.open_array, mode="r"))),
    "CIKM text": Case(make_text, lambda f: some(CIKM2017(f / "train.txt", size=None)), CODES),
    "CIKM .npz": Case(
        lambda f: np.savez_compressed(f / "a.npz", train=samples(15), test=samples(15), train_x=np.arange(4) * 9),
        lambda f: some(CIKM2017(f / "a.npz", size=None, validation_fraction=0.25)),
        CODES,
    ),
    "CIKM .npy": Case(lambda f: np.save(f / "train.npy", samples(15)), lambda f: some(CIKM2017(f, size=None)), CODES),
    "CIKM folders": Case(
        partial(make_folders, parts=("train", "test"), length=15), lambda f: some(CIKM2017(f, size=None)), CODES
    ),
    "Shanghai": Case(partial(make_folders, parts=("train",), length=20), lambda f: some(Shanghai2020(f)), CODES),
    "FrameFolders": Case(
        partial(make_folders, parts=("rain",), length=6, suffixes=(".png", ".npy", ".tif", ".bmp")),
        lambda f: some(FrameFolders(f, 4, 2)),
    ),
    "glyphs .npz": Case(
        lambda f: np.savez(f / "a.npz", images=samples(20)[0], train_index=np.arange(15), test_index=np.arange(15, 20)),
        lambda f: some(MovingMNIST(3, 2, 2, glyphs=f / "a.npz", size=(20, 20))),
        CODES,
    ),
    "MNIST": Case(write_mnist, lambda f: some(MovingMNIST(3, 2, 2, glyphs=f, size=(20, 20))), CODES),
    "Moving MNIST": Case(
        lambda f: write(f / "MovingMNIST" / "mnist_test_seq.npy", samples(20).swapaxes(0, 1)),
        lambda f: some(moving_mnist_test(f)),
        CODES,
    ),
    "TaxiBJ .npz": Case(lambda f: taxi.npz(f / "a.npz"), lambda f: some(TaxiBJ(f / "a.npz")), (-0.01, 1.01)),
    "TaxiBJ HDF5": Case(make_taxi, lambda f: some(TaxiBJ(f, scaler=Scaler(0, 1300))), (0, 10**5 / 1300)),
    "KTH zip": Case(
        partial(make_clips, zipped=True), lambda f: some(KTH(f, in_frames=2, out_frames=2, size=None)), CODES
    ),
    "KTH clips": Case(
        partial(make_clips, zipped=False), lambda f: some(KTH(f, in_frames=2, out_frames=2, size=None)), CODES
    ),
    "SEVIR": Case(lambda f: storms.sevir(f, [storms.row(0), storms.row(2)]), lambda f: some(SEVIR(f)), CODES),
    "Typhoon": Case(
        lambda f: np.save(f / "a.npy", storms.typhoons(4)), lambda f: some(Typhoon(f / "a.npy", size=None)), CODES
    ),
    "radar archive": Case(make_archive, read_archive),
    "Caltech": Case(make_caltech, lambda f: some(KittiCaltech(f, "test", in_frames=1, size=(6, 10))), CODES),
    "Human3.6M": Case(
        lambda f: video.video(f / "S1" / "Posing.mp4", video.grey(16, 10, 32, 48)),
        lambda f: some(Human36M(f, size=None)),
        CODES,
    ),
    "weather .nc": Case(partial(make_weather, name="a.nc"), partial(read_weather, variables=BOTH)),
    "weather zarr 2": Case(
        partial(make_weather, name="two.zarr"), partial(read_weather, name="two.zarr", variables=BOTH)
    ),
    "weather .npz": Case(lambda f: weather.npz(f / "a.npz"), partial(read_weather, name="a.npz")),
    "frames .gif": Case(make_gif, partial(read_frames, name="a.gif"), (0, 255)),
    "frames .npy": Case(lambda f: np.save(f / "a.npy", frames(5)), partial(read_frames, name="a.npy")),
    "frames .npz": Case(lambda f: np.savez_compressed(f / "a.npz", rain=frames(5)), partial(read_frames, name="a.npz")),
    "frames .nc": Case(partial(make_weather, name="a.nc"), partial(read_frames, name="a.nc")),
    "from_pretrained": Case(lambda f: model().save_pretrained(f), load_model),
    "read_weights": Case(lambda f: save_weights(model(), f / "a.safetensors"), weights),
    "load_checkpoint": Case(
        lambda f: save_checkpoint({"step": 3, "model": model().state_dict()}, f / "checkpoint.pt"),
        lambda f: tensors(load_checkpoint(f / "checkpoint.pt")),
    ),
}
if zarr.__version__ >= "3":
    CASES["weather zarr 3"] = Case(
        partial(make_weather, name="a.zarr"), partial(read_weather, name="a.zarr", variables=BOTH)
    )
