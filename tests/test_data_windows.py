"""Windows are slices of the series in model units, and whatever is wrong with a series is said."""

import tempfile

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, default_collate

from stblocks.data import Scaler, Sequence, SequenceWindows

DBZ = Scaler(offset=-10.0, scale=95.0, unit="dBZ")


def radar(*shape, seed=0):
    """Values in dBZ that single precision holds exactly."""
    return np.random.default_rng(seed).integers(-10, 86, shape).astype(np.float64)


def as_memmap(array):
    with tempfile.TemporaryFile() as file:
        np.save(file, array)
        return np.memmap(file, array.dtype, "r", file.tell() - array.nbytes, array.shape)


class Lazy:
    """The least that a series must have, as in zarr and HDF5."""

    def __init__(self, array):
        self.shape, self.array, self.reads = array.shape, array, []

    def __getitem__(self, frames):
        self.reads.append((frames.start, frames.stop))
        return self.array[frames]


KINDS = {
    "float64": lambda a: a,
    "float32": lambda a: a.astype(np.float32),
    "int16": lambda a: a.astype(np.int16),
    "backwards": lambda a: a[::-1].copy()[::-1],
    "memmap": as_memmap,
    "tensor": torch.from_numpy,
    "integer tensor": lambda a: torch.from_numpy(a).to(torch.int32),
    "masked": np.ma.masked_array,
    "lazy": Lazy,
}


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(list(KINDS)),
    st.sampled_from([(3, 2), (1, 3, 2), (2, 3, 2)]),
)
def test_windows_are_slices_of_each_series(lengths, in_frames, out_frames, stride, kind, shape):
    assume(min(lengths) >= in_frames + out_frames)
    arrays = [radar(length, *shape, seed=i) for i, length in enumerate(lengths)]
    series = [KINDS[kind](array) for array in arrays]
    data = SequenceWindows(series if len(series) > 1 else series[0], in_frames, out_frames, stride=stride, scaler=DBZ)
    expected = [
        ((array[start : start + in_frames + out_frames] + 10) / 95).reshape(-1, *data.frame_shape)
        for array in arrays
        for start in range(0, len(array) - in_frames - out_frames + 1, stride)
    ]
    assert data.frame_shape == (1, *shape)[-3:]
    assert len(data) == len(expected)
    for sample, window in zip(data, expected, strict=True):
        assert isinstance(sample, Sequence)
        assert len(sample.past) == in_frames
        assert len(sample.future) == out_frames
        torch.testing.assert_close(torch.cat(sample), torch.from_numpy(window).float())


def test_a_function_makes_windows_for_indices():
    data = SequenceWindows(lambda i: np.full((3, 1, 2, 2), i, np.int64), 2, 1, length=4)
    assert [sample.past.unique().item() for sample in data] == [0, 1, 2, 3]
    assert (len(data), data.frame_shape) == (4, (1, 2, 2))


def test_only_the_window_asked_for_is_read():
    series = Lazy(radar(100, 2, 2))
    data = SequenceWindows(series, 2, 3, stride=10)
    assert series.reads == []
    _ = data[4]
    assert series.reads == [(40, 45)]


def test_indices_are_those_of_a_sequence():
    data = SequenceWindows(radar(6, 2, 2), 1, 2)
    assert torch.equal(data[-1].past, data[3].past)
    for index in (4, -5):
        with pytest.raises(IndexError, match=f"index must be below 4.*got {index}"):
            data[index]


def test_batches_keep_the_type_and_a_worker_changes_nothing():
    data = SequenceWindows(radar(9, 2, 3), 2, 3, scaler=DBZ)
    batch = default_collate([data[0], data[1]])
    assert isinstance(batch, Sequence)
    assert (batch.past.shape, batch.future.shape) == ((2, 2, 1, 2, 3), (2, 3, 1, 2, 3))
    for here, there in zip(DataLoader(data, 2), DataLoader(data, 2, num_workers=1), strict=True):
        assert torch.equal(here.past, there.past)
        assert torch.equal(here.future, there.future)


