"""check_block and check_cell: what every block and every cell must fulfil, for yours as for ours.

```python
from stblocks.testing import check_block

check_block(lambda: MyBlock(3, 4))
```

Each check is a function of its own, so that a test can run one, and an error says what was broken.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError

from .core import Block, Cell, Slot
from .tiles import felt_afar, whole_map_parts

Make = Callable[[], Block]

#: Frame sizes that the checks run at by default: square, odd, not square, a single row, a single position.
SIZES: tuple[tuple[int, int], ...] = ((4, 4), (5, 3), (1, 4), (1, 1))


class CheckError(AssertionError):
    """A block or cell does not keep the protocol."""


def check_block(
    make: Make,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES,
    bound: tuple[int, int] | None = None,
    seed: int = 0,
    exempt: Sequence[str] = (),
) -> None:
    """Run all checks on a block by itself; whether it fits others shows where a `Cell` is made of them.

    Args:
        make: Builds the block, with small channels; it is called anew for every check.
        sizes: `(H, W)` to try; leave out those the block cannot take.
        bound: The one `(H, W)` that the block takes, if its weights are bound to it; then `sizes` are not looked at.
        seed: For weights and inputs.
        exempt: Endings of parameter names whose gradient is rightly zero, such as a softmax's key bias.

    Raises:
        CheckError: At the first check that fails.
    """
    for size in sizes if bound is None else [bound]:
        check_shapes(make, size=size, seed=seed)
        check_purity(make, size=size, seed=seed)
        check_batch(make, size=size, seed=seed)
        check_starts(make, size=size, seed=seed)
    check_reach(make, size=bound or (5, 4), seed=seed, exempt=exempt)
    check_gradients(make, size=bound or (3, 2), seed=seed)
    if bound is None:
        check_whole_map(make, seed=seed)
    check_state_dict(make, size=bound or (5, 3), seed=seed)
    check_low_precision(make, size=bound or (5, 3), seed=seed)
    check_traces(make, size=bound or (5, 3), seed=seed)


def example(make: Make, *, size: tuple[int, int] = (5, 3), batch: int = 2, seed: int = 0) -> tuple[Block, list[Tensor]]:
    """A block with random float64 weights, none at a special start value, and a random map for each slot it reads."""
    torch.manual_seed(seed)
    block = make().double().eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    widths = dict.fromkeys((slot.name for slot in block.alike), 3) | block.widths
    start = block.init_state(torch.zeros(batch, 1, *size, dtype=torch.float64))
    maps = [torch.randn(batch, widths[slot.name], *size, dtype=torch.float64) for slot in block.reads]
    return block, [torch.randn_like(start.get(slot.name, each)) for slot, each in zip(block.reads, maps, strict=True)]


def check_shapes(make: Make, *, size: tuple[int, int], seed: int = 0) -> None:
    """One map for every slot in `writes`: finite, of the declared channels, of the shape it was read with."""
    block, maps = example(make, size=size, seed=seed)
    read = _by_name(block.reads, [each.shape for each in maps])
    for slot, value in _results(block, maps).items():
        _expect(bool(value.isfinite().all()), f"{slot} is not finite at {size}")
        if slot in read:
            _expect(value.shape == read[slot], f"{slot} was {tuple(read[slot])} and became {tuple(value.shape)}")
        elif slot in block.widths and value.ndim == 4:
            said = block.widths[slot]
            _expect(value.shape[1] == said, f"{slot} has {value.shape[1]} channels, widths say {said}")


def check_purity(make: Make, *, size: tuple[int, int], seed: int = 0) -> None:
    """Two calls give the same, and inputs and buffers stay as they were."""
    block, maps = example(make, size=size, seed=seed)
    before, buffers = [each.clone() for each in maps], {name: each.clone() for name, each in block.named_buffers()}
    first, second = _results(block, maps), _results(block, maps)
    _expect(all(torch.equal(first[name], second[name]) for name in first), "a second call gives another result")
    _expect(all(torch.equal(a, b) for a, b in zip(before, maps, strict=True)), "it wrote to its input")
    same = all(torch.equal(buffers[name], each) for name, each in block.named_buffers())
    _expect(same, "it changed a buffer in eval mode")


def check_batch(make: Make, *, size: tuple[int, int], seed: int = 0) -> None:
    """Samples do not see each other: permuting the batch permutes the result, and each alone gives the same."""
    block, maps = example(make, size=size, batch=3, seed=seed)
    whole, order = _results(block, maps), [2, 0, 1]
    permuted, alone = _results(block, [each[order] for each in maps]), _results(block, [each[:1] for each in maps])
    _compare(permuted, {name: each[order] for name, each in whole.items()}, "depends on the position in the batch")
    _compare(alone, {name: each[:1] for name, each in whole.items()}, "depends on the other samples of the batch")


def check_starts(make: Make, *, size: tuple[int, int], seed: int = 0) -> None:
    """Slots that the block can start may be left out, and then start from what `init_state` makes."""
    block, maps = example(make, size=size, seed=seed)
    start, own = block.init_state(maps[0]), {slot.name for slot in block.owns + block.adopts}
    _expect(set(start) == own, "init_state must make what it owns and adopts")
    if start:
        given = {slot.name: start.get(slot.name, each) for slot, each in zip(block.reads, maps, strict=True)}
        # Where every slot can be started, one has to say the size.
        left = {name: each for name, each in given.items() if name not in start} or dict([*given.items()][:1])
        started, absent = _results(block, [*given.values()]), _results(block, [left.get(name) for name in given])
        _compare(absent, started, "differs when carried slots are left out")


def check_reach(
    make: Make, *, size: tuple[int, int] = (5, 4), seed: int = 0, exempt: Sequence[str] = (), draws: int = 5
) -> None:
    """Every input and parameter has an effect: its gradient is not zero, in one of some draws (ReLUs sleep).

    Raises:
        CheckError: If one has none.
    """
    idle: set[str] | None = None
    for draw in range(draws):
        block, maps = example(make, size=size, seed=seed + draw)
        maps = [each.requires_grad_() for each in maps]
        torch.stack([(each * torch.randn_like(each)).sum() for each in _results(block, maps).values()]).sum().backward()
        inputs = {f"input {name}": each for name, each in _by_name(block.reads, maps).items()}
        named = inputs | {f"parameter {name}": parameter for name, parameter in block.named_parameters()}
        asleep = {name for name, each in named.items() if each.grad is None or not each.grad.any()}
        idle = {name for name in (asleep if idle is None else asleep & idle) if not name.endswith(tuple(exempt))}
        if not idle:
            return
    raise CheckError(f"no effect on the results: {', '.join(sorted(idle or ()))}")


def check_whole_map(make: Make, *, size: tuple[int, int] = (90, 3), seed: int = 0, draws: int = 2) -> None:
    """What happens at one end of a long map changes nothing at the other, or the block or a part says `whole_map`."""

    def sees(seed: int, up: bool, along_rows: bool) -> bool:
        block, maps = example(make, size=size[::-1] if along_rows else size, seed=seed)

        def stand(each: Tensor) -> Tensor:  # with the end that is changed as its first row
            each = each.mT if along_rows else each
            return each.flip(-2) if up else each

        def lie(each: Tensor) -> Tensor:
            each = each.flip(-2) if up else each
            return each.mT if along_rows else each

        def call(*given: Tensor) -> list[Tensor]:
            return [_on_maps(stand, each) for each in _results(block, [_on_maps(lie, each) for each in given]).values()]

        return not whole_map_parts(block) and felt_afar(call, [_on_maps(stand, each) for each in maps])

    ends = [(up, along_rows) for up in (False, True) for along_rows in (False, True)]
    _expect(
        not any(sees(seed + draw, *end) for draw in range(draws) for end in ends),  # ReLUs sleep
        f"depends on what is {size[0] - 1} positions away; set whole_map = True if it looks at the whole map",
    )


def _on_maps(turn: Callable[[Tensor], Tensor], each: Tensor) -> Tensor:
    return turn(each) if each.ndim > 3 else each


def check_gradients(make: Make, *, size: tuple[int, int] = (3, 2), seed: int = 0) -> None:
    """Gradients of inputs and parameters agree with numerical ones in float64.

    Raises:
        CheckError: If they do not.
    """
    block, maps = example(make, size=size, batch=1, seed=seed)
    named = dict(block.named_parameters())
    maps = [each.requires_grad_() for each in maps]

    def call(*tensors: Tensor) -> list[Tensor]:
        weights = dict(zip(named, tensors[len(maps) :], strict=True))
        results = torch.func.functional_call(block, weights, tensors[: len(maps)])
        values = (results,) if isinstance(results, Tensor) else results
        # gradcheck leaves out results without a graph, so it misses a detached one, and before torch 2.15 it then pairs
        # those that follow with the wrong differences; a zero from the inputs gives each a graph, of a gradient of zero
        zero = sum(0 * each.sum() for each in tensors)
        return [value + zero for value in values]

    inputs = (*maps, *(parameter.detach().clone().requires_grad_() for parameter in named.values()))
    try:
        # fast_mode compares along random directions, enough to see a wrong formula, and does not take minutes
        torch.autograd.gradcheck(call, inputs, fast_mode=True)
    except GradcheckError as error:
        raise CheckError(f"a gradient is not the numerical one: {error}") from error


def check_state_dict(make: Make, *, size: tuple[int, int] = (5, 3), seed: int = 0) -> None:
    """A fresh block with the same state dict computes the same."""
    block, maps = example(make, size=size, seed=seed)
    other = make().double().eval()
    other.load_state_dict(block.state_dict())
    _compare(_results(other, maps), _results(block, maps), "changes through a state dict", tolerance=0)


def check_low_precision(make: Make, *, size: tuple[int, int] = (5, 3), seed: int = 0, tolerance: float = 0.1) -> None:
    """Under bfloat16 autocast results stay within `tolerance` of float32's, relative to the largest entry or 1."""
    block, maps = example(make, size=size, seed=seed)
    block, maps = block.float(), [each.float() for each in maps]
    exact = _results(block, maps)
    with torch.autocast("cpu", torch.bfloat16):
        rough = _results(block, maps)
    _compare(rough, exact, f"is off by more than {tolerance} under bfloat16 autocast", tolerance=tolerance)


