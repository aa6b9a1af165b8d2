"""Parallel: layers side by side on one map, whose outputs become one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .block import Block
from .cell import mean_aux
from .stack import layer_aux, start_layer, step_layer


class Parallel(nn.Module):
    r"""Layers that get the same map and run side by side; what they make of it is merged.

    $$y_t = \mathrm{merge}(a(x_t), b(x_t), \dots)$$

    Each branch keeps a state of its own, so that any two networks fit: a physical model beside one that learns the
    rest, as in PhyDNet, or two bases beside each other. A branch is whatever is a layer of a `RecurrentStack`: a cell,
    a stack of cells, a stateless module (`nn.Identity()` makes a shortcut). The whole is a layer in turn.

    Args:
        *branches: Two layers or more.
        merge: From the outputs laid side by side by channel, `(B, sum of their channels, H, W)`, to one map, such as
            `nn.Conv2d(128, 64, 1)`. `None` adds the outputs.

    Attributes:
        in_channels: Channels of the input, if a branch publishes them.
        out_channels: Channels of the output, if they are known.

    Shapes:
        x: `(B, in_channels, H, W)`.
        returns: What the branches make of it, `(B, out_channels, H', W')`, and the state: a list, one for each branch.

    Raises:
        ValueError: If there are fewer than two branches, one is no layer, they differ in channels where they must not,
            or `merge` is no module or takes other channels than they give; when called, if outputs differ in shape.

    Example:
        >>> physics = RecurrentStack([nn.Conv2d(16, 64, 1), Cell(PhyCell(64, 64))])
        >>> stack = RecurrentStack([Parallel(physics, Cell(STConvLSTM(16, 64)))])
    """

    def __init__(self, *branches: nn.Module, merge: nn.Module | None = None) -> None:
        super().__init__()
        if len(branches) < 2:
            raise ValueError(f"branches must be two layers at least, got {len(branches)}; one alone needs no Parallel.")
        for index, branch in enumerate(branches):
            if isinstance(branch, Block) or not isinstance(branch, nn.Module):
                name = type(branch).__name__
                raise ValueError(
                    f"branch {index} must be a layer, got {name}; of a block make one by Cell({name}(...))."
                )
        if not isinstance(merge, nn.Module | None):
            raise ValueError(f"merge must be a module, or None to add the outputs, got {type(merge).__name__}.")
        self.branches, self.merge = nn.ModuleList(branches), merge
        self.in_channels = self._agreed("in_channels", "takes")
        if merge is None:
            self.out_channels = self._agreed("out_channels", "gives")
        else:
            self.out_channels = getattr(merge, "out_channels", None)
            self._check_merge(getattr(merge, "in_channels", None))

    def init_state(self, x: Tensor) -> list[Any]:
        """The state of each branch before the first step, for inputs like `x`."""
        return [start_layer(branch, x) for branch in self.branches]

    def forward(self, x: Tensor, state: list[Any] | None = None) -> tuple[Tensor, list[Any]]:
        """One step: a map and the states in, a map and the states out; `None` starts from zeros."""
        own = self.init_state(x) if state is None else state
        steps = [step_layer(branch, x, each) for branch, each in zip(self.branches, own, strict=True)]
        maps = [y for y, _ in steps]
        first, *others = [each.shape if self.merge is None else (each.shape[0], *each.shape[2:]) for each in maps]
        if any(other != first for other in others):
            raise ValueError(
                f"branches must make maps of one shape{'' if self.merge is None else ' but for their channels'}, got "
                f"{', '.join(str(tuple(each.shape)) for each in maps)}."
            )
        y = sum(maps[1:], start=maps[0]) if self.merge is None else self.merge(torch.cat(maps, dim=1))
        return y, [after for _, after in steps]

    def aux(self, state: Sequence[Any]) -> dict[str, Tensor]:
        """Auxiliary values of a step: name to `(B,)`, averaged over the branches that have it."""
        return mean_aux(layer_aux(branch, own) for branch, own in zip(self.branches, state, strict=True))

    def _check_merge(self, takes: int | None) -> None:
        """What the merge takes is what the branches give, where both are known."""
        gives = [n for branch in self.branches if (n := getattr(branch, "out_channels", None)) is not None]
        if takes is not None and len(gives) == len(self.branches) and sum(gives) != takes:
            raise ValueError(
                f"merge takes {takes} channels, but the branches give {' + '.join(map(str, gives))}; make them equal."
            )

    def _agreed(self, what: str, does: str) -> int | None:
        """Channels that the branches publish, which are the same in all that do."""
        known = {i: n for i, branch in enumerate(self.branches) if (n := getattr(branch, what, None)) is not None}
        first, channels = next(iter(known.items()), (0, None))
        for index, other in known.items():
            if other != channels:
                raise ValueError(
                    f"branch {index} {does} {other} channels, but branch {first} {does} {channels}; make them equal"
                    f"{'' if what == 'in_channels' else ', or give a merge'}."
                )
        return channels