def test_samples_are_copies():
    frames = torch.zeros(3, 1, 2, 2)
    for part in SequenceWindows(frames, 1, 2)[0]:
        part += 1
    assert frames.eq(0).all()


@pytest.mark.parametrize("out_channels", [1, 2, 3, None])
def test_forecasts_have_the_first_channels(out_channels):
    array, scaler = radar(4, 3, 2, 2), Scaler(offset=(1.0, 2.0, 3.0), scale=(1.0, 2.0, 4.0))
    data = SequenceWindows(array, 1, 3, scaler=scaler, out_channels=out_channels)
    assert (data.frame_shape, data.out_channels) == ((3, 2, 2), out_channels or 3)
    past, future = data[0]
    scaled = scaler.to_model(torch.from_numpy(array)).float()
    torch.testing.assert_close(past, scaled[:1])
    torch.testing.assert_close(future, scaled[1:, :out_channels])
    torch.testing.assert_close(scaler.to_physical(future).double(), torch.from_numpy(array[1:, :out_channels]))


GAPS = {
    "array": lambda a: a,
    "tensor": torch.from_numpy,
    "masked": lambda a: np.ma.masked_invalid(a),
    "masked codes": lambda a: np.ma.masked_array(np.nan_to_num(a).astype(np.int16), np.isnan(a)),
    "lazy": Lazy,
    "memmap": as_memmap,
}


@pytest.mark.parametrize("kind", GAPS)
def test_missing_cells(kind):
    array = radar(6, 2, 2)
    array[1, 0, 1] = np.nan
    series = GAPS[kind](array)
    data = SequenceWindows(series, 2, 1, scaler=DBZ, missing="mask")
    assert data[0].past[1, 0, 0, 1] == 0
    assert data[0].future.isfinite().all()
    with pytest.raises(ValueError, match=r"Window 0 \(series 0, frames 0 to 2\) has 1 values.*missing='mask'"):
        SequenceWindows(series, 1, 2)[0]
    later = SequenceWindows(series, 1, 1, scaler=DBZ, missing="mask")[0].future
    assert later.isnan().nonzero().tolist() == [[0, 0, 0, 1]]
    torch.testing.assert_close(DBZ.to_physical(later).double(), torch.from_numpy(array[1:2, None]), equal_nan=True)


@pytest.mark.parametrize("kind", ["array", "tensor", "masked", "masked codes"])
def test_gaps_in_memory_are_found_at_once_and_only_where_there_are_windows(kind):
    array = radar(7, 2, 2)
    array[3, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"Window 1 .* has 1 values"):
        SequenceWindows(GAPS[kind](array), 2, 1, stride=3)
    assert len(SequenceWindows(GAPS[kind](array), 2, 1, stride=4)) == 2  # not frame 3
    assert len(SequenceWindows(GAPS[kind](array[:3]), 2, 1)) == 1


@pytest.mark.parametrize("kind", ["lazy", "memmap"])
def test_nobody_reads_a_whole_file_to_look_for_gaps(kind):
    array = radar(7, 2, 2)
    array[3, 0, 0] = np.nan
    data = SequenceWindows(GAPS[kind](array), 2, 1)
    assert data[0].past.isfinite().all()
    with pytest.raises(ValueError, match=r"Window 1 .* has 1 values"):
        data[1]


def bilinear(frame, size):
    """Half-pixel centres, no antialiasing, edges repeated, by its definition."""
    for axis, new in enumerate(size):
        old = frame.shape[axis]
        at = ((np.arange(new) + 0.5) * old / new - 0.5).clip(0, old - 1)
        low = np.floor(at).astype(int)
        high = (low + 1).clip(max=old - 1)
        weight = np.expand_dims(at - low, 1 - axis)
        frame = frame.take(low, axis) * (1 - weight) + frame.take(high, axis) * weight
    return frame


