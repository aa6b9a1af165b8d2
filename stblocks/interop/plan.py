"""Plan: the weights of a released model, for our module."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..weights.state import load_weights, weights


@dataclass
class Plan:
    """Our module and where its tensors come from.

    Args:
        module: To be given the weights.
        names: Our parameter names to released ones.
        unused: Regular expression of released names that never take part.
        patch_inputs: Our parameters whose input channels are a patch of a frame, with the released channel of each.
        patch_outputs: The same for output channels.
        halves: Our parameters for two maps stacked by channel, which lie side by side along the width there.
        middles: Our tables of relative positions for windows larger than the map, which are the map there: the released
            ones are the middle of ours.
        made: Our parameters that are a part of a released one, or hold it in another shape or order, with what makes
            ours of it.
    """

    module: nn.Module
    names: dict[str, str]
    unused: str = r"(?!)"
    patch_inputs: dict[str, Tensor] = field(default_factory=dict)
    patch_outputs: dict[str, Tensor] = field(default_factory=dict)
    halves: list[str] = field(default_factory=list)
    middles: list[str] = field(default_factory=list)
    made: dict[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)

    def load(self, official: Mapping[str, Tensor]) -> nn.Module:
        """Give the module its weights, strictly."""
        ours: dict[str, Tensor] = {}
        left = {name for name in official if not re.fullmatch(self.unused, name)}
        own = weights(self.module)
        for name, there in self.names.items():
            if name not in own:  # a second name of a shared tensor
                continue
            parts = there.split("+")
            missing = [part for part in parts if part not in official]
            if missing:
                raise ValueError(f"state_dict must hold {missing[0]}; it holds {', '.join(sorted(official))[:300]}.")
            left.difference_update(parts)
            value = torch.cat([official[part] for part in parts]) if len(parts) > 1 else official[parts[0]]
            value = self.made[name](value) if name in self.made else value
            alike = _long_axes(value) == _long_axes(own[name])  # a linear layer is a 1x1 convolution
            ours[name] = value.reshape(own[name].shape) if alike else value
        if left:
            raise ValueError(
                f"state_dict holds {', '.join(sorted(left))}, unknown to this kind; is the config its own?"
            )
        ours |= {name: torch.cat(ours[name].chunk(2, dim=-1)) for name in self.halves}
        ours |= {name: _surrounded(ours[name], len(own[name])) for name in self.middles}
        ours |= {name: _ordered(ours[name], 1, order, name) for name, order in self.patch_inputs.items()}
        ours |= {name: _ordered(ours[name], 0, order, name) for name, order in self.patch_outputs.items()}
        self.module.to(next(iter(ours.values())).dtype)
        load_weights(self.module, ours, "state_dict")
        return self.module


def _ordered(weight: Tensor, axis: int, order: Tensor, name: str) -> Tensor:
    """A weight that meets frames, with their channels in our order."""
    if weight.shape[axis] != len(order):
        raise ValueError(
            f"state_dict holds the weights of another model: those of {name} are for patches of {weight.shape[axis]} "
            f"values, and the config says {len(order)}; are its channels and the side of its patches right?"
        )
    return weight.index_select(axis, order)


def _surrounded(table: Tensor, rows: int) -> Tensor:
    """A table of relative positions with zeros for the offsets of a larger window; one that does not fit, as it is."""
    side, whole = math.isqrt(len(table)), math.isqrt(rows)
    if side**2 != len(table) or side > whole:
        return table
    square = table.unflatten(0, (side, side))
    return functional.pad(square, [0, 0, *[(whole - side) // 2] * 4]).flatten(0, 1)


def _long_axes(value: Tensor) -> list[int]:
    return [side for side in value.shape if side != 1]


def patch_order(channels: int, patch: int) -> Tensor:
    """Released channel of each of ours: (row, column, channel) there, (channel, row, column) here."""
    return torch.arange(patch * patch * channels).view(patch, patch, channels).permute(2, 0, 1).flatten()
