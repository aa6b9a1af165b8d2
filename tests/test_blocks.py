"""Every block in `blocks.py` keeps the protocol."""

import pytest
from blocks import BLOCKS, EXEMPT, SMALLEST
from hypothesis import given, settings
from hypothesis import strategies as st

from stblocks import testing

name = pytest.mark.parametrize("name", BLOCKS)
sides = st.integers(1, 7)


@name
@settings(max_examples=6)
@given(size=st.tuples(sides, sides), seed=st.integers(0, 2**16))
def test_any_size(name, size, seed):
    size = tuple(max(side, SMALLEST.get(name, 1)) for side in size)
    testing.check_shapes(BLOCKS[name], size=size, seed=seed)
    testing.check_purity(BLOCKS[name], size=size, seed=seed)
    testing.check_batch(BLOCKS[name], size=size, seed=seed)
    testing.check_starts(BLOCKS[name], size=size, seed=seed)


@name
@settings(max_examples=3)
@given(seed=st.integers(0, 2**16))
def test_gradients(name, seed):
    testing.check_reach(BLOCKS[name], seed=seed, exempt=EXEMPT)
    testing.check_gradients(BLOCKS[name], seed=seed)


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
    testing.check_block(BLOCKS[name], sizes=[(3, 2)], exempt=EXEMPT)
