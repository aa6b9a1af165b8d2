"""What a model weighs: gates and attention of the blocks of one layer, recorded while it forecasts."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial, singledispatch
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .blocks import CE, GFM, SAM, SE, SimpleGFM
from .core import Block, RecurrentForecaster
from .ops.attention import attend, attend_in_windows


class Call(NamedTuple):
    """One call of a module, as a forward hook saw it."""

    inputs: tuple[Any, ...]  #: the positional arguments
    output: Any


#: The calls of a block's submodules during one of its own, by name; see `block_maps`.
Seen = Mapping[str, list[Call]]


@singledispatch
def block_maps(block: nn.Module, seen: Seen) -> dict[str, Tensor]:
    """Weight maps of one block at one step, from what was seen of its submodules; none for unknown blocks.

    `block_maps.register` adds a class of blocks, and with it its subclasses. Functions run under `torch.no_grad()`
    and return a map `(1, K, H, W)` for each name, which will follow that of the class; the K channels are averaged.

    Args:
        block: The block, at the end of a call.
        seen: The calls of its submodules meanwhile, in order, by their names in `named_modules()`; `""` is the block.
    """
    return {}


def record_maps(model: RecurrentForecaster, past: Tensor, horizon: int, *, layer: int = -1) -> dict[str, Tensor]:
    r"""Forecast one sample, and keep the weight maps of the blocks in one layer, step by step.

    The model runs in the mode that it is in, without gradients; nothing is left on it. The maps are

    - CE: all that `x`, and `h`, is multiplied by, $\prod s \, \sigma(W * \cdot)$ over the iterations;
    - SE: its gates $\sigma(i)$, $\sigma(o)$, and the attention that each position of `h` and `c` receives, their mean;
    - SAM: its gates $\sigma(i')$, $\sigma(o')$, and the attention that each position of `h`, and of `m`, receives;
    - GFM: its gate G, and the focus $g_t$ before any mean over the map. SimpleGFM: its focus.

    Attention received is the sum over all queries: 1 everywhere if they look at all positions alike.

    Args:
        model: With recurrent layers.
        past: One sample, `(1, T, C, H, W)`.
        horizon: Frames to forecast.
        layer: Index in `model.stack.layers`; -1 is the top one.

    Returns:
        Name, such as `"SE input gate"`, to maps `(T + horizon - 1, H', W')` of the size of the layer's features,
        averaged over channels. Map t belongs to the step that is fed frame t. The second block of a class has a number:
        `"CE 2 weighs x"`.

    Raises:
        ValueError: If `past` is not one sample, `layer` is not an index of a layer, or that layer has no block that
            `block_maps` knows.
    """
    if not isinstance(model, RecurrentForecaster):
        raise ValueError(
            f"model must be a RecurrentForecaster, got {type(model).__name__}; other models have no layers."
        )
    if past.ndim != 5 or past.shape[0] != 1:
        raise ValueError(
            f"past must be one sample, (1, T, C, H, W), got shape {tuple(past.shape)}; of a batch pass past[:1]."
        )
    count = len(model.stack.layers)
    if not -count <= layer < count:
        raise ValueError(f"layer must be from {-count} to {count - 1}, got {layer}.")
    blocks = _known_blocks(model.stack.layers[layer], layer)
    steps: defaultdict[str, list[Tensor]] = defaultdict(list)

    def keep(name: str, maps: dict[str, Tensor]) -> None:
        for what, each in maps.items():
            steps[f"{name} {what}"].append(each.mean(dim=1)[0])

    with ExitStack() as hooks, torch.inference_mode(False), torch.no_grad():
        for name, block in blocks.items():
            _watch(block, partial(keep, name), hooks)
        model.rollout(past, horizon)
    return {name: torch.stack(maps) for name, maps in steps.items()}


def _known_blocks(layer: nn.Module, index: int) -> dict[str, nn.Module]:
    """The blocks of a layer that have maps, by name."""
    unknown, count, blocks = block_maps.dispatch(object), Counter[str](), dict[str, nn.Module]()
    for module in layer.modules():
        if block_maps.dispatch(type(module)) is not unknown:
            name = type(module).__name__
            count[name] += 1
            blocks[name if count[name] == 1 else f"{name} {count[name]}"] = module
    if not blocks:
        known = sorted(block.__name__ for block in block_maps.registry if block is not object)
        has = [type(module).__name__ for module in layer.modules() if isinstance(module, Block)]
        raise ValueError(
            f"layer {index} must have a block with weight maps ({', '.join(known)}), but has "
            f"{', '.join(has) or type(layer).__name__}; choose another layer, or add maps by block_maps.register."
        )
    return blocks


def _watch(block: nn.Module, keep: Callable[[dict[str, Tensor]], None], hooks: ExitStack) -> None:
    """Hand the maps of a block to `keep` at the end of each of its calls, as long as the hooks are there."""
    seen: defaultdict[str, list[Call]] = defaultdict(list)

    def see(path: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen[path].append(Call(inputs, output))

    def finish(*_: Any) -> None:
        keep(block_maps(block, seen))
        seen.clear()

    for path, module in block.named_modules():
        hooks.enter_context(module.register_forward_hook(partial(see, path)))
    hooks.enter_context(block.register_forward_hook(finish))


@block_maps.register
def _ce(block: CE, seen: Seen) -> dict[str, Tensor]:
    def weight(calls: list[Call]) -> Tensor:
        return torch.stack([block.scale * torch.sigmoid(call.output) for call in calls]).prod(dim=0)

    return {f"weighs {of}": weight(seen[f"weigh_{of}"]) for of in ("x", "h") if f"weigh_{of}" in seen}


@block_maps.register
def _se(block: SE, seen: Seen) -> dict[str, Tensor]:
    i, _, o = (seen["gates_a"][-1].output + seen["gates_h"][-1].output).sigmoid().chunk(3, dim=1)
    maps = {"input gate": i, "output gate": o}
    scales, projected = block.attention.scales, seen["attention.project"][-1].output  # (1, H, W, 2, 3 S C)
    for scale, part in zip(scales, projected.chunk(len(scales), dim=-1), strict=True):
        query, key, _ = part.chunk(3, dim=-1)
        side = (-(-part.shape[1] // scale), -(-part.shape[2] // scale))
        received = _received(partial(attend_in_windows, query, key, side=side), key[..., :1])
        maps[f"attention, scale {scale}"] = received[..., 0].permute(0, 3, 1, 2)  # (1, 2, H, W)
    return maps


@block_maps.register
def _sam(block: SAM, seen: Seen) -> dict[str, Tensor]:
    o, _, i = seen["gates"][-1].output.sigmoid().chunk(3, dim=1)
    query = seen["query"][-1].output

    def attention(key: Tensor) -> Tensor:
        return _received(lambda value: attend(query, [key], [value], scale=block.scale)[0], key[:, :1])

    maps = {f"attention to {of}": attention(seen[f"key_{of}"][-1].output) for of in ("h", "m")}
    return {"input gate": i, "output gate": o, **maps}


@block_maps.register
def _gfm(block: GFM, seen: Seen) -> dict[str, Tensor]:
    return {
        "gate": torch.sigmoid(seen["gate"][-1].output),
        "focus": seen["focus" if block.norm is None else "norm"][-1].output,
    }


@block_maps.register
def _simple_gfm(block: SimpleGFM, seen: Seen) -> dict[str, Tensor]:
    return {"focus": seen["focus"][-1].output}


def _received(look: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """Attention that each value receives from all queries: the derivative by it of the sum of all that they see."""
    value = torch.zeros_like(value, requires_grad=True)
    with torch.enable_grad():
        return torch.autograd.grad(look(value).sum(), value)[0]
