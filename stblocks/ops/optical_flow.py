"""Motion between frames, and frames carried on by it."""

from contextlib import AbstractContextManager, nullcontext
from math import ceil, log2

import torch
from torch import Tensor
from torch.nn import functional

#: No motion is sought on frames with a shorter side.
SMALLEST = 8


def optical_flow(frames: Tensor, *, window: float = 8.0, iterations: int = 4, ridge: float = 1.0) -> Tensor:
    r"""The steady motion that explains a sequence best, from coarse to fine (Lucas and Kanade, IJCAI 1981).

    Around each pixel, the motion $v$ is moved by the $\delta$ that makes up best for what is left between each frame
    carried on by $v$, $w$, and the next frame $y$, summed over all pairs of neighbouring frames and all channels:

    $$(G * \nabla w \nabla w^\top + \lambda I) \, \delta = G * \nabla w \, (w - y)$$

    with a Gaussian window $G$. Frames are halved until no motion is longer than a pixel or two, and $v$ is refined from
    the coarsest size on. Pixels that come from outside the frame have no part in it.

    Args:
        frames: `(B, T, C, H, W)`; one frame has no motion.
        window: Standard deviation of $G$, in pixels of each size.
        iterations: Refinements at each size.
        ridge: $\lambda$ as a share of the mean entry on the diagonal of the matrix: where there is nothing to see,
            $\delta$ is 0.

    Returns:
        $v$ in pixels a frame, rows then columns, `(B, 2, H, W)`.
    """
    batch, length, _, height, width = frames.shape
    flow = frames.new_zeros(batch, 2, 1, 1)
    if length < 2:
        return flow.expand(batch, 2, height, width)
    levels = max(1, ceil(log2(max(min(height, width) / SMALLEST, 1))))
    for level in reversed(range(levels)):
        size = tuple(-(-side // 2**level) for side in (height, width))
        small = functional.interpolate(frames.flatten(0, 1), size=size, mode="area").unflatten(0, (batch, length))
        flow = _resized(flow, size)
        for _ in range(iterations):
            flow = flow + _correction(small, flow, window, ridge)
    return flow


def _resized(flow: Tensor, size: tuple[int, ...]) -> Tensor:
    """Motion at another size of the frames, in its pixels."""
    down, right = (new / old for new, old in zip(size, flow.shape[-2:], strict=True))
    rows, columns = functional.interpolate(flow, size=size, mode="bilinear", align_corners=False).unbind(1)
    return torch.stack([rows * down, columns * right], dim=1)


def _correction(frames: Tensor, flow: Tensor, window: float, ridge: float) -> Tensor:
    """$\\delta$, `(B, 2, H, W)`."""
    pairs = frames.shape[1] - 1
    carried, inside = carry(frames[:, :-1].flatten(1, 2), flow)
    left = (carried - frames[:, 1:].flatten(1, 2)) * inside
    padded = functional.pad(carried, (1, 1, 1, 1), mode="replicate")
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2 * inside
    right = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2 * inside
    products = (down * down, down * right, right * right, down * left, right * left)
    sums = torch.stack([each.sum(dim=1) for each in products], dim=1) / pairs
    a, b, c, p, q = _blurred(sums, window).unbind(1)
    tiny = torch.finfo(a.dtype).tiny ** 0.5
    more = ridge * (a + c).mean(dim=(1, 2), keepdim=True) / 2 + tiny
    a, c = a + more, c + more
    determinant = a * c - b * b
    return torch.stack([(c * p - b * q) / determinant, (a * q - b * p) / determinant], dim=1)


def _blurred(maps: Tensor, deviation: float) -> Tensor:
    """Maps `(B, C, H, W)` under a Gaussian window, which ends at the border."""
    for axis in (2, 3):
        radius = min(ceil(3 * deviation), maps.shape[axis] - 1)
        place = torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype)
        kernel = torch.exp(-((place / deviation) ** 2) / 2)
        shape, padding = [1, 1, 1, 1], [0, 0]
        shape[axis], padding[axis - 2] = -1, radius
        weight = (kernel / kernel.sum()).view(shape).expand(maps.shape[1], 1, *shape[2:])
        maps = functional.conv2d(maps, weight, padding=padding, groups=maps.shape[1])
    return maps


def carry(maps: Tensor, displacement: Tensor) -> tuple[Tensor, Tensor]:
    """Maps carried by a displacement: what arrives at x is what was at x less the displacement there.

    Args:
        maps: `(B, C, H, W)`.
        displacement: In pixels, rows then columns, `(B, 2, H, W)`.

    Returns:
        The maps, bilinear between pixels and replicated beyond the border, and whether each pixel came from inside,
        1 or 0, `(B, 1, H, W)`.
    """
    height, width = maps.shape[-2:]
    row = torch.arange(height, device=maps.device, dtype=displacement.dtype).view(-1, 1)
    column = torch.arange(width, device=maps.device, dtype=displacement.dtype)
    rows, columns = row - displacement[:, 0], column - displacement[:, 1]
    # grid_sample counts from -1 to 1 between the outer edges of the border pixels.
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    moved = functional.grid_sample(maps, grid.to(maps.dtype), padding_mode="border", align_corners=False)
    return moved, inside.unsqueeze(1).to(maps.dtype)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Within the block, nothing is computed in half precision, which positions are too fine for."""
    available = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if available else nullcontext()


def paths(flow: Tensor, steps: int) -> Tensor:
    """How far what arrives at each pixel has come in 1, 2, ... steps of a steady motion, along a curved path.

    Germann and Zawadzki, MWR 2002. Each step back takes the motion half way, at the point that the last estimate of it
    leads to (Sec. 3c there).

    Args:
        flow: Pixels a frame, rows then columns, `(B, 2, H, W)`.
        steps: How many.

    Returns:
        Displacements `(B, steps, 2, H, W)`.
    """
    ways, way = [], torch.zeros_like(flow)
    for _ in range(steps):
        step = flow
        for _ in range(2):
            step, _ = carry(flow, way + step / 2)
        way = way + step
        ways.append(way)
    return torch.stack(ways, dim=1)


def semi_lagrangian(frame: Tensor, flow: Tensor, horizon: int) -> Tensor:
    """A frame carried on along a steady motion: each pixel is followed back to where it is now.

    Args:
        frame: `(B, C, H, W)`.
        flow: Pixels a frame, rows then columns, `(B, 2, H, W)`.
        horizon: Frames.

    Returns:
        `(B, horizon, C, H, W)`; bilinear between pixels, replicated beyond the border.
    """
    return torch.stack([carry(frame, way)[0] for way in paths(flow, horizon).unbind(1)], dim=1)
