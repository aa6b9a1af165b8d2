"""MGM: the motion guided module, a MotionGRU whose trend grows and decays."""

from typing import Any

import torch
from torch import Tensor, nn

from ...borders.checks import choose
from ...weights.migrate import migrate
from .motion_gru import MotionGRU, MotionUnit


class MGM(MotionGRU):
    r"""Motion guided module: `MotionGRU` with a trend that grows and decays as clouds do.

    GMG paper, Sec. III-C. What `GrowthDecay` makes of $D_{t-1}$, $D'_{t-1}$, takes its place in `MotionGRU`:

    $$D_t = \tfrac12 D'_{t-1} + \tfrac12 F_{t-1} \tag{17}$$

    Args:
        channels: Channels of `h`.
        kernel_size: Side of the kernels of the first convolution and of the gate, odd.
        warp_kernel_size: Side k of the deformable kernel, odd; `f` and `d` have 2 k^2 channels.
        time_decay: See `GrowthDecay`.
        growth: See `GrowthDecay`.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        f, d: `(B, 2 k^2, ceil(H / 2), ceil(W / 2))`, offsets in pixels; left out, they start from zeros.
        returns: `h, f, d`.

    Raises:
        ValueError: If a kernel is even, or `time_decay` or `growth` is another word.
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 5,
        warp_kernel_size: int = 3,
        time_decay: str = "elapsed",
        growth: str = "product",
    ) -> None:
        super().__init__(channels, kernel_size=kernel_size, warp_kernel_size=warp_kernel_size)
        inner = max(1, channels // 4)
        self.motion = MotionUnit(inner, warp_kernel_size, GrowthDecay(inner, time_decay=time_decay, growth=growth))


class GrowthDecay(nn.Module):
    r"""Lets a trend grow and decay at rates that depend on the map as a whole.

    GMG paper, Eqs. 11-16:

    $$\alpha_d, \beta_d = \sigma(\mathrm{Linear}(\mathrm{AAP}(X))) \tag{11, 12}$$
    $$\alpha = \tfrac12 (\alpha_d + \alpha') \qquad \beta = \tfrac12 (\beta_d + \beta') \tag{13, 14}$$
    $$D' = \exp(-\beta \tau) \, D + \alpha \, \alpha_d \, D \tag{15, 16}$$

    Args:
        channels: Channels of X.
        time_decay: What $\tau$ is. `"elapsed"`: 1, for the trend handed in is one step old; over k steps the weight
            falls as $\exp(-\beta k)$, which is what Eq. 15 describes. `"batch"`: the position in the batch, as in the
            released code; only for parity with it.
        growth: `"product"`: $\alpha \, \alpha_d$ as printed. `"head"`: a third head for $\alpha_d$, as released.
    """

    whole_map = True

    def __init__(self, channels: int, *, time_decay: str = "elapsed", growth: str = "product") -> None:
        super().__init__()
        self.by_batch = choose("time_decay", time_decay, ("elapsed", "batch")) == "batch"
        self.alpha_linear = nn.Linear(channels, 1)
        self.beta_linear = nn.Linear(channels, 1)
        self.alpha = nn.Parameter(torch.tensor([0.5]))  # sharded training takes no parameter without an axis
        self.beta = nn.Parameter(torch.tensor([0.5]))
        head = choose("growth", growth, ("product", "head")) == "head"
        self.growth_linear = nn.Linear(channels, 1, bias=False) if head else None
        self.register_load_state_dict_pre_hook(migrate)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor, d: Tensor) -> Tensor:
        """`x` `(B, channels, H, W)` and `d` `(B, *, H, W)` to the new `d`."""
        overall = x.mean(dim=(2, 3))  # (11)
        alpha_d, beta_d = (
            torch.sigmoid(self.alpha_linear(overall)),
            torch.sigmoid(self.beta_linear(overall)),
        )  # (12), (B, 1)
        alpha, beta = 0.5 * (alpha_d + self.alpha), 0.5 * (beta_d + self.beta)  # (13, 14)
        age = torch.arange(len(x), device=x.device, dtype=beta.dtype)[:, None] if self.by_batch else 1
        rate = alpha_d if self.growth_linear is None else torch.sigmoid(self.growth_linear(overall))
        factor = torch.exp(-beta * age) + alpha * rate  # (15, 16)
        return factor[:, :, None, None] * d

    def migrate(self, state_dict: dict[str, Any], prefix: str) -> None:
        """Numbers to vectors of one."""
        for name in (f"{prefix}alpha", f"{prefix}beta"):
            if name in state_dict:
                state_dict[name] = state_dict[name].reshape(1)
