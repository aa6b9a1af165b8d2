"""Test settings: no deadlines (the first torch call is slow), and the same examples on every machine in CI."""

import os

import pytest
from hypothesis import settings

# Before torch is imported, here and in what tests start: their tensors are too small for more threads than one, which
# wait for each other busily where cores are shared.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def forgotten(monkeypatch):
    """What a test registers is forgotten after it."""
    from stblocks.blocks.translators.names import TRANSLATORS
    from stblocks.core.create import MODELS
    from stblocks.interop import KINDS
    from stblocks.models import BASES, PLUGS

    for registry in (MODELS, BASES, PLUGS, TRANSLATORS, KINDS):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
