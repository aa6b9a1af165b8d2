"""What the SimVP recipes share."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class SimVPSettings:
    """A small model.

    Args:
        channels: Of the features of a frame.
        encoder_layers: Convolutions in the encoder and in the decoder.
        translator_channels: Of the features of all frames together.
        num_layers: Blocks of the translator.
        drop_path: Rate of stochastic depth at the last block.
    """

    channels: int = 16
    encoder_layers: int = 4
    translator_channels: int = 128
    num_layers: int = 4
    drop_path: float = 0.0

    @property
    def model_options(self) -> dict[str, Any]:
        """Options of `create_model`, beside the shape of the frames."""
        return {field.name: getattr(self, field.name) for field in fields(SimVPSettings)}
