"""A runnable example of each block at 64 channels on maps of 16 x 16, and what a call of it costs."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

import stblocks
from stblocks.flops import FORMULAS, uncounted

CHANNELS, SIZE = 64, 16

#: Arguments that an example has, where they are more than channels.
ARGUMENTS = {
    "DecoupledSTConvLSTM": "64, 64, adapter=nn.Conv2d(64, 64, 1, bias=False)",
    "MapCell": "64, GSTA(64), GFM(64, 64)",
    "MLPMixerBlock": "64, size=(16, 16)",
    "MetaFormerBlock": "64, nn.AvgPool2d(3, 1, 1), nn.Conv2d(64, 64, 1), norm=partial(nn.GroupNorm, 1)",
    "OneGateLSTM": "64, GSTA",
    "DMVFN": "1, 1, [64, 32], scales=[2, 1]",
    "Encoder": "1, 64, num_layers=2",
    "Decoder": "64, 1, num_layers=2",
    "DCGANEncoder": "1, 64, patch_size=2",
    "DCGANDecoder": "64, 1, patch_size=2",
    "Inception": "64, 32, 64",
    "InceptionUNet": "64, 64, 64, num_layers=2",
    "LinearShortcut": "1, 1, in_frames=4, out_frames=6",
    "PatchEmbed": "1, 64, patch_size=2",
    "PatchInflate": "64, 1, patch_size=2",
    "RecurrentTranslator": "RecurrentStack([Cell(STConvLSTM(64, 64))]), in_frames=4, out_frames=6",
    "Translator": "4 * 64, 64, 6 * 64, num_layers=2, block=lambda layer, channels: GSTA(channels)",
    "MMVP": "1, 1, 64, 32, in_frames=4, out_frames=6",
    "PredFormer": "1, 1, 64, in_frames=4, out_frames=6, num_layers=2",
    "PredictionError": "64, 64, level=1",
    "RoutingModule": "2 * 1, 9",
    "SequenceTranslator": "64, 64, 4, 6, num_layers=2, block=lambda layer, channels: AFNOBlock(channels)",
    "TwoWayDecoder": "TwoWayEncoder(1, 64)",
    "TwoWayEncoder": "1, 64",
    "VoxelFlowBlock": "1, 64, scale=2",
    "WaST": "1, 1, 64, 4",
}

SEQUENCE = "sequence = block(torch.randn(2, 4, 64, 16, 16))"


#: Calls of what is no block, which has no `reads` to tell them.
CALLS = {
    "Encoder": "frames = torch.rand(8, 1, 32, 32)\nfeatures, skip = block(frames)",
    "Decoder": "features, skip = torch.randn(8, 64, 16, 16), torch.randn(8, 64, 32, 32)\n"
    "frames = block(features, skip)",
    "DCGANEncoder": "features = block(torch.rand(8, 1, 32, 32))",
    "DCGANDecoder": "frames = block(torch.randn(8, 64, 16, 16))",
    "LinearShortcut": "frames = block(torch.rand(2, 4 * 1, 16, 16))",
    "PatchEmbed": "features = block(torch.rand(2, 1, 32, 32))",
    "PatchInflate": "frame = block(torch.randn(2, 64, 16, 16))",
    "RecurrentTranslator": "features = block(torch.randn(2, 4 * 64, 16, 16))",
    "Translator": "features = block(torch.randn(2, 4 * 64, 16, 16))",
    "AFNOBlock": SEQUENCE,
    "Conv3DBlock": SEQUENCE,
    "DMVFN": "(future,) = block.eval()(torch.rand(2, 2, 1, 32, 32))",
    "MMVP": "future = block(torch.rand(2, 4, 1, 32, 32))",
    "PredFormer": "future = block(torch.rand(2, 4, 1, 32, 32))",
    "PredFormerBlock": SEQUENCE,
    "RoutingModule": "chosen = block(torch.rand(2, 2 * 1, 32, 32))",
    "SequenceTranslator": SEQUENCE,
    "TwoWayDecoder": "frames = block(torch.randn(2, 64, 16, 16))",
    "TwoWayEncoder": "features = block(torch.rand(2, 1, 32, 32))",
    "VoxelFlowBlock": "frames, flow = torch.rand(2, 2 * 1, 32, 32), torch.zeros(2, 5, 32, 32)\n"
    "flow = flow + block(frames, frames, flow)",
    "WaST": "future = block(torch.rand(2, 4, 1, 32, 32))",
}

BASES = ("MapBlock",)  # which cannot be built


class Example(NamedTuple):
    """An example, and what one call of it takes for a batch of one."""

    code: str
    parameters: int
    multiply_adds: int


def example(name: str) -> Example | None:
    """The example of a name of `stblocks`; None of a base.

    Raises:
        ValueError: If none is known.
    """
    if name in BASES:
        return None
    try:
        code = _code(name)
        scope: dict[str, Any] = {}
        counter = FlopCounterMode(display=False, custom_mapping=uncounted() | FORMULAS)
        with torch.no_grad(), counter:
            exec(code, scope)
    except Exception as error:
        raise ValueError(f"{name}: give it an example in docs/hooks/examples.py ({error})") from error
    counts = counter.get_flop_counts().get("Global", {})
    scans = sum(counts.get(operator, 0) for operator in FORMULAS)
    batch = next(value for value in scope.values() if isinstance(value, torch.Tensor)).shape[0]
    parameters = sum(each.numel() for each in scope["block"].parameters())
    return Example(code, parameters, ((sum(counts.values()) - scans) // 2 + scans) // batch)


def _code(name: str) -> str:
    build = getattr(stblocks, name)
    arguments = ARGUMENTS.get(name) or ", ".join(_required(build))
    made = f"block = {name}({arguments})\n"
    call = CALLS.get(name)
    if call is None:
        scope: dict[str, Any] = {}
        exec(_imports(made) + made, scope)
        call = _call(scope["block"])
    return _imports(made + call) + "\n" + made + call + "\n"


def _required(build: Callable[..., Any]) -> list[str]:
    """Every argument without a default is a number of channels, unless `ARGUMENTS` says it."""
    parameters = inspect.signature(build).parameters.values()
    required = [each.name for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    if unknown := [name for name in required if name not in ("channels", "in_channels", "out_channels")]:
        raise ValueError(f"ARGUMENTS must have {', '.join(unknown)}")
    return [str(CHANNELS)] * len(required)


def _call(block: Any) -> str:
    """Maps for all slots up to the last that the block does not start, and what it returns."""
    if not isinstance(block, stblocks.Block):
        return f"result = block(torch.randn(2, {CHANNELS}, {SIZE}, {SIZE}))"
    starts = block.owns + block.adopts
    given = max(place for place, slot in enumerate(block.reads) if slot not in starts or place == 0) + 1
    names = [slot.name for slot in block.reads[:given]]
    shapes = [f"torch.randn(2, {block.widths.get(name, CHANNELS)}, {SIZE}, {SIZE})" for name in names]
    returned = ", ".join(slot.name for slot in block.writes)
    maps = "\n".join(f"{name} = {shape}" for name, shape in zip(names, shapes, strict=True))
    return f"{maps}\n{returned} = block({', '.join(names)})"


def _imports(code: str) -> str:
    ours = [each for each in stblocks.__all__ if f"{each}(" in code or f", {each}" in code]
    lines = ["from functools import partial\n" if "partial(" in code else "", "import torch\n"]
    lines += ["from torch import nn\n" if "nn." in code else ""]
    return "".join(lines) + f"from stblocks import {', '.join(ours)}\n"
