"""E3D-LSTM against its equations; what it recalls, and how far back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv3d, pad

from stblocks import E3DLSTM, Cell, RecurrentStack, create_model
from stblocks.testing import check_cell, example


def by_hand(block, x, h, c, m, past):
    """(a) to (g), with maps `(B, C, D, H, W)` and `past` a list of memories."""

    def conv(layer, maps):
        side = layer.conv.weight.shape[-1] // 2
        depth = layer.conv.weight.shape[2]
        return conv3d(pad(maps, (side,) * 4 + (depth // 2, (depth - 1) // 2)), layer.conv.weight)

    x_i, x_g, x_r, x_o, *x_m = conv(block.conv_x, x).chunk(7, 1)
    h_i, h_g, h_r, h_o = conv(block.conv_h, h).chunk(4, 1)
    i, g, r = torch.sigmoid(x_i + h_i), torch.tanh(x_g + h_g), torch.sigmoid(x_r + h_r)  # (a)
    keys = torch.cat([each.flatten(2) for each in past], dim=2)  # (B, C, all positions of all steps)
    recalled = torch.einsum("bcn,bck->bnk", r.flatten(2), keys).softmax(-1) @ keys.mT  # (b)
    joined = (c + recalled.mT.view(c.shape)).flatten(1)
    mean, deviation = joined.mean(1, keepdim=True), joined.var(1, keepdim=True, unbiased=False)
    normed = ((joined - mean) / (deviation + 1e-5).sqrt()).view_as(c)
    weight, bias = (each.view(1, c.shape[1], c.shape[2], 1, 1) for each in block.memory_norm.parameters())
    c = normed * weight + bias + i * g  # (c)
    m_i, m_f, m_g, m_m = conv(block.conv_m, m).chunk(4, 1)
    f = torch.sigmoid(x_m[2] + m_f + 1)
    m = f * torch.tanh(m_m) + torch.sigmoid(x_m[0] + m_i) * torch.tanh(x_m[1] + m_g)  # (d, e)
    o = torch.sigmoid(x_o + h_o + conv(block.conv_c_new, c) + conv(block.conv_m_new, m))  # (f)
    return o * torch.tanh(conv(block.conv_last, torch.cat([c, m], 1))), c, m, o  # (g)


@settings(max_examples=8)
@given(window=st.integers(2, 3), depth=st.integers(1, 2), recall=st.integers(1, 4), seed=st.integers(0, 99))
def test_steps_by_hand(window, depth, recall, seed):
    """Through the first steps, while there is less past than could be recalled, and beyond."""
    options = {"window": window, "kernel_size": 3, "kernel_depth": depth, "recall": recall}
    block, _ = example(lambda: E3DLSTM(2, 2 * window, **options), seed=seed)
    cell, state = Cell(block), None
    frames = [torch.zeros(2, 2, 4, 3, dtype=torch.float64)] * (window - 1)
    frames += list(torch.randn(4, 2, 2, 4, 3, dtype=torch.float64))
    h = c = m = torch.zeros(2, 2, window, 4, 3, dtype=torch.float64)
    held = []
    for t in range(4):
        held.append(c)
        x = torch.stack(frames[t : t + window], dim=2)
        h, c, m, o = by_hand(block, x, h, c, m, held[-recall:])
        y, state = cell(frames[t + window - 1], state)
        torch.testing.assert_close(y, h.flatten(1, 2))
        torch.testing.assert_close(state["c"], c.flatten(1, 2))
        torch.testing.assert_close(state["m"], m.flatten(1, 2))
        assert state["filled"][0, :, 0, 0].tolist() == [0] * (recall - t - 1) + [1] * min(t + 1, recall)
    assert o.unique().numel() > 1


def test_a_recall_longer_than_the_past_recalls_what_there_is():
    """However much longer: the same frames, from one state and from the other."""
    torch.manual_seed(0)
    short, long = (create_model("e3d_lstm", channels=4, num_layers=2, recall=n, memory_norm="group") for n in (4, 9))
    long.load_state_dict(short.state_dict())
    past = torch.rand(1, 2, 1, 16, 16)
    torch.testing.assert_close(long(past, 3), short(past, 3))  # 4 steps
    with pytest.raises(AssertionError):
        torch.testing.assert_close(long(past, 5), short(past, 5))


def test_what_no_step_filled_has_no_effect_and_what_fell_out_neither():
    block, (x, h, c, m, past, filled, past_x) = example(lambda: E3DLSTM(3, 4, kernel_size=3, recall=3))
    filled = torch.tensor([0.0, 0.0, 1.0]).double().view(1, 3, 1, 1).expand_as(filled)
    before = block(x, h, c, m, past, filled, past_x)
    other = past.clone()
    other[:, :8] = 1e3  # one is let go, the other was never filled
    assert all(torch.equal(a, b) for a, b in zip(before[:3], block(x, h, c, m, other, filled, past_x)[:3], strict=True))
    other[:, 8:] += 1
    assert not torch.equal(before[1], block(x, h, c, m, other, filled, past_x)[1])


def test_windows_of_the_bottom_are_its_last_inputs():
    torch.manual_seed(0)
    bottom, above = E3DLSTM(3, 6, window=3, recall=1), E3DLSTM(9, 6, first=False, window=3, recall=1)
    above.load_state_dict(bottom.state_dict())
    a, b, c = torch.rand(3, 2, 3, 4, 5)
    y, *_, past_x = bottom(c, None, None, None, None, None, torch.cat([a, b], dim=1))
    whole = torch.stack([a, b, c], dim=2).flatten(1, 2)
    torch.testing.assert_close(y, above(whole)[0])
    assert past_x.equal(torch.cat([b, c], dim=1))
    check_cell(Cell(E3DLSTM(3, 4, kernel_size=3, recall=2)))


def test_the_second_memory_climbs_unless_it_is_dropped():
    x = torch.rand(1, 2, 4, 3)
    for memory in ("carried", "dropped"):
        torch.manual_seed(0)
        options = {"recall": 2, "kernel_size": 3, "memory": memory}
        stack = RecurrentStack([Cell(E3DLSTM(2, 4, **options)), Cell(E3DLSTM(4, 4, first=False, **options))])
        _, state = stack(x)
        assert bool(state["zigzag"]["m"].any()) is (memory == "carried")


def test_stretched_windows_are_of_equal_frames():
    block, maps = example(lambda: E3DLSTM(3, 4, kernel_size=3, recall=2, time_padding="stretch"))
    _, _, m, *_ = block(*maps)
    first, second = m.unflatten(1, (2, 2)).unbind(2)
    assert first.equal(second)
    block, maps = example(lambda: E3DLSTM(3, 4, kernel_size=3, recall=2))
    first, second = block(*maps)[2].unflatten(1, (2, 2)).unbind(2)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: E3DLSTM(3, 4, recall=0), "recall must be an integer >= 1, got 0"),
        (lambda: E3DLSTM(3, 4, window=1), "window must be at least 2 and kernel_depth, got window=1, kernel_depth=2"),
        (lambda: E3DLSTM(3, 4, kernel_depth=3), "window must be at least 2 and kernel_depth, got window=2"),
        (lambda: E3DLSTM(3, 5), "channels must be a multiple of window=2, the frames of a map, got 5"),
        (lambda: E3DLSTM(3, 4, first=False), "in_channels must be a multiple of window=2, the frames of a map, got 3"),
        (lambda: E3DLSTM(3, 4, kernel_size=2), "kernel_size must be an odd integer"),
        (lambda: E3DLSTM(3, 4, tokens="all"), "tokens must be one of 'positions', 'runs', got 'all'"),
        (lambda: E3DLSTM(3, 4, memory="kept"), "memory must be one of 'carried', 'dropped', got 'kept'"),
        (lambda: E3DLSTM(3, 4, time_padding="same"), "time_padding must be one of 'zeros', 'stretch', got 'same'"),
        (lambda: E3DLSTM(3, 4, output_gate="tanh"), "output_gate must be one of 'sigmoid', 'sigmoid_tanh', got 'tanh'"),
        (lambda: create_model("e3d_lstm", memory_norm=None), "memory_norm must be a text, got None"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
