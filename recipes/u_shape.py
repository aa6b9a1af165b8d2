"""What the recipes of VMRNN-D and SwinLSTM-D share."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class UShapeSettings:
    """A small model.

    Args:
        channels: Channels of the patches.
        depths_down: Blocks of each cell on the way to coarse maps.
        depths_up: The same for the way back, from coarse to fine.
        patch_size: Side of the patches that frames are cut into.
    """

    channels: int = 32
    depths_down: tuple[int, ...] = (1, 1)
    depths_up: tuple[int, ...] = (1, 1)
    patch_size: int = 4

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of `create_model`, beside the shape of the frames."""
        return {field.name: getattr(self, field.name) for field in fields(UShapeSettings)}
