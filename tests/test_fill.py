"""Missing cells of the past get their last known value, then the mean, then 0; what stood there has no part in it."""

import inspect
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset, Subset

from stblocks import data
from stblocks.data import DataSpec, Scaler, SequenceWindows, fill_missing


@st.composite
def frames_with_gaps(draw):
    torch.manual_seed(draw(st.integers(0, 10**6)))
    shape = [draw(st.integers(1, 4)) for _ in range(5)]
    frames = torch.randn(shape, dtype=torch.float64)
    return frames.masked_fill(torch.rand(shape) < draw(st.sampled_from([0.0, 0.5, 0.9, 1.0])), torch.nan)


@given(frames_with_gaps())
def test_cell_by_cell(frames):
    filled, known = fill_missing(frames)
    assert torch.equal(known, ~frames.isnan())
    for b, t, c, i, j in np.ndindex(*frames.shape):
        seen = [value for value in frames[b, : t + 1, c, i, j].tolist() if not math.isnan(value)]
        every = [value for value in frames[b, :, c].flatten().tolist() if not math.isnan(value)]
        expected = seen[-1] if seen else sum(every) / len(every) if every else 0.0
        assert filled[b, t, c, i, j].item() == pytest.approx(expected)
    assert torch.equal(filled[:1], fill_missing(frames[:1])[0])
    assert torch.equal(filled[0], fill_missing(frames[0])[0])


def test_windows_fill_as_they_are_told_in_model_units():
    frames = np.arange(24.0).reshape(6, 2, 2)
    frames[2, 0, 0] = frames[0, 1, 1] = frames[4, 1, 0] = np.nan
    scaler = Scaler(offset=1.0, scale=2.0)
    zero = SequenceWindows(frames, 3, 3, scaler=scaler, missing="mask")[0]
    last = SequenceWindows(frames, 3, 3, scaler=scaler, missing="mask", fill="last")[0]
    known = frames[:3][~np.isnan(frames[:3])]
    assert (zero.past[2, 0, 0, 0], zero.past[0, 0, 1, 1]) == (0, 0)
    assert last.past[2, 0, 0, 0] == (4.0 - 1) / 2
    assert last.past[0, 0, 1, 1].item() == pytest.approx((known.mean() - 1) / 2)
    assert last.past[1].equal(zero.past[1])
    assert last.future[1, 0, 1, 0].isnan()


def test_data_sets_that_let_missing_cells_through_fill_as_they_are_told(tmp_path):
    classes = [each for each in map(partial(getattr, data), data.__all__) if hasattr(each, "__getitem__")]
    options = {each.__name__: inspect.signature(each).parameters for each in classes}
    assert {name for name, own in options.items() if "missing" in own} >= {"FrameFolders", "RadarArchive", "SEVIR"}
    for name, own in options.items():
        assert ("missing" in own) == ("fill" in own), name
    frames = 9 + np.arange(24.0).reshape(6, 2, 2)
    frames[1, 0, 0] = np.nan
    for number, frame in enumerate(frames):
        np.save(tmp_path / f"{number}.npy", frame)
    assert data.FrameFolders(tmp_path, 3, 3, missing="mask", fill="last")[0].past[1, 0, 0, 0] == 9


@pytest.mark.parametrize("way", ["zero", "last", torch.zeros(2), print])
def test_a_model_knows_how_its_data_were_filled(way):
    """Where the data set says so; attributes of these names may be anything in another's."""
    frames, known = np.zeros((6, 2, 2)), way if isinstance(way, str) else None
    gaps = SequenceWindows(frames, 3, 3, missing="mask", fill=known or "zero")
    gaps.fill = way
    chain = ConcatDataset([gaps, Subset(gaps, [0])])
    assert DataSpec.of(gaps).fill == DataSpec.of(chain).fill == known
    assert DataSpec.from_dict(DataSpec.of(gaps).to_dict()).fill == known
    whole = SequenceWindows(frames, 3, 3)
    assert DataSpec.of(whole).fill is None
    assert DataSpec.of(ConcatDataset([whole, gaps])).fill == known  # a part without gaps fills none
    other = SequenceWindows(frames, 3, 3, missing="mask", fill="last" if known == "zero" else "zero")
    assert DataSpec.of(ConcatDataset([gaps, other])).fill == (None if known else other.fill)
    foreign = type("Pairs", (list,), {"fill": "zero", "missing": np.zeros(2)})([whole[0]])
    assert DataSpec.of(foreign).fill is None


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="fill of a DataSpec must be one of 'zero', 'last', or None, got 'mean'"):
        DataSpec(fill="mean")
    gap = SequenceWindows(np.full((4, 2, 2), np.nan), 1, 1, missing="mask", fill=None)
    with pytest.raises(
        ValueError, match=r"Window 1 .* has 4 missing values in its past frames, .* give fill='zero' or"
    ):
        gap[1]
    with pytest.raises(ValueError, match="fill must be 'zero', 'last' or None, got 'mean'"):
        SequenceWindows(np.zeros((4, 2, 2)), 1, 1, missing="mask", fill="mean")
    with pytest.raises(ValueError, match="fill='last' needs missing='mask'"):
        SequenceWindows(np.zeros((4, 2, 2)), 1, 1, fill="last")
    with pytest.raises(ValueError, match=r"frames must be \(T, C, H, W\) or .*got \(2, 2\)"):
        fill_missing(torch.zeros(2, 2))
