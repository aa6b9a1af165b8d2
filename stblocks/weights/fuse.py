"""Folding layers into one another for inference."""

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Fusible(Protocol):
    """A module that computes the same with fewer layers in `eval()`."""

    def fused(self) -> nn.Module:
        """The module to put in its place; may share what it does not change."""
        ...


def fuse_children(module: nn.Module) -> None:
    """Put the fused form in the place of every module inside that has one."""
    for name, child in module.named_children():
        if isinstance(child, Fusible):
            setattr(module, name, child.fused())
        else:
            fuse_children(child)
