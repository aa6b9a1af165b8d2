"""The blocks that a SimVP translator can be made of, by name."""

from collections.abc import Callable

from torch import nn

from .gsta import GSTA
from .tau import TAU

#: Name to a function `(channels, *, layer, size, mlp_ratio, drop, drop_path)` that makes the block of a layer; `size`
#: is that of its map for frames of the model's `image_size`. Put your own in, and models take it by name.
TRANSLATORS: dict[str, Callable[..., nn.Module]] = {
    "gsta": lambda channels, *, layer, size, **options: GSTA(channels, **options),
    "tau": lambda channels, *, layer, size, **options: TAU(channels, **options),
}

#: Those whose weights depend on the size of the map.
SIZE_BOUND: frozenset[str] = frozenset()
