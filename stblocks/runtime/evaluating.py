"""A model in evaluation for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within the block, a model is in `eval()`."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
