"""Released CMS-LSTM: its arguments as ours."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..blocks import CE, SE, ConvLSTM
from ..blocks.plugs.se import MultiScaleAttention
from ..core import Cell, RecurrentForecaster, create_model
from .arguments import Config
from .names import Rules, block_names, layer_rules
from .plan import Plan

SCALES = (1, 2, 4)
#: Of CE, where a config does not say how many: those of the released model, whose config does not know them.
ITERATIONS = 5
ENDS = {"stem.1": "embed", "head.0": "output"}
#: A weight of the residual, which is never used, and of CE what one iteration does not use.
DEAD = r"(.*\.)?gamma|(lstm\.\d+\.)?convR\..*"


def attention_rules(prefixes: list[str]) -> Rules:
    """One projection to query, key and value of every scale here, a convolution for each there."""
    parts = [f"{prefix}f_{part}" for prefix in prefixes for part in ("query", "key", "value")]
    return tuple((rf"project\.{kind}", "+".join(f"{part}.{kind}" for part in parts)) for kind in ("weight", "bias"))


RULES: dict[type[nn.Module], Rules] = {
    CE: layer_rules(weigh_x="convQ", weigh_h="convR"),
    ConvLSTM: (
        *layer_rules(conv_x="conv_i2h", conv_h="conv_h2h"),
        (r"cell_norm\.(.*)", r"norm_cell.\1"),
    ),
    MultiScaleAttention: attention_rules([""]),
    SE: (
        *((rf"attention\.{ours}", theirs) for ours, theirs in attention_rules([f"stages.{n}." for n in range(3)])),
        (r"express\.(.*)", r"conv_bn.0.\1"),
        (r"express_norm\.(.*)", r"conv_bn.1.\1"),
        (r"fuse\.(.*)", r"w_z.\1"),
        *layer_rules(gates_a="w_z2h", gates_h="w_h2h"),
        (r"memory_norm\.(.*)", r"norm_mem.\1"),
    ),
}


def patch_order(channels: int, patch: int) -> Tensor:
    """Released channel of each of ours: (channel, column, row) there, (channel, row, column) here."""
    return torch.arange(channels * patch * patch).view(channels, patch, patch).transpose(1, 2).flatten()


def _norm(config: Config) -> Callable[[int], nn.Module]:
    return lambda channels: nn.LayerNorm([channels, config["img_size"], config["img_size"]])


def _ce(config: Config) -> CE:
    return CE(
        config["input_size"],
        config["hidden_size"],
        kernel_size=config["filter_size"],
        iterations=config.get("ce_iterations", ITERATIONS),
        norm=_norm(config),
    )


def _ce_plan(config: Config) -> Plan:
    block = _ce(config)
    return Plan(block, block_names(block, table=RULES), DEAD)


def _se_plan(config: Config) -> Plan:
    block = SE(config["in_dim"], scales=SCALES, norm=_norm(config))
    halves = ["express_norm.weight", "express_norm.bias"]
    return Plan(block, block_names(block, table=RULES), DEAD, halves=halves)


def _attention_plan(config: Config) -> Plan:
    block = MultiScaleAttention(config["in_dim"], (config["scale"],))
    return Plan(block, block_names(block, table=RULES), DEAD)


def _cell_plan(config: Config) -> Plan:
    norm, channels = _norm(config), config["hidden_size"]
    lstm = ConvLSTM(
        config["input_size"],
        channels,
        kernel_size=config["filter_size"],
        forget_bias=1.0,
        norm=norm,
        cell_norm=norm,
    )
    cell = Cell(_ce(config), lstm, SE(channels, scales=SCALES, norm=norm))
    names = _cell_names(cell)
    return Plan(cell, names, DEAD, halves=[name for name in names if "express_norm" in name])


def _model_plan(config: Config) -> Plan:
    """Frames there are patches already: with `patch_size` in the config, ours takes whole frames."""
    patch = config.get("patch_size", 1)
    sizes = {"input_size": config["input_size"], "output_chans": config.get("output_chans", config["input_size"])}
    for name, size in sizes.items():
        if size % patch**2:
            raise ValueError(f"{name} must be channels times patch_size squared, got {size} with patch_size={patch}.")
    in_channels, out_channels = (size // patch**2 for size in sizes.values())
    side = config["img_size"] * patch
    model: RecurrentForecaster = create_model(
        "cms_lstm",
        in_channels=in_channels,
        out_channels=out_channels,
        image_size=(side, side),
        channels=config["hidden_size"],
        num_layers=config["num_layers"],
        patch_size=patch,
        kernel_size=config["filter_size"],
        iterations=config.get("ce_iterations", ITERATIONS),
    )
    names = {f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in ENDS.items() for kind in ("weight", "bias")}
    for index, cell in enumerate(model.stack.layers):
        names |= _cell_names(cell, f"stack.layers.{index}.", f"lstm.{index}.")  # type: ignore[arg-type]
    return Plan(
        model,
        names,
        DEAD,
        patch_inputs={"stem.1.weight": patch_order(in_channels, patch)},
        patch_outputs=dict.fromkeys(("head.0.weight", "head.0.bias"), patch_order(out_channels, patch)),
        halves=[name for name in names if "express_norm" in name],
    )


def _cell_names(cell: Cell, ours: str = "", theirs: str = "") -> dict[str, str]:
    names: dict[str, str] = {}
    for index, stage in enumerate(cell.stages):
        inner = "SEBlock." if isinstance(stage, SE) else ""
        names |= block_names(stage, f"{ours}stages.{index}.", theirs + inner, table=RULES)
    return names


KINDS: dict[str, Callable[[Config], Plan]] = {
    "cmslstm/ceblock": _ce_plan,
    "cmslstm/msam": _attention_plan,
    "cmslstm/seblock": _se_plan,
    "cmslstm/cell": _cell_plan,
    "cmslstm/model": _model_plan,
}
