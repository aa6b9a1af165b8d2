"""Every block in `blocks.py` keeps the protocol."""

import pytest
import torch
from blocks import BASES, BLOCKS, BOUND, EXEMPT, SMALLEST
from hypothesis import given, settings
from hypothesis import strategies as st

import stblocks.blocks
from stblocks import Block, testing

name = pytest.mark.parametrize("name", BLOCKS)
sides = st.integers(1, 7)


@name
@settings(max_examples=6)
@given(size=st.tuples(sides, sides), seed=st.integers(0, 2**16))
def test_any_size(name, size, seed):
    size = BOUND.get(name, tuple(max(side, SMALLEST.get(name, 1)) for side in size))
    testing.check_shapes(BLOCKS[name], size=size, seed=seed)
    testing.check_purity(BLOCKS[name], size=size, seed=seed)
    testing.check_batch(BLOCKS[name], size=size, seed=seed)
    testing.check_starts(BLOCKS[name], size=size, seed=seed)


@name
@settings(max_examples=3)
@given(seed=st.integers(0, 2**16))
def test_gradients(name, seed):
    testing.check_reach(BLOCKS[name], size=BOUND.get(name, (5, 4)), seed=seed, exempt=EXEMPT)
    testing.check_gradients(BLOCKS[name], size=BOUND.get(name, (3, 2)), seed=seed)


@name
@settings(max_examples=2)
@given(seed=st.integers(0, 2**16))
def test_precision_and_weights(name, seed):
    testing.check_low_precision(BLOCKS[name], seed=seed)
    testing.check_state_dict(BLOCKS[name], seed=seed)


@name
def test_traces_without_graph_break(name):
    testing.check_traces(BLOCKS[name])


@name
def test_check_block_runs_all_of_it(name):
    testing.check_block(BLOCKS[name], sizes=[(3, 2)], bound=BOUND.get(name), exempt=EXEMPT)


def test_every_exported_block_is_listed():
    exported = {each for each in vars(stblocks.blocks).values() if isinstance(each, type) and issubclass(each, Block)}
    assert exported - {type(make()) for make in BLOCKS.values()} == set(BASES)


@name
@settings(max_examples=4)
@given(data=st.data())
def test_a_map_of_another_size_is_refused(name, data):
    """Every map that is read has the size that it must have beside the others; the error says which has not."""
    block, maps = testing.example(BLOCKS[name], size=(5, 4))
    if len(maps) > 1:
        index = data.draw(st.integers(0, len(maps) - 1))
        grown = data.draw(st.sampled_from([(2, 2), (2, 0), (0, 2), (-2, 0), (0, -2)]))
        sides = [max(side + more, 1) for side, more in zip(maps[index].shape[2:], grown, strict=True)]
        maps[index] = torch.randn(*maps[index].shape[:2], *sides, dtype=torch.float64)
        startable = [slot.name for slot in block.owns + block.adopts]
        told = [i for i, slot in enumerate(block.reads) if slot.name not in startable] or [
            0
        ]  # the first tells the size
        wrong = index if index != told[0] else int(index == 0)  # the first tells the size
        with pytest.raises(ValueError, match=rf"argument {wrong + 1}, {block.reads[wrong].name} .*a feature map"):
            block(*maps)
