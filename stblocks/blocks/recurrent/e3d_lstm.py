"""E3D-LSTM: 3D convolutions over short windows of time, and a memory that recalls all it has held."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_odd, check_positive, choose
from ...core.block import Block
from ...core.slot import FILLED, PAST_C, PAST_X, C, H, M, O, Slot, X
from ..layers import Norm, make_norm, side_by_side
from .mau import push


class E3DLSTM(Block):
    r"""One step of an eidetic 3D LSTM.

    Wang et al., ICLR 2019, Sec. 3 (letters are ours). Maps are of D frames: their channels are (C, D), D the quicker,
    and $*$ is a 3D convolution over (D, H, W). In place of a forget gate, the memory recalls what it has held in the
    last $\tau$ steps, by attention of every position in frames and space to all positions of all of them:

    $$[i, g, r] = [\sigma, \tanh, \sigma](W_x * X_t + W_h * H_{t-1}) \tag{a}$$
    $$\mathrm{RECALL}(r, C) = \mathrm{softmax}(r \cdot C_{t-\tau:t-1}^\top) \cdot C_{t-\tau:t-1} \tag{b}$$
    $$C_t = \mathrm{Norm}(C_{t-1} + \mathrm{RECALL}(r, C)) + i \circ g \tag{c}$$

    A second memory climbs through the layers,

    $$[i', g', f'] = [\sigma, \tanh, \sigma](W'_x * X_t + W_m * M^{k-1}_t + [0, 0, b]) \tag{d}$$
    $$M_t = f' \circ \tanh(W'_m * M^{k-1}_t) + i' \circ g' \tag{e}$$
    $$o = \sigma(W_{xo} * X_t + W_{ho} * H_{t-1} + W_{co} * C_t + W_{mo} * M_t) \tag{f}$$
    $$H_t = o \circ \tanh(W_{1 \times 1 \times 1} * [C_t, M_t]) \tag{g}$$

    The tanh and $W'_m$ of (e) are the released code's; the published number of parameters needs them.

    Args:
        in_channels: Channels of `x`: of a frame if `first`, else D times those of each of its frames.
        channels: Channels of all others, D times those of each frame.
        first: Is this the bottom layer, whose window is its input and the D - 1 before it? Above it, `x` is the map of
            the layer below.
        window: D, at least 2.
        kernel_size: Side of the kernels in space, odd.
        kernel_depth: Length of the kernels in time, at most D.
        recall: $\tau$. While there have been fewer steps, all that there were are recalled, $C_0 = 0$ among them.
        time_padding: `"zeros"` pads windows in time, before them where one side needs more; `"stretch"` does not, and
            repeats frames of the result until there are D again, as released.
        tokens: What looks at what: `"positions"`, the channels of one position; or `"runs"`, as released, as many
            values of one channel as there are channels, in the order of (C, D, H, W).
        memory: `"carried"`, or `"dropped"`: as released, $M_t$ is used in (f) and (g), and then what came in passed on.
        output_gate: `"sigmoid"`, or `"sigmoid_tanh"`: as released, with a tanh inside of it.
        forget_bias: The constant b.
        memory_norm: Channels to the norm of (c); `None` is a group norm in one group, which has no size.
        norm: Channels to a norm, applied to each convolution's result but that of (g).

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h, c, m: `(B, channels, H, W)`; left out, they start from zeros.
        past_c: `(B, recall * channels, H, W)`, the memories of the steps before the last, oldest first.
        filled: `(B, recall, H, W)`, 1 where `past_c` holds such a memory; left out, it is 0.
        past_x: `(B, (window - 1) * in_channels, H, W)`, only if `first`: the inputs before this one, oldest first.
        returns: `h, c, m, past_c, filled, o` and, if `first`, `past_x`, as above; `o` the output gate for stages that
            follow.

    Raises:
        ValueError: If `window` is below 2 or `kernel_depth` above it, `channels` (or `in_channels` if not `first`) is
            no multiple of `window`, `kernel_size` is even, `recall` is not positive, or an option is another word.
    """

    reads: tuple[Slot, ...] = (X, H, C, M, PAST_C, FILLED)
    writes: tuple[Slot, ...] = (H, C, M, PAST_C, FILLED, O)
    owns: tuple[Slot, ...] = (H, C, M, PAST_C, FILLED)
    whole_map = True

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        first: bool = True,
        window: int = 2,
        kernel_size: int = 5,
        kernel_depth: int = 2,
        recall: int = 20,
        time_padding: str = "zeros",
        tokens: str = "positions",
        memory: str = "carried",
        output_gate: str = "sigmoid",
        forget_bias: float = 1.0,
        memory_norm: Norm | None = None,
        norm: Norm | None = None,
    ) -> None:
        check_positive(window=window, recall=recall, kernel_depth=kernel_depth)
        if window < 2 or kernel_depth > window:
            raise ValueError(
                f"window must be at least 2 and kernel_depth, got window={window}, kernel_depth={kernel_depth}."
            )
        of_windows = {"channels": channels} | ({} if first else {"in_channels": in_channels})
        for name, count in of_windows.items():
            if count % window:
                raise ValueError(f"{name} must be a multiple of window={window}, the frames of a map, got {count}.")
        if first:
            self.reads, self.writes, self.owns = (*self.reads, PAST_X), (*self.writes, PAST_X), (*self.owns, PAST_X)
        widths = {X: in_channels} | dict.fromkeys((H, C, M, O), channels)
        widths |= {PAST_C: recall * channels, FILLED: recall} | ({PAST_X: (window - 1) * in_channels} if first else {})
        super().__init__(widths)
        one, below = channels // window, in_channels if first else in_channels // window
        time_padding = choose("time_padding", time_padding, ("zeros", "stretch"))
        conv = partial(WindowConv, window, kernel_depth, kernel_size, stretch=time_padding == "stretch", norm=norm)
        self.conv_x, self.conv_h, self.conv_m = conv(below, 7 * one), conv(one, 4 * one), conv(one, 4 * one)
        self.conv_c_new, self.conv_m_new = conv(one, one), conv(one, one)
        self.conv_last = WindowConv(window, 1, 1, 2 * one, one)
        self.memory_norm = (
            nn.GroupNorm(1, channels) if memory_norm is None else make_norm(memory_norm, channels, "memory_norm")
        )
        self.first, self.window, self.forget_bias = first, window, forget_bias
        self.by_runs = choose("tokens", tokens, ("positions", "runs")) == "runs"
        self.carried = choose("memory", memory, ("carried", "dropped")) == "carried"
        self.squashed = choose("output_gate", output_gate, ("sigmoid", "sigmoid_tanh")) == "sigmoid_tanh"

    def forward(self, *given: Tensor | None) -> tuple[Tensor, ...]:
        """One step: `h, c, m, past_c, filled, o`, and if `first`, `past_x`."""
        x, h, c, m, past_c, filled, *past_x = self.take(*given, *[None] * (len(self.reads) - len(given)))
        past_c, filled = push(past_c, c), push(filled, torch.ones_like(filled[:, :1]))
        volume = x
        if self.first:
            frames = side_by_side(past_x[0], x)
            volume = frames.unflatten(1, (self.window, -1)).transpose(1, 2).flatten(1, 2)
            past_x = [frames[:, x.shape[1] :]]
        h, c, new, o = self.advance(volume, h, c, m, past_c, filled)
        return (h, c, new if self.carried else m, past_c, filled, o, *past_x)

    def advance(
        self, x: Tensor, h: Tensor, c: Tensor, m: Tensor, past: Tensor, filled: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`h, c, m, o` after a step that recalls this past, from the whole window of the input."""
        x_i, x_g, x_r, x_o, *x_m = self.conv_x(x).chunk(7, dim=1)
        h_i, h_g, h_r, h_o = self.conv_h(h).chunk(4, dim=1)
        i, g, r = torch.sigmoid(x_i + h_i), torch.tanh(x_g + h_g), torch.sigmoid(x_r + h_r)  # (a)
        c = self.memory_norm(c + self.recalled(r, past, filled)) + i * g  # (b, c)

        m_i, m_f, m_g, m_m = self.conv_m(m).chunk(4, dim=1)
        i, g, f = torch.sigmoid(x_m[0] + m_i), torch.tanh(x_m[1] + m_g), x_m[2] + m_f  # (d)
        m = torch.sigmoid(f + self.forget_bias) * torch.tanh(m_m) + i * g  # (e)

        o = x_o + h_o + self.conv_c_new(c) + self.conv_m_new(m)
        o = torch.sigmoid(torch.tanh(o) if self.squashed else o)  # (f)
        return o * torch.tanh(self.conv_last(side_by_side(c, m))), c, m, o  # (g)

    def recalled(self, r: Tensor, past: Tensor, filled: Tensor) -> Tensor:
        """(b): what the gate `r` finds in the part of the past that is filled."""
        steps = filled.shape[1]
        keys = past.unflatten(1, (steps, -1))
        query, keys = self._tokens(r.unsqueeze(1)), self._tokens(keys)
        there = (filled.flatten(2)[..., :1] > 0).expand(-1, -1, keys.shape[1] // steps).flatten(1)
        looked = functional.scaled_dot_product_attention(
            query.unsqueeze(1), keys.unsqueeze(1), keys.unsqueeze(1), there[:, None, None], scale=1.0
        ).squeeze(1)
        return (looked if self.by_runs else looked.mT).reshape(r.shape)

    def _tokens(self, maps: Tensor) -> Tensor:
        """`(B, steps, channels, H, W)` to `(B, tokens, C)`."""
        width = maps.shape[2] // self.window
        if self.by_runs:
            return maps.reshape(len(maps), -1, width)
        return maps.unflatten(2, (width, self.window)).movedim(2, -1).flatten(1, 4)


class WindowConv(nn.Module):
    """A 3D convolution of maps whose channels are (C, D), D frames of each channel.

    Args:
        window: D.
        kernel_depth: Length of the kernel in time.
        kernel_size: Its sides, odd.
        in_channels: Of a frame that comes in.
        channels: Of a frame that goes out.
        stretch: Whether time is not padded, but frames of the result are repeated.
        norm: Channels to a norm of the result.
    """

    def __init__(
        self,
        window: int,
        kernel_depth: int,
        kernel_size: int,
        in_channels: int,
        channels: int,
        *,
        stretch: bool = False,
        norm: Norm | None = None,
    ) -> None:
        super().__init__()
        check_odd("kernel_size", kernel_size)
        side = kernel_size // 2
        kernel = (kernel_depth, kernel_size, kernel_size)
        self.conv = nn.Conv3d(in_channels, channels, kernel, padding=(0, side, side), bias=False)
        self.norm = None if norm is None else make_norm(norm, channels * window)
        self.window, self.stretch = window, stretch
        self.padding = (0, 0, 0, 0, kernel_depth // 2, (kernel_depth - 1) // 2)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, in_channels * window, H, W)` to `(B, channels * window, H, W)`."""
        volume = maps.unflatten(1, (-1, self.window))
        if self.stretch:
            volume = self.conv(volume)
            volume = functional.interpolate(volume, size=(self.window, *volume.shape[3:]), mode="nearest")
        else:
            volume = self.conv(functional.pad(volume, self.padding))
        maps = volume.flatten(1, 2)
        return maps if self.norm is None else self.norm(maps)
