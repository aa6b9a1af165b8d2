"""Made rain is the same for the same seed and index, everywhere, and looks like rain in dBZ."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stblocks.data import CIKM_DBZ, Sequence, SyntheticRadar


def dbz(data):
    """All samples, `(N, T, C, H, W)`, in dBZ."""
    return data.scaler.to_physical(torch.stack([torch.cat(sample) for sample in data]))


def same(a: Sequence, b: Sequence) -> bool:
    return torch.equal(a.past, b.past) and torch.equal(a.future, b.future)


def test_shapes_and_units():
    data = SyntheticRadar(3, 2, 4, size=(20, 30))
    assert (len(data), data.in_frames, data.out_frames, data.frame_shape) == (3, 2, 4, (1, 20, 30))
    assert data.scaler == CIKM_DBZ
    past, future = data[2]
    assert (past.shape, future.shape) == ((2, 1, 20, 30), (4, 1, 20, 30))
    assert past.dtype == future.dtype == torch.float32
    assert [*SyntheticRadar(1)[0].future.shape] == [10, 1, 64, 64]


def test_a_sample_is_drawn_from_seed_and_index_alone():
    data, again, shorter = SyntheticRadar(4), SyntheticRadar(4), SyntheticRadar(2)
    assert same(data[3], again[3])  # whatever was drawn before
    assert same(data[3], data[3])
    assert same(data[1], shorter[1])
    assert same(data[-1], data[3])
    assert not same(data[0], data[1])
    assert not same(data[0], SyntheticRadar(4, seed=1)[0])
    assert not same(data[1], SyntheticRadar(4, seed=1)[0])


def test_the_global_generators_are_left_alone():
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.rand(1), np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    _ = SyntheticRadar(2)[1]
    assert (torch.rand(1), np.random.rand()) == before


def test_a_worker_makes_the_same_samples():
    data = SyntheticRadar(4, 2, 2, size=(16, 16))
    for here, there in zip(DataLoader(data, 2), DataLoader(data, 2, num_workers=1), strict=True):
        assert same(here, there)


def test_values_are_those_of_rain():
    values = dbz(SyntheticRadar(24))
    assert values.isfinite().all()
    assert values.min() >= -10
    assert values.max() < 75
    for threshold, low, high in ((20, 0.08, 0.6), (30, 0.02, 0.35), (40, 0.001, 0.12)):
        assert low < (values >= threshold).float().mean() < high
    wet = (values >= 20).float().mean((1, 2, 3, 4))
    assert wet.std() > 0.03  # some samples have much rain, some little
    assert (values == -10).float().mean() < 0.5


def test_rain_moves_as_one_piece():
    """Following the wind that fits best forecasts better than standing still, and that better than another sample."""
    values = dbz(SyntheticRadar(8, noise=0.0))[:, :, 0]
    last, target = values[:, 4], values[:, 7]
    inner = (..., slice(8, -8), slice(8, -8))
    shifts = [(y, x) for y in range(-8, 9) for x in range(-8, 9)]
    errors = torch.stack([(last.roll(s, (-2, -1)) - target)[inner].square().mean((1, 2)) for s in shifts])
    persistence = (last - target)[inner].square().mean((1, 2))
    another = (last.roll(1, 0) - target)[inner].square().mean((1, 2))
    assert (errors.amin(0) < 0.9 * persistence).all()
    assert errors.amin(0).mean() < 0.5 * persistence.mean() < 0.4 * another.mean()
    distance = torch.tensor(shifts).float().norm(dim=1)[errors.argmin(0)]
    assert distance.gt(0.5).all()  # 0.5 to 2 pixels a frame, over 3 frames
    assert distance.lt(8).all()


def test_noise_is_speckle_of_its_size():
    quiet, loud = dbz(SyntheticRadar(2, noise=0.0)), dbz(SyntheticRadar(2, noise=3.0))
    above = (quiet > 5) & (loud > -10)  # away from the floor
    assert (loud - quiet)[above].std().item() == pytest.approx(3.0, rel=0.05)
    assert abs((loud - quiet)[above].mean().item()) < 0.1


def test_cells_bring_rain():
    wet = [(dbz(SyntheticRadar(6, cells=cells)) >= 30).float().mean().item() for cells in (1, 20, 60)]
    assert wet == sorted(wet)
    assert wet[0] < 0.05 < wet[2]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (40, 3), (101, 101)])
def test_any_size(size):
    values = dbz(SyntheticRadar(1, 1, 2, size=size))
    assert values.shape == (1, 3, 1, *size)
    assert values.isfinite().all()
    assert values.min() >= -10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "length must be an integer >= 1, got 0"),
        ({"in_frames": 0}, "in_frames must be an integer >= 1, got 0"),
        ({"out_frames": 0}, "out_frames must be an integer >= 1, got 0"),
        ({"size": (0, 8)}, "height must be an integer >= 1, got 0"),
        ({"size": (8, 0)}, "width must be an integer >= 1, got 0"),
        ({"cells": 0}, "cells must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed and noise must not be negative, got seed=-1, noise=1.0"),
        ({"noise": -1.0}, "seed and noise must not be negative, got seed=0, noise=-1.0"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticRadar(**{"length": 2, **options})
