"""Released PhyDNet: its arguments as ours."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ..blocks import ConvLSTM, DCGANDecoder, DCGANEncoder, DCGANUnit, PhyCell
from ..core import Block, Cell, RecurrentForecaster, RecurrentStack, create_model
from .arguments import Config, frames_of, settings_of
from .names import Rules, block_names
from .plan import Plan

RULES: dict[type[nn.Module], Rules] = {
    PhyCell: (
        (r"dynamics\.derivatives\.(.*)", r"F.conv1.\1"),
        (r"dynamics\.norm\.(.*)", r"F.bn1.\1"),
        (r"dynamics\.combine\.(.*)", r"F.conv2.\1"),
        (r"gate\.(.*)", r"convgate.\1"),
    ),
    ConvLSTM: ((r"conv_[xh]\.(weight|bias)", r"conv.\1"),),
    DCGANUnit: ((r"conv\.(.*)", r"main.0.\1"), (r"norm\.(.*)", r"main.1.\1")),
    nn.ConvTranspose2d: ((r"(.*)", r"\1"),),
}
#: The cells a second time, and the matrices of the moments, which are made afresh here.
UNUSED = r"encoder\.(phycell|convcell)\..*|k2m\..*"
#: What the released cell always has.
RELEASED: dict[str, Any] = {"gain": "sigmoid", "derivative_groups": 7}


def _side(config: Config) -> int:
    height, width = config["kernel_size"]
    if height != width:
        raise ValueError(f"kernel_size must be square, got {config['kernel_size']}.")
    return height


def _phycell(config: Config, filters: int) -> PhyCell:
    norm, channels = partial(nn.GroupNorm, RELEASED["derivative_groups"]), config["input_dim"]
    gain: str = RELEASED["gain"]
    return PhyCell(channels, channels, kernel_size=config["kernel_size"], filters=filters, gain=gain, norm=norm)


def _first(config: Config, name: str) -> list[int]:
    """A list for each layer, of which there may be fewer than it has entries."""
    return list(config[name][: config.get("n_layers")])


def _lstms(config: Config) -> list[Block]:
    side, widths = _side(config), [config["input_dim"], *_first(config, "hidden_dims")]
    return [ConvLSTM(below, width, kernel_size=side, bias=True) for below, width in pairwise(widths)]


def _names(module: nn.Module, ours: str = "", theirs: str = "") -> dict[str, str]:
    """Our names under the prefix `ours` to released ones under `theirs`, for a part and what it consists of."""
    if isinstance(module, tuple(RULES)):
        return block_names(module, ours, theirs, table=RULES)
    if isinstance(module, RecurrentStack):
        parts = {f"layers.{i}.stages.0.": f"cell_list.{i}." for i in range(len(module.layers))}
    else:
        up = any(isinstance(each, nn.ConvTranspose2d) for each in module.modules())
        parts = {f"{i}.": f"{'upc' if up else 'c'}{i + 1}." for i, _ in enumerate(module.children())}
    found: dict[str, str] = {}
    for name, there in parts.items():
        found |= _names(module.get_submodule(name[:-1]), ours + name, theirs + there)
    return found


def _gates(module: nn.Module, prefix: str = "") -> dict[str, Callable[[Tensor], Tensor]]:
    """What ConvLSTMs take of the released convolution, which is one over [x, h]."""
    made: dict[str, Callable[[Tensor], Tensor]] = {}
    for name, lstm in module.named_modules(prefix=prefix):
        if isinstance(lstm, ConvLSTM):
            below = lstm.widths["x"]
            made |= {
                f"{name}.conv_x.weight": partial(_part, slice(below)),
                f"{name}.conv_x.bias": partial(_part, slice(None)),
                f"{name}.conv_h.weight": partial(_part, slice(below, None)),
            }
    return made


def _part(inputs: slice, value: Tensor) -> Tensor:
    """Some of the input channels, with the gates in our order."""
    i, f, o, g = value.chunk(4)
    gates = torch.cat([i, f, g, o])
    return gates[:, inputs] if gates.ndim > 1 else gates


def _plan(module: nn.Module) -> Plan:
    return Plan(module, _names(module), made=_gates(module))


def _stack(*blocks: Block) -> RecurrentStack:
    return RecurrentStack([Cell(block) for block in blocks])


def _model_plan(config: Config) -> Plan:
    settings = settings_of(config) if "configs" in config else config
    _, channels, height, width = frames_of(settings)
    model: RecurrentForecaster = create_model(
        "phydnet",
        in_channels=channels,
        image_size=(height, width),
        channels=settings.get("width", 64),
        hidden_channels=settings.get("hidden_dims"),
        patch_size=2 if settings["patch_size"] == 2 else 4,  # whatever else it says, there
        groups=settings.get("groups", 16),
        **RELEASED,
    )
    names = _names(model.stem, "stem.", "encoder.encoder_E.")
    names |= _names(model.head.get_submodule("0"), "head.0.", "encoder.decoder_D.")
    for index, (cells, letter) in enumerate((("phycell", "p"), ("convcell", "r"))):
        ours = f"stack.layers.0.branches.{index}."
        branch: RecurrentStack = model.get_submodule(ours[:-1])  # type: ignore[assignment]
        last = len(branch.layers) - 1
        there = {0: f"encoder_E{letter}.c1", 1: f"encoder_E{letter}.c2"}
        there |= {last - 1: f"decoder_D{letter}.upc1", last: f"decoder_D{letter}.upc2"}
        for layer, part in enumerate(branch.layers):
            if isinstance(part, Cell):
                names |= _names(
                    part.get_submodule("stages.0"), f"{ours}layers.{layer}.stages.0.", f"{cells}.cell_list.{layer - 2}."
                )
            else:
                names |= _names(part, f"{ours}layers.{layer}.", f"encoder.{there[layer]}.")
    return Plan(model, names, UNUSED, made=_gates(model))


def _ends(config: Config, up: bool) -> nn.Sequential:
    widths = (config["nf"], config["nf"], config["nc"]) if up else (config["nc"], config["nf"], config["nf"])
    return nn.Sequential(*(DCGANUnit(widths[i], widths[i + 1], up=up) for i in range(2)))


KINDS: dict[str, Callable[[Config], Plan]] = {
    "phydnet/phycell_cell": lambda c: _plan(_phycell(c, c["F_hidden_dim"])),
    "phydnet/phycell": lambda c: _plan(_stack(*(_phycell(c, filters) for filters in _first(c, "F_hidden_dims")))),
    "phydnet/convlstm": lambda c: _plan(_stack(*_lstms(c))),
    "phydnet/encoder_e": lambda c: _plan(DCGANEncoder(c["nc"], 2 * c["nf"], patch_size=c["patch_size"])),
    "phydnet/decoder_d": lambda c: _plan(DCGANDecoder(2 * c["nf"], c["nc"], patch_size=c["patch_size"])),
    "phydnet/encoder_specific": lambda c: _plan(_ends(c, up=False)),
    "phydnet/decoder_specific": lambda c: _plan(_ends(c, up=True)),
    "phydnet/model": _model_plan,
}
