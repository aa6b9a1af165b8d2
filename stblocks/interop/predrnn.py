"""Released ConvLSTM, PredRNN, PredRNN++, MIM, MotionRNN: their arguments as ours, for OpenSTL's recurrent models."""

from collections.abc import Callable
from typing import Any

from torch import nn

from ..blocks import MIM, MIMN, CausalLSTM, ConvLSTM, GradientHighway, MotionHighway, STConvLSTM
from ..blocks.layers import Norm
from ..blocks.plugs.motion_gru import MotionUnit, Warp
from ..borders.checks import check_positive
from ..core import Cell, RecurrentForecaster, create_model
from .arguments import Config, frames_of, settings_of, widths_of
from .names import block_names, cell_names, first_convolutions
from .plan import Plan, patch_order

#: Side of the warp of motion in every released model, whose config need not name it.
NEIGHBOUR = 3


def layer_norm(config: Config) -> Norm | None:
    """The norm of a released cell: over channels and positions, or none."""
    if not config["layer_norm"]:
        return None
    check_positive(height=config["height"], width=config["width"])
    return lambda channels: nn.LayerNorm([channels, config["height"], config["width"]])


def lstm_options(config: Config) -> dict[str, Any]:
    """Arguments of our LSTM blocks from those of a released cell."""
    _supported(config)
    return {"kernel_size": config["filter_size"], "norm": layer_norm(config)}


def model_plan(name: str, config: Config, *, unused: str = r"(?!)", **options: Any) -> Plan:
    """Our registered model beside a released one of the PredRNN family."""
    settings, widths = settings_of(config), widths_of(config)
    _supported(settings)
    _, channels, height, width = frames_of(settings)
    model: RecurrentForecaster = create_model(
        name,
        in_channels=channels,
        image_size=(height, width),
        channels=widths[0] if len(set(widths)) == 1 else widths,
        num_layers=config["num_layers"],
        patch_size=settings["patch_size"],
        kernel_size=settings["filter_size"],
        norm="layer" if settings["layer_norm"] else None,
        **options,
    )
    names = {"head.0.weight": "conv_last.weight"}
    cells: list[Cell] = list(model.stack.layers)  # type: ignore[arg-type]
    for index, (cell, there) in enumerate(zip(cells, _prefixes(name, cells), strict=True)):
        names |= cell_names(cell, f"stack.layers.{index}.", there, index)
    order = patch_order(channels, settings["patch_size"])
    first = dict.fromkeys(first_convolutions(cells[0], "stack.layers.0."), order)
    return Plan(model, names, unused, patch_inputs=first, patch_outputs={"head.0.weight": order})


def _prefixes(name: str, cells: list[Cell]) -> list[str]:
    """How the released names of a model's layers begin: a gradient highway stands beside the numbered ones."""
    if name == "mim":
        return [f"stlstm_layer.{index}." for index in range(len(cells))]
    prefixes, number = [], iter(range(len(cells)))
    for cell in cells:
        highway = isinstance(cell.stages[0], GradientHighway)
        prefixes.append("gradient_highway." if highway else f"cell_list.{next(number)}.")
    return prefixes


def block_plan(block: nn.Module, unused: str = r"(?!)") -> Plan:
    """One of our blocks beside the released module of the same content."""
    return Plan(block, block_names(block), unused)


def cell_plan(*stages: Any) -> Plan:
    """One of our cells beside a released cell."""
    cell = Cell(*stages)
    return Plan(cell, cell_names(cell))


def _supported(settings: Config) -> None:
    if settings.get("stride", 1) != 1:
        raise ValueError(
            f"stride must be 1, got {settings['stride']}: the released cells cannot add maps of other sizes."
        )


def _lstm_sizes(config: Config) -> tuple[int, int]:
    return config["in_channel"], config["num_hidden"]


def _mim_options(config: Config) -> dict[str, Any]:
    return {"peephole_size": (config["height"], config["width"]), **lstm_options(config)}


def _convlstm_model(config: Config) -> Plan:
    # the last layer of the model is called as the dead one of each cell
    return model_plan("convlstm", config, unused=r"cell_list\.\d+\.conv_(o\.\d|last)\.(weight|bias)")


KINDS: dict[str, Callable[[Config], Plan]] = {
    "convlstm/cell": lambda c: block_plan(
        ConvLSTM(*_lstm_sizes(c), **lstm_options(c)), r"conv_(o\.\d|last)\.(weight|bias)"
    ),
    "convlstm/model": _convlstm_model,
    "predrnn/stlstm_cell": lambda c: block_plan(STConvLSTM(*_lstm_sizes(c), **lstm_options(c))),
    "predrnn/model": lambda c: model_plan("predrnn", c),
    "predrnn/v2_cell": lambda c: block_plan(STConvLSTM(*_lstm_sizes(c), **lstm_options(c))),
    "predrnn/v2_model": lambda c: model_plan("predrnnv2", c),
    "predrnnpp/causal_cell": lambda c: block_plan(
        CausalLSTM(*_lstm_sizes(c), **lstm_options(c)), r"conv_o\.\d\.(weight|bias)"
    ),
    "predrnnpp/ghu": lambda c: block_plan(GradientHighway(*_lstm_sizes(c), **lstm_options(c))),
    "predrnnpp/model": lambda c: model_plan("predrnnpp", c, unused=r"cell_list\.\d+\.conv_o\.\d\.(weight|bias)"),
    "mim/mimn": lambda c: block_plan(MIMN(*_lstm_sizes(c), **_mim_options(c)), r"conv_last\.weight"),
    "mim/mimblock": lambda c: block_plan(MIM(*_lstm_sizes(c), **_mim_options(c))),
    "mim/model": lambda c: model_plan("mim", c, unused=r"stlstm_layer_diff\.\d+\.conv_last\.weight"),
    "motionrnn/warp": lambda c: block_plan(Warp(c["inc"], c["outc"], c["neighbour"])),
    "motionrnn/motiongru": lambda c: block_plan(MotionUnit(c["in_channel"], c["neighbour"])),
    "motionrnn/highway_cell": lambda c: cell_plan(STConvLSTM(*_lstm_sizes(c), **lstm_options(c)), MotionHighway()),
    "motionrnn/model": lambda c: model_plan("motionrnn", c, warp_kernel_size=c.get("neighbour", NEIGHBOUR)),
}
