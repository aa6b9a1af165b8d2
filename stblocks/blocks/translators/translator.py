"""Translators of SimVP: from the features of all past frames to those of all future ones."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from ...borders.checks import check_odd, check_positive
from ...core.stack import RecurrentStack, StackState
from ...ops.recompute import recomputed
from ...weights.layout import channels_last
from ..layers import Pointwise


class Translator(nn.Module):
    r"""A stack of blocks that keep their width, with 1x1 convolutions where the width changes.

    SimVPv2 paper, Sec. IV-C2, Fig. 5 (d), with $B_i$ the blocks and $R_i$ a 1x1 convolution or nothing:

    $$z_{i+1} = R_i(B_i(z_i))$$

    The first block has the width of what comes in.

    Args:
        in_channels: Past frames times channels of a frame's features.
        channels: Width after the first block.
        out_channels: Future frames times channels of a frame's features.
        num_layers: Number of blocks.
        block: The block of a layer, `block(layer, channels)`: any module from maps `(B, channels, H, W)` to the same.
        checkpointing: Recompute each block in backward instead of keeping its activations.

    Shapes:
        maps: `(B, in_channels, H, W)`.
        returns: `(B, out_channels, H, W)`.

    Raises:
        ValueError: If there is no layer or channel; when called, if a block does not keep the shape of its map.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        out_channels: int,
        *,
        num_layers: int,
        block: Callable[[int, int], nn.Module],
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, channels=channels, out_channels=out_channels, num_layers=num_layers)
        widths = [in_channels, *[channels] * (num_layers - 1), out_channels]
        self.blocks = nn.ModuleList(block(layer, widths[layer]) for layer in range(num_layers))
        self.resize = nn.ModuleList(
            nn.Identity() if below == above else Pointwise(below, above) for below, above in pairwise(widths)
        )
        self.checkpointing = checkpointing

    def forward(self, maps: Tensor) -> Tensor:
        """A map of `out_channels`."""
        maps = channels_last(maps)
        for block, resize in zip(self.blocks, self.resize, strict=True):
            again = self.checkpointing and torch.is_grad_enabled()
            mixed = recomputed(block, maps, module=block) if again else block(maps)
            if mixed.shape != maps.shape:
                raise ValueError(
                    f"A translator's block must keep the shape of its map, {tuple(maps.shape)}; "
                    f"{type(block).__name__} made {tuple(mixed.shape)} of it."
                )
            maps = resize(mixed)
        return maps


class RecurrentTranslator(nn.Module):
    r"""A recurrent stack over the features of the frames, which goes on with its own forecasts of them.

    Ours. The stack reads the past features $z_1, \dots, z_T$, then what it made of the step before:

    $$\hat z_{t+1}, s_t = \mathrm{stack}(z_t, s_{t-1}) \qquad z_t = \hat z_t \text{ for } t > T$$

    Args:
        stack: The recurrent layers, from features of one frame to those of the next, of the same width.
        in_frames: Past frames.
        out_frames: Future frames.

    Shapes:
        maps: `(B, in_frames * channels, H, W)`, time before channels.
        returns: `(B, out_frames * channels, H, W)`.

    Raises:
        ValueError: If `stack` is no `RecurrentStack`, or a number of frames is not positive.
    """

    def __init__(self, stack: RecurrentStack, in_frames: int, out_frames: int) -> None:
        super().__init__()
        check_positive(in_frames=in_frames, out_frames=out_frames)
        if not isinstance(stack, RecurrentStack):
            raise ValueError(
                f"stack must be a RecurrentStack, got {type(stack).__name__}; write RecurrentStack([...])."
            )
        self.stack, self.in_frames, self.out_frames = stack, in_frames, out_frames

    def forward(self, maps: Tensor) -> Tensor:
        """Features of the future frames."""
        state: StackState | None = None
        for features in maps.chunk(self.in_frames, dim=1):
            forecast, state = self.stack(features, state)
        forecasts = [forecast]
        while len(forecasts) < self.out_frames:
            forecast, state = self.stack(forecast, state)
            forecasts.append(forecast)
        return torch.cat(forecasts, dim=1)


class LinearShortcut(nn.Module):
    r"""Every forecast as a weighted sum of the past nearby; ours.

    $$\hat x_k = W_k * [\Delta x_2, \dots, \Delta x_T, x_T] + b_k \qquad \Delta x_t = x_t - x_{t-1}$$

    The last frame and the changes from each frame to the next carry what the frames do, but are less alike, so that
    their weights are found in fewer steps. It starts as persistence. What a network adds to it is what a sum cannot
    tell.

    Args:
        in_channels: Of past frames.
        out_channels: Of forecast frames, which are the first channels of past ones.
        in_frames: Past frames.
        out_frames: Future frames.
        kernel_size: Side of the neighbourhood, odd; borders are repeated.

    Shapes:
        maps: Past frames as channels, `(B, in_frames * in_channels, H, W)`, time before channels.
        returns: Forecasts alike, `(B, out_frames * out_channels, H, W)`.

    Raises:
        ValueError: If a number is not positive, or the kernel is even.
    """

    def __init__(
        self, in_channels: int, out_channels: int, in_frames: int, out_frames: int, *, kernel_size: int = 1
    ) -> None:
        super().__init__()
        check_positive(in_channels=in_channels, out_channels=out_channels, in_frames=in_frames, out_frames=out_frames)
        check_odd("kernel_size", kernel_size)
        self.in_channels, centre = in_channels, kernel_size // 2
        widths = in_frames * in_channels, out_frames * out_channels
        self.conv = nn.Conv2d(*widths, kernel_size, padding=centre, padding_mode="replicate")
        last = (in_frames - 1) * in_channels
        with torch.no_grad():
            for parameter in self.conv.parameters():
                parameter.zero_()
            for frame in range(out_frames):
                for channel in range(min(in_channels, out_channels)):
                    self.conv.weight[frame * out_channels + channel, last + channel, centre, centre] = 1

    def forward(self, maps: Tensor) -> Tensor:
        """Forecasts as channels."""
        changes = maps[:, self.in_channels :] - maps[:, : -self.in_channels]
        return self.conv(torch.cat([changes, maps[:, -self.in_channels :]], dim=1))
