"""Cell: a chain of blocks that forms one recurrent step of one layer."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .block import Block, providers, starters
from .slot import AUX, DEPTH, LOCAL, TIME, ZIGZAG, H, X, by_name
from .use import idle

State = dict[str, Tensor]


class Cell(nn.Module):
    """One recurrent step of one layer, composed of blocks over named slots.

    The stages run in order. Each reads its slots from what the cell was given or what earlier stages wrote, and
    rewrites others. The output is `h` after the last stage. Whether the stages fit is checked here, once.

    Args:
        *stages: Blocks, first to last.

    Attributes:
        in_channels: Channels of the input `x`.
        out_channels: Channels of the output `h`.
        slots: Every slot that enters or leaves a step, by name: all but LOCAL ones and those that nothing starts.
        starts: Names of the carried slots, which `init_state` makes.
        inherits: Names of the DEPTH slots that must come from a layer below.
        widths: Channels of every slot, by name.

    Shapes:
        x: `(B, in_channels, H, W)`, any `H` and `W`.
        returns: The output `(B, out_channels, H, W)`, and the state: a dict of maps by slot name.

    Raises:
        ValueError: If the stages do not fit: a slot that nothing provides, two owners of one, channels or routes that
            differ, a stage that has no effect.

    Example:
        >>> cell = Cell(STConvLSTM(16, 64), GFM(16, 64))      # GFM inside PredRNN
        >>> h, state = cell(x)                                # zeros to begin with
        >>> h, state = cell(x, state)
    """

    def __init__(self, *stages: Block) -> None:
        super().__init__()
        for index, stage in enumerate(stages):
            if not isinstance(stage, Block):
                raise ValueError(
                    f"stage {index} must be a Block (it says what it reads and writes), got {_name(stage)}."
                )
        touched = by_name(
            (_name(stage), slot) for stage in stages for slot in stage.reads + stage.writes + stage.owns + stage.adopts
        )
        self.widths = _widths(stages)
        self._owner = _owners(stages)
        self.slots = {
            name: slot
            for name, slot in touched.items()
            if slot.route is not LOCAL and (slot.route is not TIME or name in self._owner)
        }
        self.starts = tuple(name for name in self.slots if name in self._owner)
        self.inherits = _check_order(stages, self._owner)
        _check_use(stages)
        self.in_channels, self.out_channels = self.widths.get(X.name), self.widths[H.name]
        self.stages = nn.ModuleList(stages)

    def init_state(self, x: Tensor) -> State:
        """Start of the carried slots for a batch, spatial size, device and dtype like those of `x`."""
        made = {index: self._block(index).init_state(x) for index in set(self._owner.values())}
        state = {name: made[index][name] for name, index in self._owner.items()}
        return {**state, **{name: x.new_zeros(x.shape[0]) for name, slot in self.slots.items() if slot.route is AUX}}

    def run(self, x: Tensor, slots: State) -> tuple[Tensor, State]:
        """The bare step, for stacks, compilation and export: every slot but LOCAL ones goes in and comes out.

        Args:
            x: Layer input `(B, in_channels, H, W)`.
            slots: Slot name to tensor: what `init_state` makes, and the DEPTH slots named in `inherits`.

        Returns:
            The output `h` and the slots after the step; AUX and DEPTH slots made in this cell are new among them.
        """
        values = {**slots, X.name: x}
        auxiliary: list[State] = []
        for stage in self.blocks():
            written = stage(*[values[slot.name] for slot in stage.reads])
            written = (written,) if isinstance(written, Tensor) else written
            named = {slot.name: value for slot, value in zip(stage.writes, written, strict=True)}
            values.update(named)
            auxiliary.append({slot.name: named[slot.name] for slot in stage.writes if slot.route is AUX})
        values.update(mean_aux(auxiliary))
        return values[H.name], {name: values[name] for name in self.slots}

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """One step of this layer alone; `state=None` starts from zeros. The state has the same keys going in and out.

        Raises:
            ValueError: If the cell needs a DEPTH slot from a layer below, or the state lacks a slot.
        """
        if self.inherits:
            slot = self.slots[self.inherits[0]]
            raise ValueError(
                f"This cell reads {slot}, which comes from the layer below: put it in a RecurrentStack above a layer "
                f"that writes it, or begin it with a stage that does ({providers(slot)})."
            )
        start = self.init_state(x) if state is None else state
        missing = [name for name in self.starts if name not in start]
        if missing:
            raise ValueError(
                f"state must hold {', '.join(self.starts)}; missing: {', '.join(missing)}. Use init_state(x)."
            )
        y, slots = self.run(x, start)
        return y, {name: value for name, value in slots.items() if self.slots[name].route is not DEPTH}

    def aux(self, state: State) -> State:
        """Auxiliary values of a step: AUX slot name to `(B,)`, averaged over the stages that write it."""
        return {name: state[name] for name, slot in self.slots.items() if slot.route is AUX}

    def extra_repr(self) -> str:
        """Shown in the module's representation."""
        return " -> ".join(["x", *(f"({', '.join(s.name for s in stage.writes)})" for stage in self.blocks())])

    def _block(self, index: int) -> Block:
        return self.stages[index]  # type: ignore[return-value]

    def blocks(self) -> Iterable[Block]:
        """The stages, first to last."""
        return self.stages  # type: ignore[return-value]