@given(*[st.integers(1, 7)] * 4)
def test_frames_are_resized(height, width, new_height, new_width):
    array = radar(3, height, width)
    data = SequenceWindows(array, 2, 1, size=(new_height, new_width), scaler=DBZ)
    assert data.frame_shape == (1, new_height, new_width)
    expected = [DBZ.to_model(bilinear(frame, (new_height, new_width)))[None] for frame in array]
    torch.testing.assert_close(torch.cat(data[0]), torch.tensor(np.array(expected)).float())


def test_size_brings_series_and_functions_to_one_shape():
    data = SequenceWindows([radar(3, 4, 4), radar(3, 2, 6)], 1, 2, size=(2, 2))
    assert {sample.future.shape for sample in data} == {(2, 1, 2, 2)}
    data = SequenceWindows(lambda i: radar(3, 2, 2 + i, 3), 1, 2, length=3, size=(5, 5))
    assert {sample.future.shape for sample in data} == {(2, 2, 5, 5)}


OK = np.zeros((5, 2, 2))
ERRORS = [
    ((OK, 2.5, 1), {}, r"in_frames must be an integer >= 1, got 2.5"),
    ((OK, 1, 1), {"stride": "2"}, r"stride must be an integer >= 1, got '2'"),
    ((OK, 0, 1), {}, r"in_frames must be an integer >= 1, got 0"),
    ((OK, 1, -1), {}, r"out_frames must be an integer >= 1, got -1"),
    ((OK, 1, 1), {"stride": 0}, r"stride must be an integer >= 1, got 0"),
    ((OK, 1, 1), {"size": (0, 4)}, r"height must be an integer >= 1, got 0"),
    ((OK, 1, 1), {"size": (4, 0)}, r"width must be an integer >= 1, got 0"),
    ((OK, 1, 1), {"out_channels": 0}, r"out_channels must be from 1 to 1, the channels of the frames, got 0"),
    ((OK, 1, 1), {"out_channels": 2}, r"out_channels must be from 1 to 1, .*got 2; None forecasts all"),
    ((OK, 1, 1), {"missing": "skip"}, r"missing must be 'error' or 'mask', got 'skip'"),
    (
        (OK[:, None].repeat(2, 1), 1, 1),
        {"variables": "uv"},
        r"variables must be a list of names, got 'uv'; write \['uv'\]",
    ),
    ((OK, 1, 1), {"length": 3}, r"length is for a function of frames, got length=3"),
    ((OK, 3, 3), {}, r"Series 0 has 5 frames, fewer than in_frames \+ out_frames = 6"),
    (([OK, OK[:2]], 2, 1), {}, r"Series 1 has 2 frames, fewer than in_frames \+ out_frames = 3"),
    (([], 1, 1), {}, r"frames must hold at least one series, got an empty list"),
    ((OK[0], 1, 1), {}, r"Series 0 must be \(T, C, H, W\) or \(T, H, W\), got ndarray of shape \(2, 2\)"),
    ((OK[:, :0], 1, 1), {}, r"Series 0 must be .* of shape \(5, 0, 2\)"),
    ((([[1.0]],), 1, 1), {}, r"Series 0 must be .* got list of shape \(\)"),
    (([OK, OK[..., :1]], 1, 1), {}, r"Series 1 .* \(1, 2, 1\), series 0 has \(1, 2, 2\); pass size=\(H, W\)"),
    (([OK, OK[:, None].repeat(2, 1)], 1, 1), {"size": (4, 4)}, r"Series 1 .* \(2, 2, 2\), series 0 has \(1, 2, 2\)"),
    ((lambda i: OK, 1, 4), {}, r"needs length=, and no stride; got length=None, stride=1"),
    ((lambda i: OK, 1, 4), {"length": 2, "stride": 2}, r"no stride; got length=2, stride=2"),
    ((lambda i: OK, 1, 4), {"length": 0}, r"length must be an integer >= 1, got 0"),
    ((lambda i: OK, 1, 1), {"length": 2}, r"Window 0 must be .* \(2, 1, 2, 2\) .* got \(5, 1, 2, 2\)"),
    ((lambda i: [1.0, 2.0], 1, 1), {"length": 2}, r"Window 0 must be .* got shape \(2,\)"),
    ((lambda i: OK + np.nan, 1, 4), {"length": 2}, r"Window 0 has 20 values that are NaN or infinite; fill them"),
    ((OK + np.inf, 1, 1), {}, r"Window 0 \(series 0, frames 0 to 1\) has 8 values that are NaN or infinite"),
]


