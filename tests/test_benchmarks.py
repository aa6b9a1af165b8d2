"""The floor that benchmarks compare with does the published work of each model, no more."""

import pytest

from benchmarks.plain import step_products
from stblocks.core import model_entry

STEPS = {"CIKM2017": 14, "Moving MNIST": 19}


@pytest.mark.parametrize("name", ["gmg_l", "gmg_m", "gmg_s", "motionrnn", "predrnn", "convlstm"])
def test_floor_has_the_published_multiply_adds(name):
    entry = model_entry(name)
    work = STEPS[entry.dataset] * sum(product.multiply_adds for product in step_products(name, batch=1))
    assert work == pytest.approx(entry.flops, rel=0.005)
