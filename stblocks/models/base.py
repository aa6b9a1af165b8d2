"""Base and Plug: the layers of a network, and what other papers put into them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple

from torch import nn

from ..blocks.layers import Norm
from ..core import Block, RecurrentForecaster, Registry, Route, Slot


class Place(NamedTuple):
    """Where blocks are to stand: what their constructors may need to know.

    Attributes:
        layer: Counted from 0, the bottom one.
        num_layers: Number of layers.
        in_channels: Channels of the layer's input.
        channels: Width of the layer.
        kernel_size: Side of the kernels, where the papers vary it.
        norm: The norm for the blocks, if there is one.
    """

    layer: int
    num_layers: int
    in_channels: int
    channels: int
    kernel_size: int
    norm: Norm | None

    @property
    def top(self) -> bool:
        """Whether this is the last layer."""
        return self.layer == self.num_layers - 1

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that most blocks share."""
        return {"kernel_size": self.kernel_size, "norm": self.norm}


#: Blocks for a layer, in the order they run in.
Make = Callable[..., Sequence[Block]]


def nothing(place: Place) -> Sequence[Block]:
    """No block."""
    return []


@dataclass(frozen=True)
class Base:
    """The layers of a recurrent network, without what stands around them.

    Args:
        cell: The blocks of a layer: `cell(place)`.
        embed: Whether the bottom layer takes maps of its own width, as cells do whose `x` is as wide as `h`. A 1x1
            convolution then embeds the patches; it and the last one have biases.
        routes: See `RecurrentStack`.
        above_bottom: More layers, between the bottom one and the next.
        bound: Whether weights depend on `image_size`, whatever the norm.
    """

    cell: Make
    embed: bool = False
    routes: Mapping[Slot, Route] | None = None
    above_bottom: Sequence[nn.Module] = ()
    bound: bool = False


@dataclass(frozen=True)
class Plug:
    """Blocks that go into the layers of any base.

    Args:
        before: The blocks before the base's own: `before(place)`, or `before(place, scales=...)` with options of
            `hybrid` that they need.
        after: The same for those after them.
        below_top: Whether the top layer goes without.
    """

    before: Make = nothing
    after: Make = nothing
    below_top: bool = False


BASES = Registry[Callable[..., Base]]("base", "stblocks.bases")
"""Bases by name: functions of a frame and their options. `BASES.names()` lists them."""
PLUGS = Registry[Plug]("plug", "stblocks.plugs")
"""Plugs by name. `PLUGS.names()` lists them."""
#: The plug that stands for the base's own blocks, in lists that say on which side of them each plug is to stand.
STAGE = "stage"
PLUGS.register(STAGE)(Plug())


def register_base(build: Callable[..., Base]) -> Callable[..., RecurrentForecaster]:
    """Register a function that makes a base, under the function's name; `hybrid` then takes it as `base=`.

    Args:
        build: Its first argument is the frame, the others are its options, keywords with JSON values.

    Returns:
        The base in its frame, a function of the same arguments: `register_model(frame=PatchFrame)` makes a model of it.

    Raises:
        ValueError: If the name is taken.

    Example:
        >>> @register_model(frame=PatchFrame, paper="ours")
        ... @register_base
        ... def tiny_rnn(frame: PatchFrame, *, forget_bias=1.0):
        ...     return Base(lambda place: [ConvLSTM(place.in_channels, place.channels, forget_bias=forget_bias)])
    """
    BASES.register(build.__name__)(build)

    @wraps(build)
    def in_frame(frame: Any, **options: Any) -> RecurrentForecaster:
        return frame.build(build(frame, **options))

    signature = inspect.signature(build).replace(return_annotation=RecurrentForecaster)
    in_frame.__signature__ = signature  # type: ignore[attr-defined]
    return in_frame


def register_plug(name: str, plug: Plug) -> Plug:
    """Register a plug, which `hybrid` then takes among its `plugs=`.

    Args:
        name: Of the plug.
        plug: The blocks before and after those of the base.

    Raises:
        ValueError: If the name is taken.

    Example:
        >>> register_plug("running_mean", Plug(after=lambda place: [RunningMean(place.channels)]))
    """
    return PLUGS.register(name)(plug)
