"""The floor that benchmarks compare with does the published work of each model, no more."""

import pytest

from benchmarks.models import SETTINGS
from benchmarks.plain import step_products
from stblocks.core import model_entry

STEPS = {"CIKM2017": 14, "Moving MNIST": 19}


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.floor])
def test_floor_has_the_published_multiply_adds(name):
    entry = model_entry(name)
    kernel = 3 if name == "cms_lstm" else 5  # the published setting; the benchmark takes 5
    work = STEPS[entry.dataset] * sum(product.multiply_adds for product in step_products(name, batch=1, kernel=kernel))
    if name == "mim":  # in each of 3 layers the release leaves out 2 convolutions of zeros at the first step
        work -= 6 * 4 * 128 * 128 * 25 * 16 * 16
    assert work == pytest.approx(entry.flops, rel=0.005)
