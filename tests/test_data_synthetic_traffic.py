"""Made traffic is the same for the same seed and index, everywhere, and goes to work and home again."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stblocks.data import Sequence, SyntheticTraffic
from stblocks.data.synthetic_traffic import make_city


def frames(data):
    """All samples, `(N, T, 2, H, W)`."""
    return torch.stack([torch.cat(sample) for sample in data])


def same(a: Sequence, b: Sequence) -> bool:
    return torch.equal(a.past, b.past) and torch.equal(a.future, b.future)


def test_shapes_and_units():
    data = SyntheticTraffic(3, 2, 5, size=(10, 12))
    assert (len(data), data.in_frames, data.out_frames, data.frame_shape) == (3, 2, 5, (2, 10, 12))
    past, future = data[2]
    assert (past.shape, future.shape) == ((2, 2, 10, 12), (5, 2, 10, 12))
    assert past.dtype == future.dtype == torch.float32
    assert data.scaler.unit == "vehicles / 30 min"
    assert SyntheticTraffic(1)[0].future.shape == (4, 2, 32, 32)


def test_a_sample_is_drawn_from_seed_and_index_alone():
    data, again, shorter = SyntheticTraffic(4), SyntheticTraffic(4), SyntheticTraffic(2)
    assert same(data[3], again[3])  # whatever was drawn before
    assert same(data[1], shorter[1])
    assert not same(data[0], data[1])
    assert not same(data[0], SyntheticTraffic(4, seed=1)[0])
    assert not same(data[0], SyntheticTraffic(4, city=1)[0])
    for here, there in zip(DataLoader(data, 2), DataLoader(data, 2, num_workers=1), strict=True):
        assert same(here, there)


def test_the_global_generators_are_left_alone():
    np.random.seed(0)
    before = np.random.rand()
    np.random.seed(0)
    _ = SyntheticTraffic(2)[1]
    assert np.random.rand() == before


def test_values_are_flows():
    values = frames(SyntheticTraffic(64))
    assert values.min() >= 0
    assert values.max() <= 1
    assert values.amax((1, 2, 3, 4)).gt(0.1).all()
    assert (values == 1).float().mean() < 0.01
    assert 0.02 < values.std() < 0.3


def test_work_fills_in_the_morning_and_homes_in_the_evening():
    day = frames(SyntheticTraffic(4, 24, 24, noise=0.0)).double()
    homes, work = map(torch.tensor, make_city(0, (32, 32), 12))
    gain = (day[:, :, 0] - day[:, :, 1]) * (homes - work)  # of homes
    gain = gain.flatten(2).mean(dim=2)
    evening, morning = gain.argmax(dim=1), gain.argmin(dim=1)
    assert (gain.amax(dim=1) > 0.005).all()
    assert (gain.amin(dim=1) < -0.005).all()
    later = (evening - morning) % 48 / 2
    assert ((later > 8) & (later < 12)).all()  # hours


def test_the_city_is_the_same_every_day():
    """The mean over days tells homes and work, whatever the seed."""
    means = [frames(SyntheticTraffic(64, seed=seed)).mean(dim=(0, 1, 2)).flatten() for seed in (0, 1)]
    other = frames(SyntheticTraffic(64, city=1)).mean(dim=(0, 1, 2)).flatten()
    assert torch.corrcoef(torch.stack(means))[0, 1] > 0.95
    assert torch.corrcoef(torch.stack([means[0], other]))[0, 1] < 0.9


def test_the_noise_is_that_of_counts():
    quiet, loud = frames(SyntheticTraffic(16, noise=0.0)), frames(SyntheticTraffic(16, noise=0.05))
    inside = (quiet > 0.1) & (quiet < 0.8)
    error = ((loud - quiet) / quiet.sqrt())[inside]
    assert error.std().item() == pytest.approx(0.05, rel=0.05)
    assert abs(error.mean().item()) < 0.002


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (40, 3)])
def test_any_size(size):
    values = frames(SyntheticTraffic(2, 1, 2, size=size))
    assert values.shape == (2, 3, 2, *size)
    assert values.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "length must be an integer >= 1, got 0"),
        ({"in_frames": 0}, "in_frames must be an integer >= 1, got 0"),
        ({"size": (0, 8)}, "height must be an integer >= 1, got 0"),
        ({"spots": 0}, "spots must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed, city and noise must not be negative, got -1, 0 and 0.03"),
        ({"city": -1}, "seed, city and noise must not be negative, got 0, -1 and 0.03"),
        ({"noise": -1.0}, "seed, city and noise must not be negative, got 0, 0 and -1.0"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticTraffic(**{"length": 2, **options})
