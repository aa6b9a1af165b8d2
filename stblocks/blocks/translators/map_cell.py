"""MapCell: blocks of recurrent cells as one layer from a map to a map, which remembers nothing."""

from typing import Any

from torch import Tensor, nn

from ...core.block import Block
from ...core.cell import Cell
from ...core.slot import LOCAL, H, X
from ...weights.migrate import migrate
from ..maps.map_block import MapBlock


class FromInput(Block):
    """Starts a cell without memory: the hidden state is the layer's input, $H_t = X_t$; ours.

    Args:
        channels: Channels of `x` and `h`.

    Shapes:
        x: `(B, channels, H, W)`, any `H` and `W`.
        returns: `h`, which is `x`.
    """

    reads = (X,)
    writes = (H,)

    def __init__(self, channels: int) -> None:
        super().__init__({X: channels, H: channels})

    def forward(self, x: Tensor) -> Tensor:
        """`h`."""
        return self.take(x)[0]


class AnyMap(MapBlock):
    """Any module from maps to maps of the same shape, as a stage of a cell.

    Args:
        channels: Of the map.
        module: The module.
    """

    def __init__(self, channels: int, module: nn.Module) -> None:
        super().__init__(channels)
        self.module = module

    def forward(self, h: Tensor) -> Tensor:
        """What the module makes of `h`."""
        (h,) = self.take(h)
        return self.module(h)


def as_stage(channels: int, module: nn.Module) -> Block:
    """The module itself, if it is a block, or it in an `AnyMap`."""
    return module if isinstance(module, Block) else AnyMap(channels, module)


class MapCell(MapBlock):
    r"""Blocks in a row as one layer of a translator: `x` is the layer's map, and `h` starts as the same.

    Ours: $h \leftarrow B_n(x, \dots B_1(x, x))$ with x the map that comes in and $B_i$ the stages.

    `MapCell(64, GSTA(64), GFM(64, 64))` gates the result of gSTA by what the layer was given, as GMG gates the hidden
    state by the frame. A translator takes no steps in time, so that blocks with a memory do not fit.

    Args:
        channels: Of the map.
        *stages: First to last: blocks over `x` and `h`, or any module from maps to maps of the same shape.

    Shapes:
        h: `(B, channels, H, W)`.
        returns: The same.

    Raises:
        ValueError: If a stage needs a slot that is carried from step to step or climbs from layer to layer, or one that
            no earlier stage writes, or has other channels.

    Example:
        >>> translator = Translator(40, 64, 40, num_layers=4, block=lambda layer, width: MapCell(width, TAU(width)))
    """

    def __init__(self, channels: int, *stages: nn.Module) -> None:
        super().__init__(channels)
        if not stages:
            raise ValueError("stages must hold at least one block, got none.")
        blocks = [as_stage(channels, stage) for stage in stages]
        for block in blocks:
            for slot in block.reads + block.writes + block.owns + block.adopts:
                if slot != H and slot.route is not LOCAL:
                    raise ValueError(
                        f"{type(block).__name__} needs {slot}, which goes from step to step or from layer to layer; "
                        f"the layers of a translator take no steps and hand on their map alone."
                    )
        self.cell = Cell(FromInput(channels), *blocks)
        self.register_load_state_dict_pre_hook(migrate)  # type: ignore[no-untyped-call]

    def forward(self, h: Tensor) -> Tensor:
        """The map after all stages."""
        (h,) = self.take(h)
        return self.cell.run(h, {})[0]

    def migrate(self, state_dict: dict[str, Any], prefix: str) -> None:
        """Names of a block and its gate to those of the stages that they are."""
        block = "cell.stages.1.module." if isinstance(self.cell.stages[1], AnyMap) else "cell.stages.1."
        for former, present in (("block.", block), ("gate.", "cell.stages.2.")):
            for name in [name for name in state_dict if name.startswith(prefix + former)]:
                state_dict[prefix + present + name.removeprefix(prefix + former)] = state_dict.pop(name)


class SequenceStage(MapBlock):
    """A block of sequences as a stage of a cell that is given the maps of all frames, one sample after the other.

    Args:
        channels: Of the map.
        block: From `(B, frames, channels, H, W)` to the same.
        frames: Length of the sequences.
    """

    def __init__(self, channels: int, block: nn.Module, frames: int) -> None:
        super().__init__(channels)
        self.block, self.frames = block, frames

    def forward(self, h: Tensor) -> Tensor:
        """`(B * frames, channels, H, W)` to the same."""
        (h,) = self.take(h)
        return self.block(h.unflatten(0, (-1, self.frames))).flatten(0, 1)


class SequenceCell(MapCell):
    """A `MapCell` for sequences `(B, T, channels, H, W)`: stages but a `SequenceStage` take each frame by itself."""

    def forward(self, h: Tensor) -> Tensor:
        """The sequence after all stages."""
        return self.cell.run(h.flatten(0, 1), {})[0].unflatten(0, h.shape[:2])
