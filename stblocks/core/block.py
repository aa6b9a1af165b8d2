"""Block: a module that says which slots it reads and which it writes."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from .slot import Slot


class Block(nn.Module):
    """Base of all blocks: a plain `nn.Module` on feature maps that can also be a stage of a `Cell`.

    A subclass sets the four tuples below, on the class or, where an option changes them, on the instance.
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

    Raises:
        ValueError: If a width is not a positive integer.
    """

    reads: tuple[Slot, ...] = ()
    writes: tuple[Slot, ...] = ()
    owns: tuple[Slot, ...] = ()
    adopts: tuple[Slot, ...] = ()
    alike: tuple[Slot, ...] = ()

    def __init__(self, widths: Mapping[Slot, int]) -> None:
        super().__init__()
        for slot, width in widths.items():
            if not isinstance(width, int) or isinstance(width, bool) or width < 1:
                raise ValueError(
                    f"{type(self).__name__}: channels of {slot} must be a positive integer, got {width!r}."
                )
        self.widths = {slot.name: width for slot, width in widths.items()}

    def init_state(self, x: Tensor) -> dict[str, Tensor]:
        """Start of every slot the block owns or adopts, zeros with the batch, height and width of `x`.

        Args:
            x: Any feature map `(B, *, H, W)` of the cell; only its shape, device and dtype matter.

        Returns:
            Slot name to tensor `(B, channels, H, W)`.
        """
        return {slot.name: zeros(x, self.widths[slot.name], *x.shape[-2:]) for slot in self.owns + self.adopts}

    def take(self, *given: Tensor | None) -> tuple[Tensor, ...]:
        """The arguments of `forward`, one for each slot in `reads`, checked, and started where left out.

        Raises:
            ValueError: If a map has the wrong rank or channels, or one is missing that the block cannot start.
        """
        maps = [value for value in given if value is not None]
        known = maps[0] if maps else None
        if known is None or known.ndim != 4:
            raise ValueError(self._expected(0, known, "B"))
        start = self.init_state(known) if len(maps) < len(given) else {}
        taken = []
        for index, (slot, value) in enumerate(zip(self.reads, given, strict=True)):
            value = start.get(slot.name) if value is None else value
            if value is None or value.ndim != 4 or value.shape[:2] != (known.shape[0], self.widths[slot.name]):
                raise ValueError(self._expected(index, value, known.shape[0]))
            taken.append(value)
        return tuple(taken)

    def _expected(self, index: int, value: Tensor | None, batch: int | str) -> str:
        slot = self.reads[index]
        got = "nothing" if value is None else f"shape {tuple(value.shape)}"
        return (
            f"{type(self).__name__}: argument {index + 1}, {slot}, must be a feature map "
            f"({batch}, {self.widths[slot.name]}, H, W), got {got}."
        )


def zeros(x: Tensor, *shape: int) -> Tensor:
    """Zeros `(B, *shape)` for a state beside `x`; float32 under autocast, so that sums over time keep their digits."""
    dtype = torch.float32 if torch.is_autocast_enabled(x.device.type) and x.dtype.itemsize < 4 else x.dtype
    return x.new_zeros(x.shape[0], *shape, dtype=dtype)


def providers(slot: Slot) -> str:
    """Names of the known blocks that write a slot, for messages: a plug-in block counts as soon as it is defined."""
    names = sorted({block.__name__ for block in _subclasses(Block) if slot in block.writes})
    return " or ".join(names) if names else f"a block whose `writes` holds {slot.name}"


def starters(slot: Slot) -> str:
    """Names of the known blocks that own or adopt a slot."""
    names = sorted({block.__name__ for block in _subclasses(Block) if slot in block.owns + block.adopts})
    return " or ".join(names) if names else f"a block whose `owns` holds {slot.name}"


def _subclasses(cls: type[Block]) -> Iterator[type[Block]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)
