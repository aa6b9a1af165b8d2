"""GFM: the global focus module, which mixes what the whole frame says into the hidden state."""

from typing import Any

import torch
from einops import reduce
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import choose
from ...core.block import Block
from ...core.slot import H, X
from ...ops.convolution import conv2d_with_constant, sum_of_kernels
from ...weights.migrate import migrate
from ..layers import Norm, blend, conv, make_norm


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
        ValueError: If `focus` is another word.
    """

    reads = (X, H)
    writes = (H,)
    whole_map = True

    def __init__(self, in_channels: int, channels: int, *, focus: str = "spatial", norm: Norm | None = None) -> None:
        super().__init__({X: in_channels, H: channels})
        self.local = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.linear = nn.Linear(channels, channels)
        self.gate = MapAndVectorConv(channels)
        self.focus = MultiScaleConv(in_channels, channels)
        self.norm = None if norm is None else make_norm(norm, channels)
        self.pooled = choose("focus", focus, ("spatial", "pooled")) == "pooled"

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """`h` that knows of the whole map."""
        x, h = self.take(x, h)
        pooled = reduce(torch.relu(self.local(x)), "b c h w -> b c", "mean")  # (1)
        overall = torch.relu(self.linear(pooled))[:, :, None, None]  # (2), (B, C, 1, 1)
        h = blend(overall, h, torch.sigmoid(self.gate(h, overall)))  # (3, 4)
        focus = self.focus(x)  # (5)
        if self.norm is not None:
            focus = self.norm(focus)
        return h * (focus.mean(dim=(2, 3), keepdim=True) if self.pooled else focus)  # (6)


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

    Raises:
        ValueError: If `kernel_size` is even.
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


class MapAndVectorConv(nn.Module):
    """Weight and bias of the 3x3 convolution of `[h, overall]`; no `nn.Conv2d`, for it takes two inputs.

    Args:
        channels: Of `h`, of `overall` and of the result.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        start = nn.Conv2d(2 * channels, channels, 3)
        self.weight, self.bias = start.weight, start.bias

    def forward(self, h: Tensor, overall: Tensor) -> Tensor:
        """`h` `(B, C, H, W)` and `overall` `(B, C, 1, 1)` to `(B, C, H, W)`."""
        return conv2d_with_constant(h, overall, self.weight, self.bias)


class MultiScaleConv(nn.Module):
    """Sum of a 1x1, a 3x3 and a 5x5 convolution, computed as the one 5x5 convolution it is (GMG paper, Eq. 5).

    Args:
        in_channels, out_channels: Of each of the three, whose parameters are `weight1`, `bias1` and so on.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        one, three, five = (nn.Conv2d(in_channels, out_channels, size) for size in (1, 3, 5))
        self.weight1, self.weight3, self.weight5 = one.weight, three.weight, five.weight
        self.bias1, self.bias3, self.bias5 = (each.get_parameter("bias") for each in (one, three, five))
        self.register_load_state_dict_pre_hook(migrate)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """`(B, in_channels, H, W)` to `(B, out_channels, H, W)`."""
        weight = sum_of_kernels(self.weight1, self.weight3, self.weight5)
        return functional.conv2d(x, weight, self.bias1 + self.bias3 + self.bias5, padding=2)

    def migrate(self, state_dict: dict[str, Any], prefix: str) -> None:
        """Names of a parametrised convolution to those of the three kernels."""
        for name in ("weight", "bias"):
            for index, size in enumerate((1, 3, 5)):
                old = f"{prefix}parametrizations.{name}.original{index}"
                if old in state_dict:
                    state_dict[f"{prefix}{name}{size}"] = state_dict.pop(old)
