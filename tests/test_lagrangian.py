"""A network that corrects advection starts from it, and sees what arrives at each lead time."""

import pytest
import torch

from stblocks import create_model
from stblocks.ops.optical_flow import carry, optical_flow, paths
from tests.test_baselines import waves


def grown(model):
    """A model whose correction is not zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def test_untrained_it_is_advection():
    past = waves((31, 24), 5, (1.0, -2.0), channels=2)
    expected = create_model("advection", 2)(past, 4)
    torch.testing.assert_close(create_model("lagrangian", 2, channels=4)(past, 4), expected)
    assert not torch.allclose(grown(create_model("lagrangian", 2, channels=4))(past, 4), expected)


def test_the_network_sees_past_frames_where_they_arrive():
    past = waves((24, 24), 5, (1.0, 0.5))
    model = create_model("lagrangian", channels=4, lags=[0, 2])
    ways = paths(optical_flow(past), 5)
    for lead in range(3):
        last, inside = carry(past[:, -1], ways[:, lead])
        older, _ = carry(past[:, -3], ways[:, lead + 2])
        torch.testing.assert_close(model.carried(past, 3)[:, lead], torch.cat([last, older, inside], dim=1))
    # With a steady motion, old and new frames arrive alike: what is left to see is growth and decay.
    arrived = model.carried(past, 2)[:, :, :, 8:-8, 8:-8]
    assert (arrived[:, :, 0] - arrived[:, :, 1]).abs().mean() < 0.1 * arrived[:, :, 0].std()


def test_a_forecast_is_the_beginning_of_any_longer_one_whatever_the_size_and_the_past():
    model = grown(create_model("lagrangian", channels=4)).eval()
    for length, size in ((1, (1, 1)), (2, (9, 7)), (6, (16, 18))):
        past = torch.rand(2, length, 1, *size)
        longer = model(past, 5)
        assert longer.shape == (2, 5, 1, *size)
        torch.testing.assert_close(model(past, 2), longer[:, :2])
        torch.testing.assert_close(model(past[1:], 5), longer[1:])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_it_works_in_the_precision_of_its_weights(dtype):
    past = torch.rand(1, 4, 1, 12, 10, generator=torch.Generator().manual_seed(0))
    model = grown(create_model("lagrangian", channels=4)).eval()
    expected = model(past, 2)
    forecast = model.to(dtype)(past.to(dtype), 2)
    assert forecast.dtype is dtype
    torch.testing.assert_close(forecast.float(), expected, atol=0.1, rtol=0)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match=r"lags must be whole numbers from 0 on, 0 first.* got \[1, 2\]"):
        create_model("lagrangian", lags=[1, 2])
    with pytest.raises(ValueError, match=r"dilations\[1\] must be an integer >= 1, got 0"):
        create_model("lagrangian", dilations=[1, 0])
    with pytest.raises(ValueError, match="teacher_mask must be None: no forecast of this model is fed back"):
        create_model("lagrangian").rollout(
            torch.rand(1, 2, 1, 4, 4), 1, teacher_mask=torch.ones(1, 2, dtype=torch.bool)
        )