def _name(stage: object) -> str:
    return type(stage).__name__


def mean_aux(each: Iterable[State]) -> State:
    """Auxiliary values averaged over those that have them."""
    values: dict[str, list[Tensor]] = {}
    for own in each:
        for name, value in own.items():
            values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else torch.stack(found).mean(0) for name, found in values.items()}


def _widths(stages: tuple[Block, ...]) -> dict[str, int]:
    """Channels of every slot, equal in all stages; `h` among them, since it is the output."""
    first: dict[str, tuple[str, int]] = {}

    def agree(stage: Block, name: str, width: int) -> None:
        other, known = first.setdefault(name, (_name(stage), width))
        if known != width:
            raise ValueError(f"{name} has {known} channels in {other} but {width} in {_name(stage)}; make them equal.")

    if not any(H in stage.writes for stage in stages):
        raise ValueError(f"No stage writes {H}, the output of a cell; add {providers(H)}.")
    for stage in stages:
        for name, width in stage.widths.items():
            agree(stage, name, width)
    for stage in stages:
        known = next((first[slot.name][1] for slot in stage.alike if slot.name in first), None)
        if known is not None:
            for slot in stage.alike:
                agree(stage, slot.name, known)
    return {name: width for name, (_, width) in first.items()}


def _check_use(stages: tuple[Block, ...]) -> None:
    """Every stage leaves something that is read, or leaves the cell."""
    for stage in idle([stages], {}, leaving=(ZIGZAG, DEPTH)):
        after = stages[stages.index(stage) + 1 :]
        over = next((later for later in after if set(later.writes) & set(stage.writes)), None)
        because = (
            f"no stage that leads to the output reads {', '.join(slot.name for slot in stage.writes)} of it"
            if over is None
            else f"{_name(over)}, a later stage, writes {stage.writes[0]} anew before it is read"
        )
        raise ValueError(f"{_name(stage)} has no effect: {because}; leave one of them out.")


def _owners(stages: tuple[Block, ...]) -> dict[str, int]:
    """Index of the stage that starts each carried slot: its owner, or else the first that adopts it."""
    owner: dict[str, int] = {}
    for index, stage in enumerate(stages):
        for slot in stage.owns:
            if slot.name in owner:
                raise ValueError(
                    f"{_name(stages[owner[slot.name]])} and {_name(stage)} both own {slot}; a cell has one owner: "
                    f"leave one of them out."
                )
            owner[slot.name] = index
    for index, stage in enumerate(stages):
        for slot in stage.adopts:
            owner.setdefault(slot.name, index)
    return owner


def _check_order(stages: tuple[Block, ...], owner: dict[str, int]) -> tuple[str, ...]:
    """Every slot is there when a stage reads it. Returns the DEPTH slots that have to come from below."""
    there, inherited = {X.name, *owner}, []
    for stage in stages:
        for slot in stage.reads:
            if slot.name in there:
                continue
            if slot.route is DEPTH:
                inherited.append(slot.name)
                there.add(slot.name)
            elif slot.route is LOCAL:
                raise ValueError(
                    f"{_name(stage)} reads {slot}, which no earlier stage writes; put {providers(slot)} before it."
                )
            else:
                raise ValueError(
                    f"{_name(stage)} reads {slot}, which no stage starts; add {starters(slot)} to the cell."
                )
        there |= {slot.name for slot in stage.writes}
    return tuple(inherited)
