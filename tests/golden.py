"""Reading golden files: weights, inputs, outputs and gradients computed by the papers' released code."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

BESIDE = Path(__file__).resolve().parents[2] / "shared"
#: Where golden files lie; the variable names other folders, as `PATH` does.
FOLDERS = [Path(name) for name in os.environ.get("STBLOCKS_GOLDEN", "").split(os.pathsep) if name] or [
    BESIDE / "golden",
    BESIDE / "golden-more",
]


@dataclass
class Case:
    """One file `<family>__<block>__<variant>.safetensors`; tensors in float64, by their name without the group."""

    meta: dict[str, str]
    config: dict[str, Any]
    weight: dict[str, Tensor]
    input: dict[str, Tensor]
    output: dict[str, Tensor]
    probe: dict[str, Tensor]
    grad_input: dict[str, Tensor]
    grad_weight: dict[str, Tensor]

    @property
    def kind(self) -> str:
        return f"{self.meta['family']}/{self.meta['block']}"

    @property
    def released_class(self) -> str:
        return self.meta["cls"]

    @property
    def gradient_tolerance(self) -> float:
        """Gradients of larger files are stored in float32."""
        return 2e-7 if "gradients as float32" in self.meta["dtype"] else 1e-9


def block_of(path: Path) -> str:
    """`<family>__<block>`, from what the file says of itself."""
    with safe_open(path, framework="pt") as file:
        meta = file.metadata()
    return f"{meta['family']}__{meta['block']}"


def load(path: Path) -> Case:
    with safe_open(path, framework="pt") as file:
        meta = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        group, _, key = name.partition("/")
        groups.setdefault(group, {})[key] = value.double() if value.is_floating_point() else value
    names = ("weight", "input", "output", "probe", "grad_input", "grad_weight")
    return Case(meta, json.loads(meta["config"]), *(groups.get(name, {}) for name in names))


def close(ours: Tensor, theirs: Tensor, what: str, rtol: float = 1e-9) -> None:
    """Equal to `rtol` of the largest entry, that near-zero ones were summed from; tiny ones to 1e-12."""
    scale = theirs.abs().max().clamp_min(1e-3)
    torch.testing.assert_close(ours / scale, theirs / scale, rtol=0, atol=rtol, msg=lambda m: f"{what}: {m}")
