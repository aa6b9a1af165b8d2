"""A residual block of convolutions over time, height and width."""

from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_odd, check_positive
from ..layers import branch_dropout


class Conv3DBlock(nn.Module):
    r"""Two convolutions over time and space, added to what they are given.

    $$y = x + W_2 * \mathrm{GELU}(W_1 * \mathrm{norm}(x))$$

    A residual block (He et al., ECCV 2016) whose convolutions are those of C3D (Tran et al., ICCV 2015); the norm is a
    group norm of one group. Time is padded with zeros as space is, so that every frame sees those around it, earlier
    and later.

    Args:
        channels: Of a frame's map.
        kernel_size: Side of the kernels, odd, in time too.
        drop_path: Chance that the branch is left out for a sample, in training.

    Shapes:
        x: `(B, T, channels, H, W)`, any `T`, `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `channels` is not positive, the kernel is even, or the rate not in [0, 1).
    """

    def __init__(self, channels: int, *, kernel_size: int = 3, drop_path: float = 0.0) -> None:
        super().__init__()
        check_positive(channels=channels)
        check_odd("kernel_size", kernel_size)
        self.norm = nn.GroupNorm(1, channels)
        self.first = nn.Conv3d(channels, channels, kernel_size, padding=kernel_size // 2)
        self.second = nn.Conv3d(channels, channels, kernel_size, padding=kernel_size // 2)
        self.drop_path = branch_dropout(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """`x`, mixed."""
        volume = x.transpose(1, 2)
        return x + self.drop_path(self.second(functional.gelu(self.first(self.norm(volume))))).transpose(1, 2)