def check_traces(make: Make, *, size: tuple[int, int] = (5, 3), seed: int = 0) -> None:
    """`torch.compile(fullgraph=True)` finds no graph break, and the traced block computes the same."""
    block, maps = example(make, size=size, seed=seed)
    torch.compiler.reset()
    traced: Any = torch.compile(block, backend="eager", fullgraph=True)
    _compare(_results(block, maps, traced), _results(block, maps), "changes when traced")


def check_cell(cell: Cell, *, size: tuple[int, int] = (5, 4), steps: int = 4, seed: int = 0) -> None:
    """A cell streams: the state has the same keys in and out, and a sequence may be split at any step.

    Args:
        cell: A cell that needs nothing from a layer below.
        size: `(H, W)`.
        steps: Length of the sequence.
        seed: For weights and inputs.

    Raises:
        CheckError: If it does not.
    """
    torch.manual_seed(seed)
    cell = deepcopy(cell).double().eval().requires_grad_(False)
    frames = torch.randn(steps, 2, cell.in_channels or 1, *size, dtype=torch.float64)
    state, outputs, states = None, [], []
    for frame in frames:
        y, state = cell(frame, state)
        outputs.append(y)
        states.append(state)
    _expect(set(states[0]) == set(cell.init_state(frames[0])), "the state has other keys after a step")
    for split in range(1, steps):
        kept = {name: value.clone() for name, value in states[split - 1].items()}
        for frame, expected in zip(frames[split:], outputs[split:], strict=True):
            y, kept = cell(frame, kept)
            _expect(torch.equal(y, expected), f"going on from the state after step {split} gives another result")
    torch.compiler.reset()
    traced: Any = torch.compile(cell, backend="eager", fullgraph=True)
    ours, expected = ({"y": call(frames[0], states[0])[0]} for call in (traced, cell))
    _compare(ours, expected, "changes when traced")


def _results(block: Block, maps: Sequence[Tensor | None], call: Callable[..., Any] | None = None) -> dict[str, Tensor]:
    results = (block if call is None else call)(*maps)
    values = (results,) if isinstance(results, Tensor) else results
    _expect(len(values) == len(block.writes), f"writes names {len(block.writes)} slots, forward returns {len(values)}")
    return _by_name(block.writes, values)


def _by_name(slots: Sequence[Slot], maps: Sequence[Any]) -> dict[str, Any]:
    return {slot.name: each for slot, each in zip(slots, maps, strict=True)}


def _expect(fine: bool, problem: str) -> None:
    if not fine:
        raise CheckError(problem)


def _compare(ours: dict[str, Tensor], expected: dict[str, Tensor], problem: str, *, tolerance: float = 1e-9) -> None:
    """All within a tolerance, relative to the largest entry or 1."""
    for name, value in expected.items():
        scale = value.abs().max().clamp_min(1) if value.numel() else 1
        near = ours[name].shape == value.shape and bool(((ours[name] - value).abs() <= tolerance * scale).all())
        _expect(near, f"{name} {problem}")
