"""VSS: the visual state space block, a selective scan on a residual branch."""

from collections.abc import Callable

from torch import Tensor, nn

from ..layers import branch_dropout
from .map_block import MapBlock
from .ss2d import SS2D


class VSS(MapBlock):
    r"""Visual state space block.

    VMRNN paper, Sec. 3.3, after VMamba (Liu et al., 2024, https://arxiv.org/abs/2401.10166):
    $h \leftarrow h + \mathrm{SS2D}(\mathrm{LN}(h))$. There is no MLP: the branch has a gate of its own.

    Args:
        channels: Of the map.
        mixer: What is on the branch: `mixer(channels)`, any module from maps to maps of the same shape, such as
            `partial(SS2D, state_dim=8)`.
        drop_path: Chance that the branch is left out for a sample, in training.
        eps: Of the layer norm.

    Shapes:
        h: `(B, channels, H, W)`, any `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `channels` is not a positive integer or `drop_path` not in [0, 1); when called, if `h` is of
            another shape.
    """

    def __init__(
        self,
        channels: int,
        *,
        mixer: Callable[[int], nn.Module] = SS2D,
        drop_path: float = 0.0,
        eps: float = 1e-6,
    ) -> None:
        super().__init__(channels)
        self.norm = nn.LayerNorm(channels, eps=eps)
        self.ss2d = mixer(channels)  # called so in saved weights, whatever it is
        self.drop_path = branch_dropout(drop_path)

    def forward(self, h: Tensor) -> Tensor:
        """`h`, each position having heard of the whole map."""
        (h,) = self.take(h)
        tokens = h.movedim(1, -1)
        return self.mix(tokens, self.norm(tokens)).movedim(-1, 1)

    def mix(self, tokens: Tensor, normed: Tensor) -> Tensor:
        """`tokens`, and what the mixer says of `normed`; both `(B, H, W, channels)`."""
        return tokens + self.drop_path(self.ss2d(normed.movedim(-1, 1)).movedim(1, -1))
