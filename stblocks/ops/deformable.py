"""Reading maps at displaced positions: a warp, and modulated deformable convolution with back ends that agree."""

import torch
from torch import Tensor
from torch.nn import functional

#: Names for `backend=`; `"auto"` takes torchvision's kernel on CUDA and `grid_sample` elsewhere, where it is faster.
BACKENDS = ("auto", "grid_sample", "torchvision")
#: Words for `padding=`: what a warp finds outside the map.
PADDINGS = ("zeros", "border")


def deformable_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, *, backend: str = "auto") -> Tensor:
    r"""A convolution whose taps are moved and weighted at every position.

    $$y(p) = \sum_{k} W_k \, m_k(p) \, x(p + p_k + \Delta_k(p))$$

    with bilinear interpolation, zero outside the map. Zhu et al., CVPR 2019, https://arxiv.org/abs/1811.11168, Eq. 1.

    Args:
        x: `(B, C, H, W)`.
        offset: $\Delta$ in pixels, `(B, 2 K, H, W)`: the K row offsets, then the K column offsets, taps row by row.
        mask: $m$, `(B, K, H, W)`.
        weight: $W$, `(C', C, k, k)`, k odd and K = k * k.
        backend: One of `BACKENDS`.

    Returns:
        `(B, C', H, W)`.

    Raises:
        ValueError: If `offset`, `mask` or `weight` does not fit `x`, or there is no such back end.
    """
    if (
        weight.ndim != 4
        or weight.shape[1] != x.shape[1]
        or weight.shape[2] != weight.shape[3]
        or weight.shape[3] % 2 == 0
    ):
        raise ValueError(
            f"weight must be (C', {x.shape[1]}, k, k) with k odd for x {tuple(x.shape)}, got {tuple(weight.shape)}."
        )
    taps = weight.shape[-1] * weight.shape[-2]
    size = (x.shape[0], *x.shape[-2:])
    for name, given, channels in (("offset", offset, 2 * taps), ("mask", mask, taps)):
        if given.shape != (size[0], channels, *size[1:]):
            raise ValueError(
                f"{name} must be {(size[0], channels, *size[1:])} for x {tuple(x.shape)} and weight "
                f"{tuple(weight.shape)}, got {tuple(given.shape)}."
            )
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}.")
    if backend == "torchvision" or (backend == "auto" and x.is_cuda):
        from torchvision.ops import deform_conv2d  # slow to import

        # torchvision wants row and column offset side by side for each tap.
        pairs = offset.unflatten(1, (2, taps)).transpose(1, 2).flatten(1, 2)
        return deform_conv2d(x, pairs, weight, padding=weight.shape[-1] // 2, mask=mask)
    return _by_grid_sample(x, offset, mask, weight)


def warp(x: Tensor, flow: Tensor, *, padding: str = "zeros") -> Tensor:
    r"""A map as it is seen from displaced positions.

    $$y_l(p) = x(p + \Delta_l(p))$$

    with bilinear interpolation. Shi et al. (TrajGRU), NeurIPS 2017, Eq. 4.

    Args:
        x: `(B, C, H, W)`.
        flow: $\Delta$ in pixels, `(B, 2 L, H, W)`: the L row displacements, then the L column displacements.
        padding: What lies outside the map: `"zeros"`, or its `"border"`, repeated.

    Returns:
        `(B, L * C, H, W)`, one map for each displacement.

    Raises:
        ValueError: If `flow` does not fit `x`, or `padding` is another word.
    """
    if padding not in PADDINGS:
        raise ValueError(f"padding must be one of {', '.join(PADDINGS)}, got {padding!r}.")
    size = (x.shape[0], *x.shape[-2:])
    if flow.ndim != 4 or flow.shape[1] % 2 or (flow.shape[0], *flow.shape[-2:]) != size:
        raise ValueError(
            f"flow must be ({size[0]}, 2 L, {size[1]}, {size[2]}) for x {tuple(x.shape)}, got {tuple(flow.shape)}."
        )
    rows, columns = flow.unflatten(1, (2, -1)).unbind(1)
    return _sample(x, rows, columns, padding).transpose(1, 2).flatten(1, 2).to(x.dtype)


def _by_grid_sample(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Read all taps of all positions with one `grid_sample`, then mix them with one matrix product."""
    kernel = weight.shape[-1]
    exact = torch.promote_types(x.dtype, torch.float32)
    tap = torch.arange(kernel, device=x.device, dtype=exact) - kernel // 2
    rows, columns = offset.to(exact).unflatten(1, (2, kernel, kernel)).unbind(1)  # (B, k, k, H, W)
    rows, columns = rows + tap.view(-1, 1, 1, 1), columns + tap.view(-1, 1, 1)
    samples = _sample(x, rows.flatten(1, 2), columns.flatten(1, 2)) * mask.unsqueeze(1)
    mixed = weight.flatten(1) @ samples.to(weight.dtype).flatten(1, 2).flatten(2)
    return mixed.unflatten(-1, x.shape[-2:])


def _sample(x: Tensor, rows: Tensor, columns: Tensor, padding: str = "zeros") -> Tensor:
    """`(B, C, L, H, W)`: what lies at displacements `(B, L, H, W)` from every position, in at least float32."""
    (batch, channels, height, width), count = x.shape, rows.shape[1]
    exact = torch.promote_types(x.dtype, torch.float32)  # positions need more digits than bfloat16 has
    rows = rows.to(exact) + torch.arange(height, device=x.device, dtype=exact).view(-1, 1)
    columns = columns.to(exact) + torch.arange(width, device=x.device, dtype=exact)
    # grid_sample counts from -1 to 1 between the outer edges of the border pixels.
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    grid = grid.view(batch, count * height, width, 2)
    samples = functional.grid_sample(x.to(exact), grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return samples.view(batch, channels, count, height, width)