@pytest.mark.parametrize(("args", "options", "message"), ERRORS, ids=[message for *_, message in ERRORS])
def test_errors(args, options, message):
    with pytest.raises(ValueError, match=message):
        SequenceWindows(*args, **options)


def test_errors_of_single_windows():
    with pytest.raises(ValueError, match="has 8 values that are NaN or infinite; replace infinities with NaN"):
        SequenceWindows(OK + np.inf, 1, 1, missing="mask")[0]
    with pytest.raises(ValueError, match=r"Window 1 must be .*\(2, 1, 2, 2\).*got \(2, 1, 3, 2\)"):
        SequenceWindows(lambda i: np.zeros((2, 2 + i, 2)), 1, 1, length=2)[1]


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, lambda array: array.astype(np.int64)])
def test_a_large_offset_does_not_cost_digits(kind):
    """Pressure of 101,325 Pa and a few hundredths, of which float32 can tell only steps of 1/128."""
    pressure = 101325 + np.random.default_rng(0).uniform(-0.05, 0.05, (5, 32, 32))
    scaler = Scaler(101325.0, 0.05, "Pa")
    if kind(np.zeros(1)).dtype == np.int64:
        pressure, scaler = (
            2**40 + np.random.default_rng(0).integers(0, 9, (5, 32, 32)).astype(float),
            Scaler(2.0**40, 9.0),
        )
    data = SequenceWindows(kind(pressure), 3, 2, scaler=scaler)
    expected = ((pressure - scaler.offset) / scaler.scale).astype(np.float32)
    assert data[0].past.dtype == torch.float32
    np.testing.assert_allclose(torch.cat(data[0])[:, 0], expected, atol=1e-9)
    masked = SequenceWindows(np.ma.masked_array(pressure, False), 3, 2, scaler=scaler)
    np.testing.assert_allclose(torch.cat(masked[0])[:, 0], expected, atol=1e-9)
    fitted = Scaler.standard(kind(pressure))
    np.testing.assert_allclose(fitted.scale, pressure.std(), rtol=1e-6)


@pytest.mark.parametrize(
    "frames", [np.zeros((4, 2, 2), np.complex64), torch.zeros(4, 2, 2, dtype=torch.complex64), np.full((4, 2, 2), "a")]
)
def test_frames_are_real_numbers(frames):
    with pytest.raises(ValueError, match=r"frames must be real numbers, got .*; convert them"):
        SequenceWindows(frames, 1, 1)
    with pytest.raises(ValueError, match=r"frames must be real numbers"):
        SequenceWindows(lambda index: frames[:2], 1, 1, length=1)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_last_is_told(channels):
    images = np.zeros((30, 64, 48, channels))
    with pytest.warns(UserWarning, match=rf"\(C, H, W\) = \(64, 48, {channels}\) look like channels-last.*moveaxis"):
        SequenceWindows(images, 5, 5)
    assert SequenceWindows(np.moveaxis(images, -1, -3), 5, 5).frame_shape == (channels, 64, 48)
    for unsuspicious in ((30, 8, 48, channels), (30, 64, 8, channels), (30, 64, 48, 5)):
        SequenceWindows(np.zeros(unsuspicious), 5, 5)
