"""Windows of frames as samples: the data set for anyone's arrays, and the base of all the others."""

import warnings
from collections.abc import Callable, Iterable
from operator import index as as_integer
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from ..borders.checks import check_positive
from .crops import Crops
from .cut import Cut, Made
from .fill import FILLS, Fill, fill_past
from .scaler import Scaler
from .sequence import Sequence, to_tensor
from .series import Series
from .spec import DataSpec


class SequenceWindows(Dataset[Sequence]):
    """Every window of `in_frames + out_frames` consecutive frames, read when it is asked for.

    Args:
        frames: Physical values, as one series, `(T, C, H, W)` or `(T, H, W)`: an array, memmap, tensor, or whatever has
            `.shape` and can be sliced (zarr, HDF5); or a list of such series, and no window reaches from one into
            another; or a function that makes window `i` of `length`, `(in_frames + out_frames, C, H, W)`.
        in_frames: Frames a forecast starts from.
        out_frames: Frames to forecast.
        stride: Frames from the start of a window to that of the next.
        length: Number of windows that the function makes; only for a function.
        crop: `(H, W)` of the part of each window that is read, the same in all its frames; `None` reads them whole.
            Training takes another part in every epoch, see `draw`; `data[index]` is always the same one. Series are
            then sliced along every axis, and may differ in H and W.
        crop_where: Draw crops so that they hold a cell of at least this value, in physical units: one drawn from all
            such cells of the last past frame's first channel, or from all cells if there are none. That frame is then
            read whole. `None` draws them from anywhere.
        size: `(H, W)` to resize frames, or crops of them, to, bilinear with half-pixel centres and no antialiasing;
            `None` leaves them.
        scaler: From physical to model units.
        out_channels: Channels to forecast: `future` has the first so many of `past`; `None` stands for all.
        missing: `"error"` refuses windows with NaN, at once if the series is in memory, else when they are read.
            `"mask"` takes NaN for missing cells: in `past` they are filled, in `future` they stay NaN. Masked entries
            of masked arrays count as NaN.
        fill: What missing cells of `past` become: `"zero"` is 0 in model units, the scaler's offset in physical ones;
            `"last"` the cell's last known value, see `fill_missing`; `None` refuses them. What recurrent models
            forecast of observed time is compared with it; `Objective(skip=in_frames - 1)` leaves that out.
        variables: Names of the channels to forecast, which go with the trained model (`DataSpec`).
        seconds: From one frame to the next, for the same.

    Attributes:
        frame_shape: `(C, H, W)` of the frames seen.
        out_channels: Channels of the frames to forecast.

    Raises:
        ValueError: If a number is not a positive integer, `missing` or `fill` is another word, `length` is missing or
            `stride` given for a function, `length` is given for anything else, `out_channels` are more than there are,
            `crop` or `size` is not `(H, W)`, `crop_where` is no number, `variables` is one text, a series is shorter
            than one window, frames differ in shape, or values are not finite.
    """

    def __init__(
        self,
        frames: Series | list[Any] | tuple[Any, ...] | Callable[[int], Any],
        in_frames: int,
        out_frames: int,
        *,
        stride: int = 1,
        length: int | None = None,
        crop: tuple[int, int] | None = None,
        crop_where: float | None = None,
        size: tuple[int, int] | None = None,
        scaler: Scaler = Scaler(),  # noqa: B008  (frozen)
        out_channels: int | None = None,
        missing: Literal["error", "mask"] = "error",
        fill: Fill | None = "zero",
        variables: Iterable[str] | None = None,
        seconds: float | None = None,
    ) -> None:
        check_positive(in_frames=in_frames, out_frames=out_frames, stride=stride)
        if size is not None:
            check_size(size)
        if missing not in ("error", "mask"):
            raise ValueError(f"missing must be 'error' or 'mask', got {missing!r}.")
        self.in_frames, self.out_frames = in_frames, out_frames
        if fill not in (*FILLS, None):
            raise ValueError(f"fill must be 'zero', 'last' or None, got {fill!r}.")
        if fill == "last" and missing == "error":
            raise ValueError("fill='last' needs missing='mask': windows with NaN are refused otherwise.")
        self.size, self.scaler, self.missing, self.fill = size, scaler, missing, fill
        if isinstance(variables, str):
            raise ValueError(f"variables must be a list of names, got {variables!r:.80}; write [{variables!r:.80}].")
        self.variables = None if variables is None else tuple(variables)
        self.seconds = seconds
        self._crops = Crops.given(crop, crop_where, in_frames)
        self._windows: Made | Cut
        if callable(frames):
            if length is None or stride != 1:
                raise ValueError(
                    f"A function of frames makes one window for each index: it needs length=, and no stride; "
                    f"got length={length}, stride={stride}."
                )
            check_positive(length=length)
            self._windows = Made(frames, length)
        else:
            if length is not None:
                raise ValueError(f"length is for a function of frames, got length={length}; cut the series instead.")
            series = list(frames) if isinstance(frames, list | tuple) else [frames]
            self._windows = Cut(series, in_frames + out_frames, stride, any_size=bool(crop or size))
        if self._crops is not None:
            self._crops.check(self._windows)
        _warn_of_channels_last(self._windows.frame_shape)
        channels, *whole = self._windows.frame_shape
        self.frame_shape = (channels, *(size or crop or whole))
        self.out_channels = channels if out_channels is None else out_channels
        if not 1 <= self.out_channels <= channels:
            raise ValueError(
                f"out_channels must be from 1 to {channels}, the channels of the frames, got {out_channels}; "
                f"None forecasts all."
            )
        if self.variables is not None and len(self.variables) != self.out_channels:
            raise ValueError(
                f"variables must name the {self.out_channels} channels to forecast, got {self.variables!r:.80}."
            )
        DataSpec(variables=self.variables, step=seconds)  # checks them
        if missing == "error" and self._windows.has_known_gaps():
            for index in range(len(self)):
                self._scaled(index, self._windows[index].read())  # the window with the gap says so
        if callable(frames):
            self[0]  # a function that makes something else is found out now

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Sequence:
        return self.draw(index, seed=index % len(self))

    def draw(self, index: int, seed: int) -> Sequence:
        """The window `index`, of which `seed` draws the crop: the same for the same seed. Without crops, `self[index]`.

        Raises:
            IndexError: If there is no such window.
        """
        index, seed = as_integer(index), as_integer(seed)  # of NumPy, too
        if not -len(self) <= index < len(self):
            raise IndexError(f"index must be below {len(self)}, the number of windows, got {index}.")
        index %= len(self)
        window = self._windows[index]
        place = () if self._crops is None else self._crops.place(window, seed)
        frames = self._scaled(index, window.read(*place))
        if self.size is not None and frames.ndim == 4 and frames.shape[2:] != self.size:
            frames = interpolate(frames, size=self.size, mode="bilinear", align_corners=False)
        shape = (self.in_frames + self.out_frames, *self.frame_shape)
        if frames.shape != shape:
            raise ValueError(
                f"{window.name} must be (in_frames + out_frames, C, H, W) = {shape} as the data set is, "
                f"got {tuple(frames.shape)}; make all windows of one shape."
            )
        past, future = frames.split([self.in_frames, self.out_frames])
        if self.fill is None and (missing := int(past.isnan().sum())):
            raise ValueError(
                f"{window.name} has {missing} missing values in its past frames, and nothing says what they become; "
                f"give fill='zero' or fill='last'."
            )
        past = past if self.fill is None else fill_past(past, self.fill)
        return Sequence(past, future[:, : self.out_channels])

    def _scaled(self, index: int, values: Any) -> Tensor:
        """Frames of a window in model units, checked."""
        frames = self.scaler.to_model(to_tensor(values)).to(torch.float32)
        self._check_values(frames, index)
        return frames

    def _check_values(self, frames: Tensor, index: int) -> None:
        broken = frames.isinf() if self.missing == "mask" else ~frames.isfinite()
        if broken.any():
            way_out = (
                "replace infinities with NaN, which marks missing cells"
                if self.missing == "mask"
                else "fill them, or pass missing='mask' to leave NaN out of the loss and the scores"
            )
            raise ValueError(
                f"{self._windows[index].name} has {int(broken.sum())} values that are NaN or infinite; {way_out}."
            )


def check_size(size: tuple[int, int]) -> None:
    """Raise a `ValueError` unless a size is `(H, W)`."""
    if not (isinstance(size, tuple | list) and len(size) == 2):
        raise ValueError(f"size must be (H, W), got {size!r}.")
    check_positive(height=size[0], width=size[1])


def _warn_of_channels_last(frame_shape: tuple[int, ...]) -> None:
    """Images of 64 x 64 in colour are `(3, 64, 64)` here; `(64, 64, 3)` would be 64 channels of 64 x 3 pixels."""
    channels, height, width = frame_shape
    if width <= 4 and min(channels, height) >= 16:
        warnings.warn(
            f"Frames of shape (C, H, W) = {frame_shape} look like channels-last images, (H, W, C); if they are, move "
            f"the channels: np.moveaxis(frames, -1, -3).",
            stacklevel=3,
        )
