"""GFM: the global focus module, which mixes what the whole frame says into the hidden state."""

import torch
from einops import reduce
from torch import Tensor, nn
from torch.nn import functional

from ..core.block import Block
from ..core.slot import H, X
from .layers import Norm, choose, conv


class GFM(Block):
    r"""Global focus module.

    GMG paper, Sec. III-B:

    $$X^g_t = \mathrm{ReLU}(\mathrm{Linear}(\mathrm{AAP}(\mathrm{ReLU}(W_1 * X_t)))) \tag{1, 2}$$
    $$G = \sigma(W_2 * [H_t, X^g_t]) \qquad H^g_t = H_t \circ G + X^g_t \circ (1 - G) \tag{3, 4}$$
    $$g_t = \sum_{k = 1, 3, 5} W_{k \times k} * X_t \qquad H^g_t \leftarrow H^g_t \circ g_t \tag{5, 6}$$

    with AAP the mean over the map and $X^g_t$ the same at every position. The paper gives $g_t$ the shape T x C; its
    released code keeps the map, as the Hadamard product of Eq. 6 needs, and so does the default.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `h`.
        focus: `"spatial"` keeps $g_t$ a map; `"pooled"` takes its mean over the map first.
        norm: Channels to a norm, applied to $g_t$.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h: `(B, channels, H, W)`.
        returns: `h`.

    Raises:
        ValueError: If an argument or a shape is not as said here.
    """

    reads = (X, H)
    writes = (H,)

    def __init__(self, in_channels: int, channels: int, *, focus: str = "spatial", norm: Norm | None = None) -> None:
        super().__init__({X: in_channels, H: channels})
        self.local = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.linear = nn.Linear(channels, channels)
        self.gate = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.focus = MultiScaleConv(in_channels, channels)
        self.norm = None if norm is None else norm(channels)
        self.pooled = choose("focus", focus, ("spatial", "pooled")) == "pooled"

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """`h` that knows of the whole map."""
        x, h = self.take(x, h)
        pooled = reduce(torch.relu(self.local(x)), "b c h w -> b c", "mean")  # (1)
        overall = torch.relu(self.linear(pooled))  # (2), (B, C)
        gate = torch.sigmoid(self._gate(h, overall))  # (3)
        overall = overall[:, :, None, None]
        h = overall + gate * (h - overall)  # (4)
        focus = self.focus(x)  # (5)
        if self.norm is not None:
            focus = self.norm(focus)
        return h * (focus.mean(dim=(2, 3), keepdim=True) if self.pooled else focus)  # (6)

    def _gate(self, h: Tensor, overall: Tensor) -> Tensor:
        """`gate([h, overall])` without convolving a constant map.

        Of a constant map a convolution sees one number per channel, times how many of its taps lie inside the map.
        """
        for_h, for_overall = self.gate.weight.chunk(2, dim=1)
        local = functional.conv2d(h, for_h, self.gate.bias, padding=1)
        per_tap = torch.einsum("oiyx,bi->boyx", for_overall, overall).flatten(2)  # (B, C, 9)
        inside = functional.unfold(h.new_ones(1, 1, *h.shape[2:]), 3, padding=1)[0]  # (9, H W): 1 inside, 0 outside
        return local + (per_tap @ inside.to(per_tap.dtype)).unflatten(2, h.shape[2:])


class SimpleGFM(Block):
    r"""The simplified global focus module of GMG-s: $H^g_t = H_t \circ (W_{5 \times 5} * X_t)$.

    GMG paper, Eqs. 20-21. The 5x5 kernel without bias is what the published parameter count needs.

    Args:
        in_channels: Channels of `x`.
        channels: Channels of `h`.
        kernel_size: Side of the kernel, odd.
        norm: Channels to a norm, applied to the convolution's result.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        h: `(B, channels, H, W)`.
        returns: `h`.
    """

    reads = (X, H)
    writes = (H,)

    def __init__(self, in_channels: int, channels: int, *, kernel_size: int = 5, norm: Norm | None = None) -> None:
        super().__init__({X: in_channels, H: channels})
        self.focus = conv(in_channels, channels, kernel_size, norm=norm)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """`h`, focused."""
        x, h = self.take(x, h)
        return h * self.focus(x)


class MultiScaleConv(nn.Module):
    """Sum of a 1x1, a 3x3 and a 5x5 convolution, computed as the one 5x5 convolution it is (GMG paper, Eq. 5)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(in_channels, out_channels, 1)
        self.three = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.five = nn.Conv2d(in_channels, out_channels, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, in_channels, H, W)` to `(B, out_channels, H, W)`."""
        weight = (
            self.five.weight + functional.pad(self.three.weight, [1] * 4) + functional.pad(self.one.weight, [2] * 4)
        )
        bias = torch.stack([self.one.bias, self.three.bias, self.five.bias]).sum(0)  # type: ignore[list-item]
        return functional.conv2d(x, weight, bias, padding=2)
