"""Rain that moves, and what becomes of it on its way: optical flow, and a network that corrects what it carries."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..borders.checks import check_each_positive, check_positive
from ..core import register_model
from ..ops.optical_flow import carry, optical_flow, paths, without_autocast
from .baselines import Extrapolation
from .frame import Frame

SIDE = 2  #: of the patches that the network works on


class DilatedBlock(nn.Module):
    """`h + conv(silu(gain * norm(h) + bias))` with a dilated kernel, gain and bias given by the lead time."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.lead = nn.Linear(2, 2 * channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)

    def forward(self, h: Tensor, lead: Tensor) -> Tensor:
        """Maps `(N, C, H, W)` and their lead times `(N, 2)` to maps."""
        gain, bias = self.lead(lead)[..., None, None].chunk(2, dim=1)
        return h + self.conv(functional.silu(self.norm(h) * (1 + gain) + bias))


class LagrangianForecaster(Extrapolation):
    """Carries past frames on along their optical flow to each lead time, and corrects the last one by a network.

    The network sees, for one lead time at a time, the frames as they arrive there, whether what arrives comes from
    inside the frame, and the lead time. So it sees growth and decay in coordinates that move with the rain.

    Args:
        frame: Channels of the frames; the first `out_channels` are carried on.
        channels: Of the network.
        dilations: Of the kernels, one block each.
        lags: Which past frames are carried: 0 is the last one, 1 the one before.

    Raises:
        ValueError: If a number is not as said here, or `lags` does not begin with 0.
    """

    def __init__(self, frame: Frame, channels: int, dilations: Sequence[int], lags: Sequence[int]) -> None:
        check_positive(channels=channels)
        check_each_positive("dilations", dilations)
        if not isinstance(lags, Sequence) or not lags or lags[0] != 0 or any(type(n) is not int or n < 0 for n in lags):
            raise ValueError(f"lags must be whole numbers from 0 on, 0 first, such as [0, 1, 3], got {lags!r}.")
        super().__init__(size_multiple=SIDE, in_channels=frame.in_channels, out_channels=frame.forecast_channels)
        self.lags = tuple(lags)
        seen, made = (len(lags) * frame.in_channels + 1) * SIDE**2, frame.forecast_channels * SIDE**2
        self.stem = nn.Sequential(nn.PixelUnshuffle(SIDE), nn.Conv2d(seen, channels, 3, padding=1))
        self.blocks = nn.ModuleList(DilatedBlock(channels, dilation) for dilation in dilations)
        last = nn.Conv2d(channels, made, 1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)  # training starts from plain advection
        self.head = nn.Sequential(last, nn.PixelShuffle(SIDE))

    def extrapolate(self, past: Tensor, horizon: int) -> Tensor:
        """See `Extrapolation`; the first past frame stands in for lags beyond it."""
        carried = self.carried(past, horizon).to(past.dtype)
        batch, height, width = len(past), *past.shape[-2:]
        number = torch.arange(1, horizon + 1, device=past.device, dtype=carried.dtype) / 10
        lead = torch.stack([number, number.sqrt()], dim=1).repeat(batch, 1)
        h = self.stem(self._padded(carried.flatten(0, 1)))
        for block in self.blocks:
            h = block(h, lead)
        correction = self.head(h)[..., :height, :width].unflatten(0, (batch, horizon))
        shared = min(past.shape[2], correction.shape[2])  # further channels are the network's alone
        last = functional.pad(carried[:, :, :shared], (0, 0, 0, 0, 0, correction.shape[2] - shared))
        return last + correction

    def carried(self, past: Tensor, horizon: int) -> Tensor:
        """What arrives at each lead time: the frames of `lags`, and 1 where it comes from inside, `(B, T, C', H, W)`.

        In single precision, which positions need.
        """
        exact = past.to(torch.promote_types(past.dtype, torch.float32))
        with without_autocast(past.device):
            lags = [min(lag, past.shape[1] - 1) for lag in self.lags[1:]]
            ways = paths(optical_flow(exact), horizon + max(lags, default=0)).unbind(1)
            leads = []
            for lead in range(horizon):
                last, inside = carry(exact[:, -1], ways[lead])
                older = [carry(exact[:, -1 - lag], ways[lead + lag])[0] for lag in lags]
                leads.append(torch.cat([last, *older, inside], dim=1))
        return torch.stack(leads, dim=1)


@register_model(frame=Frame, paper="ours, after Ritvanen et al., L-CNN, IEEE JSTARS 2023")
def lagrangian(
    frame: Frame, *, channels: int = 32, dilations: Sequence[int] = (1, 2, 4, 8, 1), lags: Sequence[int] = (0, 1, 3)
) -> LagrangianForecaster:
    """Rain carried on by its optical flow, corrected at each lead time by a small network of dilated convolutions.

    Args:
        frame: See `Frame`; the first `out_channels` of the past ones are carried on.
        channels: See `LagrangianForecaster`.
        dilations: See `LagrangianForecaster`.
        lags: See `LagrangianForecaster`.
    """
    return LagrangianForecaster(frame, channels, dilations, lags)
