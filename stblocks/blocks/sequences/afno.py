"""AFNO: tokens mixed in the frequencies of time and space, by an MLP that all frequencies share."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...borders.checks import check_positive, check_rate, is_number
from ..layers import branch_dropout, hidden_channels
from ..starts import SPREAD


class AFNOBlock(nn.Module):
    r"""Adaptive Fourier neural operator, then an MLP, each after a layer norm and added to what it is given.

    Guibas et al., ICLR 2022, https://arxiv.org/abs/2111.13587, Sec. 4:

    $$z = \mathrm{DFT}(x) \qquad \tilde z = S_\lambda(W_2 \, \sigma(W_1 z + b_1) + b_2) \qquad
      y = \mathrm{IDFT}(\tilde z) + x$$

    $W_1$ and $W_2$ are complex and block-diagonal, the same at every frequency; $\sigma$, a ReLU, and the soft
    shrinkage $S_\lambda(z) = \mathrm{sign}(z) \max(|z| - \lambda, 0)$ act on real and imaginary parts. The transform
    goes over time, height and width at once, and takes the sequence to be periodic in all three.

    Args:
        channels: Of a frame's map, a multiple of `num_blocks`.
        num_blocks: Blocks of the diagonal.
        threshold: $\lambda$.
        mlp_ratio: Hidden channels of the MLP for each channel.
        drop: Dropout in the MLP.
        drop_path: Chance that a branch is left out for a sample, in training.

    Shapes:
        x: `(B, T, channels, H, W)`, any `T`, `H` and `W`.
        returns: The same.

    Raises:
        ValueError: If `num_blocks` does not divide `channels`, `threshold` is negative, `mlp_ratio` leaves no hidden
            channel, or a rate is not in [0, 1).
    """

    whole_map = True

    def __init__(
        self,
        channels: int,
        *,
        num_blocks: int = 8,
        threshold: float = 0.01,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        check_positive(channels=channels)
        check_rate("drop", drop)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.filter = FrequencyMLP(channels, num_blocks, threshold)
        hidden = hidden_channels(channels, mlp_ratio)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden), nn.GELU(), nn.Dropout(drop), nn.Linear(hidden, channels), nn.Dropout(drop)
        )
        self.drop_path = branch_dropout(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """`x`, mixed."""
        tokens = x.movedim(2, -1)
        tokens = tokens + self.drop_path(self.filter(self.norm1(tokens)))
        tokens = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return tokens.movedim(-1, 2)


class FrequencyMLP(nn.Module):
    """The equations of `AFNOBlock`, on tokens `(B, T, H, W, channels)`."""

    def __init__(self, channels: int, num_blocks: int, threshold: float) -> None:
        super().__init__()
        check_positive(num_blocks=num_blocks)
        if channels % num_blocks:
            raise ValueError(f"num_blocks must be a divisor of channels={channels}, got {num_blocks}.")
        if not is_number(threshold) or not threshold >= 0:
            raise ValueError(f"threshold must be at least 0, got {threshold!r}.")
        side = channels // num_blocks
        self.num_blocks, self.threshold = num_blocks, threshold
        self.first, self.second = (ComplexLinear(num_blocks, side) for _ in range(2))

    def forward(self, tokens: Tensor) -> Tensor:
        """Mixed, the tokens themselves among it."""
        over = tokens.shape[1:4]
        exact = tokens.to(torch.promote_types(tokens.dtype, torch.float32))  # transforms know no half precision
        z = torch.fft.rfftn(exact, dim=(1, 2, 3), norm="ortho").unflatten(-1, (self.num_blocks, -1))
        real, imaginary = self.first(*(part.to(self.first.weight.dtype) for part in (z.real, z.imag)))
        real, imaginary = self.second(functional.relu(real), functional.relu(imaginary))
        parts = [functional.softshrink(part.to(exact.dtype), self.threshold) for part in (real, imaginary)]
        mixed = torch.fft.irfftn(torch.complex(*parts).flatten(-2), s=over, dim=(1, 2, 3), norm="ortho")
        return mixed.to(tokens.dtype) + tokens


class ComplexLinear(nn.Module):
    """A complex linear layer with a block-diagonal matrix, on real and imaginary parts `(..., num_blocks, side)`.

    `weight` and `bias` hold the real part, then the imaginary one.
    """

    def __init__(self, num_blocks: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, num_blocks, side, side) * SPREAD)
        self.bias = nn.Parameter(torch.randn(2, num_blocks, side) * SPREAD)

    def forward(self, real: Tensor, imaginary: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of the result."""
        (a, b), (of_real, of_imaginary) = self.weight, self.bias
        return (
            _blocks(real, a) - _blocks(imaginary, b) + of_real,
            _blocks(imaginary, a) + _blocks(real, b) + of_imaginary,
        )


def _blocks(values: Tensor, weight: Tensor) -> Tensor:
    return torch.einsum("...ki,kij->...kj", values, weight)
