"""The high-frequency focal loss of WaST."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..borders.checks import check_positive, choose
from ..ops.wavelet import haar
from .terms import Term


class HighFrequencyFocal(Term):
    r"""How far forecast and truth are from each other in their high frequencies, those that are furthest above all.

    $$\frac{1}{N} \sum_{u, v} m_{u, v} \, w_{u, v} \, |\hat F_{u, v} - F_{u, v}|^2 \qquad
      w = \frac{\log(1 + |\hat F - F|^\alpha)}{\max \log(1 + |\hat F - F|^\alpha)}$$

    for the orthonormal Fourier transforms F of the bands of a Haar transform, summed over its levels. No gradient goes
    through the weights w. The mask m leaves out the low frequencies of a band. Nie et al., WaST, AAAI 2024, after the
    focal frequency loss of Jiang et al., ICCV 2021; WaST gives it a weight of 0.001.

    Args:
        bands: `"high"` compares the three high bands of each level; `"low"` the low band alone, as released, where what
            changes from pixel to pixel costs nothing. The mask is then as released, too: about the four corners of the
            spectrum, so that a frequency of -2 is left out where one of +2 is not.
        levels: Of the wavelet transform.
        radius: Of the mask, as a share of the longer side of a band.
        alpha: How much more the frequencies count that are further off.
        log: Whether weights are logarithms.
        over: What weights are 1 at the maximum of: each `"map"`, or the whole `"batch"`.
        tiles: Each band is cut into so many tiles a side, which are transformed one by one.

    Shapes:
        forecast, truth, known: See `Term`.
        returns: A scalar.

    Raises:
        ValueError: If `radius` or `alpha` is negative, `levels` or `tiles` not positive, or a word is another; when
            called, if `tiles` does not divide a band.
    """

    def __init__(
        self,
        *,
        bands: str = "high",
        levels: int = 1,
        radius: float = 0.1,
        alpha: float = 1.0,
        log: bool = True,
        over: str = "map",
        tiles: int = 1,
    ) -> None:
        super().__init__()
        check_positive(levels=levels, tiles=tiles)
        for name, number in {"radius": radius, "alpha": alpha}.items():
            if not number >= 0:
                raise ValueError(f"{name} must be at least 0, got {number}.")
        self.bands, self.over = choose("bands", bands, ("high", "low")), choose("over", over, ("map", "batch"))
        self.levels, self.radius, self.alpha, self.log, self.tiles = levels, radius, alpha, log, tiles

    def forward(self, forecast: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """See `Term`."""
        exact = torch.promote_types(torch.promote_types(forecast.dtype, truth.dtype), torch.float32)
        losses = []
        for error in _compared((forecast.to(exact) - truth).flatten(0, 2), self.levels, self.bands):
            off = torch.fft.fft2(_cut(error, self.tiles), norm="ortho").abs().square()
            weight = off.detach() ** (self.alpha / 2)
            weight = torch.log1p(weight) if self.log else weight
            highest = weight.amax(dim=(-2, -1), keepdim=True) if self.over == "map" else weight.amax()
            weight = weight / highest.clamp_min(torch.finfo(exact).tiny)
            losses.append((weight * off * _mask(off, self.radius, corners=self.bands == "low")).mean())
        return torch.stack(losses).sum()


def _compared(error: Tensor, levels: int, bands: str) -> Iterator[Tensor]:
    """The bands `(N, K, H, W)` of each level of maps `(N, H, W)`; the transform is linear, and so that of the error."""
    for _ in range(levels):
        error, *high = haar(error, (-2, -1))
        yield torch.stack(high if bands == "high" else [error], dim=1)


def _cut(maps: Tensor, tiles: int) -> Tensor:
    """`(..., H, W)` to `(..., tiles, tiles, H / tiles, W / tiles)`."""
    height, width = maps.shape[-2:]
    if height % tiles or width % tiles:
        raise ValueError(f"tiles must divide the height and width of a band, {(height, width)}, got {tiles}.")
    return maps.unflatten(-1, (tiles, -1)).unflatten(-3, (tiles, -1)).transpose(-3, -2)


def _mask(spectrum: Tensor, radius: float, *, corners: bool) -> Tensor:
    """0 at the low frequencies `(H, W)`, 1 elsewhere; with `corners`, by the distance to a corner of the spectrum."""
    height, width = spectrum.shape[-2:]

    def distance(length: int) -> Tensor:
        index = torch.arange(length, device=spectrum.device)
        return torch.minimum(index, length - index - int(corners))

    squared = distance(height).square()[:, None] + distance(width).square()
    return (squared > (radius * max(height, width)) ** 2).to(spectrum.dtype)
