"""Block: a module that says which slots it reads and which it writes."""

from collections.abc import Iterator, Mapping
from numbers import Integral

import torch
from torch import Tensor, nn

from .slot import Slot


class Block(nn.Module):
    """Base of all blocks: a plain `nn.Module` on feature maps that can also be a stage of a `Cell`.

    A subclass sets the five tuples below, on the class or, where an option changes them, on the instance.
    Its `forward` takes one `(B, channels, H, W)` map for every slot in `reads`, in that order, and returns one for
    every slot in `writes`: a tensor if there is one, otherwise a tuple. Maps of slots that the block can start itself
    (`owns`, `adopts`) may be left out.

    Args:
        widths: Channels of every slot that the block reads or writes.

    Attributes:
        reads: Slots that `forward` takes.
        writes: Slots that `forward` returns.
        owns: Carried slots whose start `init_state` makes; a cell has one owner for each.
        adopts: Slots the block starts only if no other stage owns them.
        alike: Slots that have one width, whatever it is, in a block that takes any (they are then not in `widths`).
        whole_map: Whether a value it writes depends on every position of its maps, as by attention, pooling or a scan
            over all of them. A block may leave that to a module inside; torch's own layers need not be named.

    Shapes:
        reads: `(B, channels, H, W)` each, where `size_of` does not say otherwise.
        returns: The same, one for each slot in `writes`.

    Raises:
        ValueError: If a width is not a positive integer. When called, every block checks the maps that it reads: see
            `take`.
    """

    reads: tuple[Slot, ...] = ()
    writes: tuple[Slot, ...] = ()
    owns: tuple[Slot, ...] = ()
    adopts: tuple[Slot, ...] = ()
    alike: tuple[Slot, ...] = ()
    whole_map: bool = False

    def __init__(self, widths: Mapping[Slot, int]) -> None:
        super().__init__()
        for slot, width in widths.items():
            if not isinstance(width, Integral) or isinstance(width, bool) or width < 1:
                raise ValueError(
                    f"{type(self).__name__}: channels of {slot} must be a positive integer, got {width!r}."
                )
        self.widths = {slot.name: int(width) for slot, width in widths.items()}

    def size_of(self, slot: Slot, height: int, width: int) -> tuple[int, int]:
        """Height and width of a slot's map where `x` has these; a block with coarser states says so here."""
        return height, width

    def init_state(self, x: Tensor) -> dict[str, Tensor]:
        """Start of every slot the block owns or adopts: zeros for the batch, height and width of `x`.

        Args:
            x: Any feature map `(B, *, H, W)` of the cell; only its shape, device and dtype matter.

        Returns:
            Slot name to tensor `(B, channels, *size_of(slot, H, W))`.
        """
        return {
            slot.name: zeros(x, self.widths[slot.name], *self.size_of(slot, *x.shape[-2:]))
            for slot in self.owns + self.adopts
        }

    def take(self, *given: Tensor | None) -> tuple[Tensor, ...]:
        """The arguments of `forward`, one for each slot in `reads`, checked, and started where left out.

        Raises:
            ValueError: If a map has another rank, batch, channels, height or width than it must, or one is missing
                that the block cannot start.
        """
        there = {slot.name: value for slot, value in zip(self.reads, given, strict=True) if value is not None}
        known = self._tells_size(there)
        start = self.init_state(known) if len(there) < len(given) else {}
        taken = []
        for slot, value in zip(self.reads, given, strict=True):
            value = start.get(slot.name) if value is None else value
            width = self.widths.get(slot.name, known.shape[1])
            shape = (known.shape[0], width, *self.size_of(slot, *known.shape[2:]))
            if value is None or value.shape != shape:
                raise ValueError(self._expected(slot, value, shape if value is not known else shape[:2]))
            taken.append(value)
        return tuple(taken)

    def _tells_size(self, there: dict[str, Tensor]) -> Tensor:
        """The map that tells batch, height and width: the first that the block cannot start, or else the first."""
        startable = [slot.name for slot in self.owns + self.adopts]
        told = [slot for slot in self.reads if slot.name in there and slot.name not in startable]
        slot = (told or [slot for slot in self.reads if slot.name in there] or [self.reads[0]])[0]
        known = there.get(slot.name)
        if known is None or known.ndim != 4:
            raise ValueError(self._expected(slot, known))
        return known

    def _expected(self, slot: Slot, value: Tensor | None, shape: tuple[int, ...] = ()) -> str:
        axes = [*map(str, shape), *("B", str(self.widths.get(slot.name, "C")), "H", "W")[len(shape) :]]
        got = "nothing" if value is None else f"shape {tuple(value.shape)}"
        return (
            f"{type(self).__name__}: argument {self.reads.index(slot) + 1}, {slot}, must be a feature map "
            f"({', '.join(axes)}), got {got}."
        )


def zeros(x: Tensor, *shape: int) -> Tensor:
    """Zeros `(B, *shape)` for a state beside `x`; float32 under autocast, so that sums over time keep their digits."""
    dtype = torch.float32 if torch.is_autocast_enabled(x.device.type) and x.dtype.itemsize < 4 else x.dtype
    return x.new_zeros(x.shape[0], *shape, dtype=dtype)


def providers(slot: Slot) -> str:
    """Names of the known blocks that write a slot, for messages: a plug-in block counts as soon as it is defined."""
    names = sorted({block.__name__ for block in _concrete(Block) if slot in block.writes})
    return " or ".join(names) if names else f"a block whose `writes` holds {slot.name}"


def starters(slot: Slot) -> str:
    """Names of the known blocks that own or adopt a slot."""
    names = sorted({block.__name__ for block in _concrete(Block) if slot in block.owns + block.adopts})
    return " or ".join(names) if names else f"a block whose `owns` holds {slot.name}"


def _concrete(cls: type[Block]) -> Iterator[type[Block]]:
    """All blocks below a class that can be built: bases lack `forward`, or leave an `abstractmethod` to others."""
    for child in cls.__subclasses__():
        abstract = [name for name in dir(child) if getattr(getattr(child, name, None), "__isabstractmethod__", False)]
        if child.forward is not nn.Module.forward and not abstract:
            yield child
        yield from _concrete(child)
