"""How weights start."""

from math import sqrt

from torch import nn

from .layers import Pointwise

#: Standard deviation of weights in transformers, and in SimVP's encoder and decoder.
SPREAD = 0.02


def start_like_transformers(module: nn.Module) -> None:
    """Start linear layers, 1x1 convolutions too, from a truncated normal distribution and biases from zero."""
    for part in module.modules():
        if isinstance(part, nn.Linear | Pointwise):
            nn.init.trunc_normal_(part.weight, std=SPREAD)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def start_like_he(module: nn.Module) -> None:
    """Start convolutions and linear layers from a normal distribution of variance 2 / fan-out, biases from zero.

    As released.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            groups = part.groups if isinstance(part, nn.Conv2d) else 1
            fan_out = part.weight[:, 0].numel() // groups
            nn.init.normal_(part.weight, std=sqrt(2 / fan_out))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
