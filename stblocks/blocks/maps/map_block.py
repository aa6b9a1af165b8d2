"""MapBlock: a block over one map, that a translator stacks and a cell uses to rewrite its hidden state."""

from ...core.block import Block
from ...core.slot import H


class MapBlock(Block):
    """Base of blocks that take one feature map and return one of the same shape.

    Alone they are layers `(B, channels, H, W) -> (B, channels, H, W)`, such as a SimVP translator stacks; as a stage of
    a cell they rewrite `h`.

    Args:
        channels: Of the map.

    Shapes:
        h: `(B, channels, H, W)`.
        returns: The same.

    Raises:
        ValueError: If `channels` is not positive; when called, if `h` has other channels.
    """

    reads = (H,)
    writes = (H,)

    def __init__(self, channels: int) -> None:
        super().__init__({H: channels})
