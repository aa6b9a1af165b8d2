"""Forecasts of fields that are too large to be forecast at once: tile by tile, blended where tiles overlap."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import ceil, pi
from numbers import Integral

import torch
from torch import Tensor, nn

from .borders.checks import check_positive
from .core.given_frames import check_tensor
from .runtime.evaluating import evaluating

#: torch's layers that look at the whole map; LayerNorm does if it norms more than the last axis.
WHOLE_MAP = (nn.GroupNorm, nn.InstanceNorm2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.MultiheadAttention)


@torch.no_grad()
def predict_tiled(
    model: nn.Module, frames: Tensor, horizon: int, tile: int | tuple[int, int], overlap: int, *, batch_size: int = 1
) -> Tensor:
    """Forecast a large field tile by tile.

    Each tile is forecast by itself over the whole horizon, from its own pixels and with a state of its own. Where tiles
    overlap, their forecasts are averaged with weights that rise smoothly from a tile's border inwards, over `overlap`
    pixels, and sum to one at every pixel. A forecast that does not depend on the tile, such as persistence, comes out
    bit by bit as it is without tiles.

    Beside the field and its forecast, memory holds what a forecast of `batch_size` tiles takes. `frames` may lie in a
    file, `torch.from_numpy(np.load("rain.npy", mmap_mode="r+"))`, and the model on a GPU.

    Args:
        model: A forecaster; it is in `eval()` meanwhile.
        frames: Past frames `(B, T, C, H, W)`, in model units.
        horizon: Frames to forecast.
        tile: `(H, W)` of a tile, or its side; best the size that the model was trained on, and a multiple of
            `model.size_multiple`. A field that is smaller is one tile along that side.
        overlap: Pixels that neighbours share at least, at most half a tile. How far a pixel sees over the horizon is
            what makes tiles agree; more overlap hides more of the difference.
        batch_size: Tiles to forecast at once, `B` sequences each.

    Returns:
        `(B, horizon, C_out, H, W)`, on the device of `frames`.

    Raises:
        ValueError: If frames are no five-dimensional tensor or hold nothing, `overlap` is no integer from 0 to half a
            tile, or a number is not positive.

    Warns:
        UserWarning: If a part of the model looks at its whole map (attention, pooling, scans, group norm): it then sees
            the tile alone, where without tiles it would see the field.
    """
    check_tensor("frames", frames)
    sides = tuple(tile) if isinstance(tile, Sequence) else (tile, tile)
    if len(sides) != 2:
        raise ValueError(f"tile must be (H, W) or a side, got {tile!r}.")
    check_positive(tile_height=sides[0], tile_width=sides[1], horizon=horizon, batch_size=batch_size)
    if not isinstance(overlap, Integral) or not 0 <= overlap <= min(sides) // 2:
        raise ValueError(f"overlap must be an integer from 0 to {min(sides) // 2}, half a tile, got {overlap!r}.")
    if frames.ndim != 5:
        raise ValueError(f"frames must be (B, T, C, H, W), got shape {tuple(frames.shape)}.")
    if 0 in frames.shape:
        raise ValueError(f"frames must hold a sequence of a frame at least, and pixels, got {tuple(frames.shape)}.")
    fields = frames.shape[-2:]
    height, width = (min(side, field) for side, field in zip(sides, fields, strict=True))
    if (height, width) != tuple(fields):
        _warn_of_whole_maps(model)
    corners = [*product(_starts(fields[0], height, overlap), _starts(fields[1], width, overlap))]
    window = (_window(height, overlap)[:, None] * _window(width, overlap)).float().to(frames.device)
    device = next((value.device for value in model.parameters()), frames.device)
    blended, weight = frames.new_zeros(0), torch.zeros_like(frames[0, 0, 0], dtype=torch.float32)
    with evaluating(model):
        for some in _parts(corners, batch_size):
            cut = [frames[..., y : y + height, x : x + width] for y, x in some]
            forecasts = model(torch.cat(cut).to(device), horizon).to(frames.device)
            if forecasts.ndim != 5:
                raise ValueError(
                    f"model must forecast (B, horizon, C, H, W), got {tuple(forecasts.shape)}; of an Ensemble take the "
                    f"mean: Ensemble(..., mean=True)."
                )
            if not len(blended):
                blended = forecasts.new_zeros(len(frames), *forecasts.shape[1:3], *fields)
            for (y, x), forecast in zip(some, forecasts.split(len(frames)), strict=True):
                place = (..., slice(y, y + height), slice(x, x + width))
                weight[place] += window
                # A running mean: where tiles agree to the last bit, so does what comes out.
                blended[place] += (window / weight[place]) * (forecast - blended[place])
    return blended


def whole_map_parts(model: nn.Module) -> list[str]:
    """The kinds of a model's parts whose output depends on the whole map, by name."""
    kinds = {
        type(part).__name__
        for part in model.modules()
        if getattr(part, "whole_map", False)
        or isinstance(part, WHOLE_MAP)
        or (isinstance(part, nn.LayerNorm) and len(part.normalized_shape) > 1)
    }
    return sorted(kinds)


@torch.no_grad()
def felt_afar(function: Callable[..., Sequence[Tensor]], maps: Sequence[Tensor]) -> bool:
    """Whether what is in the first row of maps changes the last row of a result, by a little or by much."""
    results = []
    for size in (0.0, 1.0, 50.0):
        noise = torch.Generator().manual_seed(1)
        moved = [each.clone() for each in maps]
        for each in moved:
            each[..., 0, :] += size * torch.randn(each[..., 0, :].shape, generator=noise, dtype=each.dtype)
        results.append([each[..., -1, :] for each in function(*moved) if each.ndim > 3])
    return not all(torch.equal(*pair) for other in results for pair in zip(other, results[0], strict=True))


def _warn_of_whole_maps(model: nn.Module) -> None:
    if kinds := whole_map_parts(model):
        warnings.warn(
            f"Tiles are forecast each by itself, but {', '.join(kinds)} in this model look at the whole map, so that "
            f"neighbours may differ where they meet. Take the tile size that the model was trained on and a large "
            f"overlap, and look at the seams; or forecast the field at once, model(frames, horizon).",
            stacklevel=3,
        )


def _starts(field: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side: as few as overlap by as much as they must, evenly spread."""
    steps = ceil((field - tile) / max(tile - overlap, 1))
    return [round(step * (field - tile) / steps) for step in range(steps + 1)] if steps else [0]


def _window(side: int, overlap: int) -> Tensor:
    """Weights `(side,)`: 1 in the middle, falling by a sine squared over `overlap` pixels to either border."""
    inwards = torch.arange(side, dtype=torch.float64) + 0.5
    inwards = torch.minimum(inwards, inwards.flip(0))
    return torch.sin(pi / 2 * (inwards / max(overlap, 0.5)).clamp(max=1)).square()


def _parts(corners: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(corners), size):
        yield corners[start : start + size]
