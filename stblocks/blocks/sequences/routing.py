"""Routing: which blocks of a network a sample goes through."""

import torch
from torch import Tensor, nn

from ...borders.checks import check_positive, is_number

#: The share of blocks that a sample goes through on average, unless another is named.
BETA = 0.5


class RoutingModule(nn.Module):
    r"""Chooses blocks for each sample, by chances that it learns.

    Hu et al. (DMVFN), CVPR 2023, https://arxiv.org/abs/2303.09875, Fig. 2 (d). Convolutions of the frames, averaged
    over all positions, give each of n blocks a score $r_i$. Chances share out $\beta n$ blocks among all of them, so
    that on average no more are taken, and to take them all is no way out. As released,

    $$p_i = \min\left(1, \; \beta n \, \frac{\sigma(r_i)}{\sum_j \sigma(r_j)}\right) \qquad
    v_i \sim \mathrm{Bernoulli}(p_i)$$

    In training $v_i$ is drawn; in evaluation, which draws nothing, block i is taken where $p_i \ge 1/2$. In both, the
    gradient of $v_i$ is handed to $p_i$ as it is: the straight-through estimator of Bengio et al., 2013.

    Args:
        in_channels: Of the map, such as two frames side by side.
        num_blocks: n.
        channels: Of the convolutions.
        beta: $\beta$, the share of blocks that may be taken on average, in (0, 1].

    Shapes:
        maps: `(B, in_channels, H, W)`, any `H` and `W`.
        returns: $v$, `(B, num_blocks)`, 0 or 1 each.

    Raises:
        ValueError: If a number is not positive, or `beta` is above 1.
    """

    whole_map = True

    def __init__(self, in_channels: int, num_blocks: int, channels: int = 32, *, beta: float = BETA) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, num_blocks=num_blocks, channels=channels)
        if not is_number(beta) or not 0 < beta <= 1:
            raise ValueError(f"beta must be a share of the blocks, in (0, 1], got {beta!r}.")
        self.balance = beta * num_blocks
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.score = nn.Linear(channels, num_blocks)

    def chances(self, maps: Tensor) -> Tensor:
        """$p$, `(B, num_blocks)`."""
        likely = self.score(self.features(maps).mean(dim=(2, 3))).sigmoid()
        total = likely.sum(dim=1, keepdim=True).clamp_min(torch.finfo(likely.dtype).tiny)
        return (self.balance * likely / total).clamp_max(1)

    def forward(self, maps: Tensor) -> Tensor:
        """Which blocks each sample goes through."""
        chances = self.chances(maps)
        taken = (chances > torch.rand_like(chances)) if self.training else (chances >= 0.5)
        return taken.to(chances.dtype) + (chances - chances.detach())  # the difference is 0, and carries the gradient
