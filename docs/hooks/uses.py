"""Which models, plugs and translators a block is part of, found by building them without memory."""

import functools
from typing import Any

import torch

from stblocks import create_model, list_models
from stblocks.blocks.translators.names import TRANSLATORS
from stblocks.models.base import PLUGS, STAGE


@functools.cache
def models() -> dict[str, set[str]]:
    """Each model by name, with the names of the modules in it."""
    return {name: _parts(name) for name in list_models()}


@functools.cache
def plugs() -> dict[str, set[str]]:
    """Each plug by name, with the names of the modules that it brings into a network."""
    bare = _parts("hybrid", base="predrnn", plugs=[])
    return {name: _parts("hybrid", base="predrnn", plugs=[name]) - bare for name in PLUGS if name != STAGE}


@functools.cache
def translators() -> dict[str, set[str]]:
    """Each translator by name, with the names of the modules in it."""
    return {name: _parts("simvpv2_s", translator=name) for name in TRANSLATORS}


def _parts(model: str, **options: Any) -> set[str]:
    with torch.device("meta"):
        return {type(module).__name__ for module in create_model(model, **options).modules()}
