"""VMRNN and SwinLSTM: one cell on embedded patches (B), or cells in the shape of a U (D)."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from torch import nn

from ..blocks import VMRNN, PatchEmbed, PatchExpanding, PatchInflate, PatchMerging, SwinLSTM
from ..blocks.maps.ss2d import DIRECTIONS
from ..borders.checks import check_image_size, check_rate
from ..core import Cell, RecurrentForecaster, RecurrentStack, register_model

#: Channels, level (0 is the finest) and a rate of stochastic depth for each block, to a cell.
MakeCell = Callable[[int, int, list[float]], Cell]


@register_model(paper="Tang et al., VMRNN, 2024", dataset="TaxiBJ", parameters=2_218_114, flops=903_878_976)
def vmrnn_b(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int = 128,
    depth: int = 12,
    patch_size: int = 4,
    state_dim: int = 16,
    expand: float = 2,
    kernel_size: int = 3,
    dt_rank: int | str = "auto",
    directions: Sequence[str] = DIRECTIONS,
    drop_path: float = 0.1,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """VMRNN-B (paper, Fig. 3a, Table 1): one cell on patches, for frames in [0, 1], as the last layer is a sigmoid.

    Defaults are for TaxiBJ, with `in_channels=2, image_size=(32, 32)`; for KTH it is `depth=6, patch_size=2`. The
    published 2.58 M parameters count 0.36 M that never take part: not created here.

    Args:
        in_channels: Of a frame.
        image_size: `(H, W)` of a frame; any size is taken.
        out_channels: Of the forecast frames; `None` stands for those of a frame. With others, to forecast more than one
            frame, set `model.feedback`.
        channels: Of the patches.
        depth: See `VMRNN`.
        state_dim: See `VMRNN`.
        expand: See `VMRNN`.
        kernel_size: See `VMRNN`.
        dt_rank: See `VMRNN`.
        directions: See `VMRNN`.
        drop_path: See `VMRNN`.
        patch_size: Side of a patch.
        checkpointing: See `RecurrentForecaster`.
    """
    options: dict[str, Any] = {"state_dim": state_dim, "expand": expand, "kernel_size": kernel_size}
    options |= {"dt_rank": dt_rank, "directions": directions}
    cell = Cell(VMRNN(channels, depth=depth, drop_path=drop_path, **options))
    return _forecaster(in_channels, image_size, out_channels, channels, patch_size, [cell], checkpointing)


@register_model(paper="Tang et al., VMRNN, 2024", dataset="Moving MNIST")
def vmrnn_d(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int = 128,
    depths_down: Sequence[int] = (2, 6),
    depths_up: Sequence[int] = (6, 2),
    patch_size: int = 2,
    state_dim: int = 16,
    expand: float = 2,
    kernel_size: int = 3,
    dt_rank: int | str = "auto",
    directions: Sequence[str] = DIRECTIONS,
    drop_path: float = 0.1,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """VMRNN-D (paper, Fig. 3b, Table 1): a U of VMRNN cells, (2, 6, 6, 2) blocks deep, for frames in [0, 1].

    The released code reads its upward depths backwards: `depths_up=(2, 6)` is its network, of 15.27 M parameters less
    1.87 M that never take part: not created here.

    Args:
        in_channels: Of a frame.
        image_size: `(H, W)` of a frame; any size is taken.
        out_channels: Of the forecast frames; `None` stands for those of a frame. With others, to forecast more than one
            frame, set `model.feedback`.
        channels: Of the patches; every merging of them doubles that.
        depths_down: Blocks of each cell on the way to coarse maps.
        depths_up: The same for the way back, from coarse to fine.
        patch_size: Side of a patch.
        state_dim: See `VMRNN`.
        expand: See `VMRNN`.
        kernel_size: See `VMRNN`.
        dt_rank: See `VMRNN`.
        directions: See `VMRNN`.
        drop_path: Of the coarsest block on either way; it falls linearly to 0 at the finest.
        checkpointing: See `RecurrentForecaster`.
    """
    options: dict[str, Any] = {"state_dim": state_dim, "expand": expand, "kernel_size": kernel_size}
    options |= {"dt_rank": dt_rank, "directions": directions}

    def cell(channels: int, level: int, rates: list[float]) -> Cell:
        return Cell(VMRNN(channels, depth=len(rates), drop_path=rates, **options))

    layers = _u_shape(cell, channels, depths_down, depths_up, drop_path)
    return _forecaster(
        in_channels, image_size, out_channels, channels, patch_size, layers, checkpointing, len(depths_down)
    )


@register_model(paper="Tang et al., SwinLSTM, ICCV 2023", dataset="TaxiBJ", parameters=2_742_066, flops=1_315_184_640)
def swinlstm_b(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int = 128,
    depth: int = 12,
    patch_size: int = 4,
    num_heads: int = 4,
    window_size: int = 8,
    mlp_ratio: float = 4.0,
    drop_path: float = 0.1,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """SwinLSTM-B: one cell on patches, for frames in [0, 1], as the last layer is a sigmoid.

    Defaults are those of the VMRNN paper for TaxiBJ, with `in_channels=2, image_size=(32, 32)`. The published 2.94 M
    parameters count 0.20 M that never take part: not created here.

    Args:
        in_channels: Of a frame.
        image_size: `(H, W)` of a frame; any size is taken.
        out_channels: Of the forecast frames; `None` stands for those of a frame. With others, to forecast more than one
            frame, set `model.feedback`.
        channels: Of the patches.
        depth: See `SwinLSTM`.
        num_heads: See `SwinLSTM`.
        window_size: See `SwinLSTM`.
        mlp_ratio: See `SwinLSTM`.
        drop_path: See `SwinLSTM`.
        patch_size: Side of a patch.
        checkpointing: See `RecurrentForecaster`.
    """
    options: dict[str, Any] = {"num_heads": num_heads, "window_size": window_size, "mlp_ratio": mlp_ratio}
    cell = Cell(SwinLSTM(channels, depth=depth, drop_path=drop_path, **options))
    return _forecaster(in_channels, image_size, out_channels, channels, patch_size, [cell], checkpointing)


@register_model(
    paper="Tang et al., SwinLSTM, ICCV 2023", dataset="Moving MNIST", parameters=18_845_409, flops=69_877_858_304
)
def swinlstm_d(
    in_channels: int = 1,
    image_size: Sequence[int] = (64, 64),
    *,
    out_channels: int | None = None,
    channels: int = 128,
    depths_down: Sequence[int] = (2, 6),
    depths_up: Sequence[int] = (2, 6),
    patch_size: int = 2,
    num_heads: Sequence[int] = (4, 8),
    window_size: int = 4,
    mlp_ratio: float = 4.0,
    drop_path: float = 0.1,
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """SwinLSTM-D: a U of SwinLSTM cells, for frames in [0, 1].

    Depths are those of the released code, which reads its upward ones backwards. The published 20.19 M parameters count
    1.35 M that never take part: not created here.

    Args:
        in_channels: Of a frame.
        image_size: `(H, W)` of a frame; any size is taken.
        out_channels: Of the forecast frames; `None` stands for those of a frame. With others, to forecast more than one
            frame, set `model.feedback`.
        channels: Of the patches; every merging of them doubles that.
        depths_down: Blocks of each cell on the way to coarse maps.
        depths_up: The same for the way back, from coarse to fine.
        patch_size: Side of a patch.
        num_heads: Heads in each cell on the way to coarse maps; on the way back the same in reverse.
        window_size: See `SwinLSTM`.
        mlp_ratio: See `SwinLSTM`.
        drop_path: Of the coarsest block on either way; it falls linearly to 0 at the finest.
        checkpointing: See `RecurrentForecaster`.
    """
    if len(num_heads) != len(depths_down):
        raise ValueError(f"num_heads must have {len(depths_down)} entries, as depths_down has, got {num_heads!r}.")
    options: dict[str, Any] = {"window_size": window_size, "mlp_ratio": mlp_ratio}

    def cell(channels: int, level: int, rates: list[float]) -> Cell:
        return Cell(SwinLSTM(channels, depth=len(rates), num_heads=num_heads[level], drop_path=rates, **options))

    layers = _u_shape(cell, channels, depths_down, depths_up, drop_path)
    return _forecaster(
        in_channels, image_size, out_channels, channels, patch_size, layers, checkpointing, len(depths_down)
    )


def _u_shape(
    cell: MakeCell, channels: int, depths_down: Sequence[int], depths_up: Sequence[int], drop_path: float
) -> list[nn.Module]:
    """Cells, each followed by a merging of patches on the way down and by an expansion on the way up."""
    merges = len(depths_down)
    if not merges or len(depths_up) != merges:
        raise ValueError(
            f"depths_down and depths_up must have the same number of entries, at least one, "
            f"got {depths_down!r} and {depths_up!r}."
        )
    layers: list[nn.Module] = []
    for level, rates in enumerate(_rates(drop_path, depths_down)):
        width = channels * 2**level
        layers += [cell(width, level, rates), PatchMerging(width)]
    for level, rates in reversed(list(enumerate(_rates(drop_path, depths_up[::-1])))):
        width = channels * 2 ** (level + 1)
        layers += [cell(width, level, rates), PatchExpanding(width)]
    return layers


def _rates(drop_path: float, depths: Sequence[int]) -> list[list[float]]:
    """For each block of each cell, fine to coarse, a rate; they rise linearly to `drop_path`."""
    check_rate("drop_path", drop_path)
    step, index = drop_path / max(sum(depths) - 1, 1), count()
    return [[step * next(index) for _ in range(depth)] for depth in depths]


def _forecaster(
    in_channels: int,
    image_size: Sequence[int],
    out_channels: int | None,
    channels: int,
    patch_size: int,
    layers: list[nn.Module],
    checkpointing: bool,
    merges: int = 0,
) -> RecurrentForecaster:
    check_image_size(image_size)
    out_channels = in_channels if out_channels is None else out_channels
    return RecurrentForecaster(
        PatchEmbed(in_channels, channels, patch_size=patch_size),
        RecurrentStack(layers),
        nn.Sequential(PatchInflate(channels, out_channels, patch_size=patch_size), nn.Sigmoid()),
        size_multiple=patch_size * 2**merges,
        checkpointing=checkpointing,
        in_channels=in_channels,
        out_channels=out_channels,
    )
