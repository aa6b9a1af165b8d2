"""CrevNet: what is done can be undone, by the same weights, and halves take turns."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from stblocks import Coupling, ReversiblePair, STConvLSTM, TwoWayDecoder, TwoWayEncoder, create_model
from stblocks.testing import example


@settings(max_examples=8)
@given(
    patch=st.sampled_from([1, 2, 4]),
    more=st.integers(0, 3),
    depth=st.integers(1, 4),
    size=st.tuples(*[st.integers(1, 4)] * 2),
)
def test_encoder_and_decoder_are_a_bijection(patch, more, depth, size):
    torch.manual_seed(0)
    encoder = TwoWayEncoder(2, 2 * patch**2 + 2 * more, patch_size=patch, depth=depth).double()
    frames = torch.rand(2, 2, *(patch * side for side in size), dtype=torch.float64)
    features = encoder(frames)
    assert features.shape == (2, 2 * patch**2 + 2 * more, *size)
    torch.testing.assert_close(TwoWayDecoder(encoder)(features), frames)


def test_a_coupling_by_hand_and_back():
    torch.manual_seed(0)
    coupling, pair = Coupling(6).double(), torch.randn(2, 6, 4, 5, dtype=torch.float64)
    first, second = pair[:, :3], pair[:, 3:]
    second = second + coupling.to_second(first)
    first = first + coupling.to_first(second)
    made = coupling(pair)
    torch.testing.assert_close(made, torch.cat([first, second], dim=1))
    assert (made - pair).abs().min() > 0
    torch.testing.assert_close(coupling.undo(made), pair)


@settings(max_examples=6)
@given(seed=st.integers(0, 99))
def test_a_step_by_hand_and_back(seed):
    pair, (x, q, c, m) = example(lambda: ReversiblePair(6, kernel_size=3), seed=seed)
    h, q_new, c_new, m_new = pair(x, q, c, m)
    for ours, expected in zip((q_new, c_new, m_new), pair.lstm(x[:, :3], q, c, m), strict=False):  # (a)
        torch.testing.assert_close(ours, expected)
    first, _, second = pair.attention
    hidden = torch.relu(conv2d(q_new, first.weight, first.bias, padding=1))
    gate = torch.sigmoid(conv2d(hidden, second.weight, second.bias, padding=1))  # (b)
    torch.testing.assert_close(h[:, :3], (1 - gate) * x[:, 3:] + gate * q_new)  # (c)
    assert h[:, 3:].equal(x[:, :3])  # (d)
    torch.testing.assert_close(pair.undo(h, q_new), x)


def test_layers_that_let_nothing_in_give_the_frame_back():
    """An even number of turns puts the halves where they were; then the forecast is persistence, from any weights."""
    torch.manual_seed(0)
    model = create_model("crevnet", 2, feature_channels=12, num_layers=2, patch_size=2, couplings=3).double()
    for part in model.modules():
        if isinstance(part, ReversiblePair):
            torch.nn.init.zeros_(part.attention[2].weight)
            torch.nn.init.constant_(part.attention[2].bias, -60.0)
    past = torch.rand(1, 3, 2, 7, 10, dtype=torch.float64)
    torch.testing.assert_close(model(past, 2), past[:, -1:].expand(-1, 2, -1, -1, -1))


def test_one_set_of_weights_serves_both_ways():
    model = create_model("crevnet", feature_channels=16, num_layers=1, couplings=2)
    assert model.head[0].encoder is model.stem
    names = {name.partition(".")[0] for name, _ in model.named_parameters()}
    assert names == {"stem", "stack"}
    assert sum(isinstance(part, STConvLSTM) for part in model.modules()) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReversiblePair(5), "channels must be even, for a pair of maps, got 5"),
        (lambda: Coupling(3), "channels must be even, for a pair of maps, got 3"),
        (lambda: create_model("crevnet", feature_channels=17), "channels must be even, for a pair of maps, got 17"),
        (
            lambda: create_model("crevnet", 3, feature_channels=46),
            r"at least in_channels \* patch_size\*\*2 = 48, .* got 46",
        ),
        (lambda: create_model("crevnet", couplings=0), "couplings must be an integer >= 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
