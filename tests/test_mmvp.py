"""MMVP: motion matrices, and a network that moves the past along them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stblocks import MMVP, RRDB, create_model
from stblocks.core import model_entry
from stblocks.ops.motion_matrix import as_weights, composed, motion_matrices, resized_matrices

sides = st.integers(1, 3)


@settings(max_examples=10)
@given(length=st.integers(1, 4), future=st.integers(1, 3), size=st.tuples(sides, sides), seed=st.integers(0, 99))
def test_composed_features_are_means_along_products_of_matrices(length, future, size, seed):
    torch.manual_seed(seed)
    places = size[0] * size[1]
    features = torch.randn(2, length, 3, *size).double()
    past, ahead = torch.rand(2, length - 1, places, places).double(), torch.rand(2, future, places, places).double()
    made = composed(features, past, ahead)
    for k in range(future):
        total, weight = 0, 0
        for t in range(length):
            product = torch.eye(places).double()
            for matrix in (*past[:, t:].unbind(1), ahead[:, k]):
                product = product @ matrix
            total = total + features[:, t].flatten(2) @ product
            weight = weight + product.sum(dim=1, keepdim=True)
        torch.testing.assert_close(made[:, k].flatten(2), total / (weight + 1e-6))


def test_a_matrix_finds_what_has_moved():
    """Where every position has a feature of its own, its likeness is 1 where it went to."""
    frame = torch.eye(12).view(1, 1, 12, 3, 4)
    moved = frame.roll(1, dims=-1)
    matrix = motion_matrices(torch.cat([frame, moved], dim=1))[0, 0].view(3, 4, 3, 4)
    for row in range(3):
        for column in range(4):
            assert matrix[row, column, row, (column + 1) % 4] > 0.999
    assert matrix.sum().item() == pytest.approx(12, abs=1e-3)


def test_what_weights_sum_to():
    matrices = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(as_weights(matrices).sum(dim=(2, 3)), torch.ones(2, 3))
    torch.testing.assert_close(as_weights(matrices, "column").sum(dim=2), torch.ones(2, 3, 4))


def test_old_frames_count_by_columns_alone():
    """The released softmax makes each frame count less than the next by about the number of positions."""
    torch.manual_seed(0)
    past, future = torch.randn(1, 3, 16, 16), torch.randn(1, 1, 16, 16)
    features = torch.zeros(1, 4, 1, 4, 4)
    features[:, 0] = 1  # what of a forecast comes from the oldest frame
    share = {
        over: composed(features, as_weights(past, over), as_weights(future, over)) for over in ("matrix", "column")
    }
    assert share["matrix"].max() < 0.01
    torch.testing.assert_close(share["column"], torch.full((1, 1, 1, 4, 4), 0.25), atol=1e-4, rtol=0)


def test_the_same_grid_keeps_a_matrix():
    matrices = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(resized_matrices(matrices, (2, 3), (2, 3)), matrices)


def network(in_channels=1, out_channels=1, **options):
    torch.manual_seed(0)
    return MMVP(in_channels, out_channels, 2, 3, 3, 2, **{"depths": (1, 1, 1), "factors": (2, 2)} | options).eval()


@pytest.mark.parametrize("factors", [(2, 2), (4, 2), (2, 4), (2, 2, 2)])
def test_any_factors(factors):
    size = 2 * torch.tensor(factors).prod().item()
    assert network(factors=factors)(torch.rand(1, 3, 1, size, 2 * size)).shape == (1, 2, 1, size, 2 * size)


def test_scrambling_is_of_channels_and_positions():
    past = torch.rand(2, 3, 2, 8, 8)
    plain, scrambled = (network(2, 2, scrambled=each)(past) for each in (False, True))
    expected = plain.flatten(0, 1).permute(0, 2, 3, 1).reshape(2, 2, 2, 8, 8)
    assert not torch.allclose(plain, scrambled)
    torch.testing.assert_close(scrambled, expected)
    plain, scrambled = (network(scrambled=each)(past[:, :, :1]) for each in (False, True))
    assert plain.equal(scrambled)


def test_any_size_any_horizon_and_other_channels():
    options = {"channels": 2, "matrix_channels": 2, "depths": [1, 1, 1], "factors": [2, 2], "out_channels": 1}
    model = create_model("mmvp", 2, (9, 7), in_frames=2, out_frames=2, **options).eval()
    model.feedback = lambda frames: frames.repeat_interleave(2, dim=2)
    assert model(torch.rand(2, 2, 2, 9, 7), 5).shape == (2, 5, 1, 9, 7)


def test_the_released_size():
    """14.829 M for Moving MNIST, 0.709 M of which never take part."""
    assert f"{model_entry('mmvp').parameters / 1e6:.2f}" == f"{14.829 - 0.709:.2f}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MMVP(1, 1, 2, 3, 1, 2), "in_frames must be at least 2, between which there is motion, got 1"),
        (lambda: network(depths=(1, 1)), r"depths must have 3 entries, .* got \[1, 1\]"),
        (lambda: network(factors=(2,)), r"factors must be at least two numbers, 2 or 4 each, got \[2\]"),
        (lambda: network(factors=(2, 3)), r"factors must be .* got \[2, 3\]"),
        (lambda: network(weights="row"), "weights must be one of 'matrix', 'column', got 'row'"),
        (lambda: RRDB(1), "channels must be at least 2, half of which each convolution adds, got 1"),
    ],
)
def test_networks_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
