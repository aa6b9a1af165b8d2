"""Our parameter names beside those of the released code."""

import re
from collections.abc import Iterator, Mapping

from torch import nn

from ..blocks import (
    GFM,
    MIM,
    MIMN,
    SAM,
    CausalLSTM,
    ConvLSTM,
    GradientHighway,
    HighwayEntry,
    MotionGRU,
    SimpleGFM,
    STConvLSTM,
    UpperMIMN,
)
from ..blocks.plugs.motion_gru import MotionUnit, Warp
from ..core import Cell, X

Rules = tuple[tuple[str, str], ...]


def layer_rules(**renamed: str) -> Rules:
    """Rules for convolutions, ours = theirs, which there stand in a sequence even if no norm follows."""
    rules: list[tuple[str, str]] = []
    for ours, theirs in renamed.items():
        ours = ours.replace("__", r"\.")
        rules += [(rf"{ours}\.(weight|bias)", rf"{theirs}.0.\1"), (rf"{ours}\.(\d\..*)", rf"{theirs}.\1")]
    return tuple(rules)


#: For each block, our names to the released ones, as regular expressions; the first that matches a whole name counts.
#: `{i}` is the index of the layer; `a+b` stands for two tensors there that are one here, stacked.
_LSTM: Rules = (
    (r"adapter\.(.*)", r"adapter.\1"),
    (r"(conv_last)\.(weight|bias)", r"\1.\2"),
    (r"(conv_.)\.(weight|bias)", r"\1.0.\2"),
    (r"(conv_.\.\d\..*)", r"\1"),
)
_UNIT: Rules = (
    (r"gates\.(.*)", r"update.\1+reset.\1"),
    (r"candidate\.(.*)", r"output.\1"),
    (r"warp\.mask\.(.*)", r"warp.warp_gate.\1"),
    (r"warp\.conv\.(.*)", r"warp.conv.\1"),
    (r"trend\.(alpha|beta)", r"global_growth_module.\1_default"),
    (r"trend\.growth_linear\.(.*)", r"global_growth_module.fc_global.\1"),
    (r"trend\.(alpha|beta)_linear\.(.*)", r"global_growth_module.\1_fc.\2"),
)
_DIFFERENCES: Rules = (
    *layer_rules(lstm__conv_e="conv_x_concat", lstm__conv_n="conv_h_concat"),
    (r"lstm\.peephole", "ct_weight"),
    (r"lstm\.peephole_o", "oc_weight"),
)
RULES: dict[type[nn.Module], Rules] = {
    ConvLSTM: _LSTM,
    STConvLSTM: _LSTM,
    GFM: (
        (r"local\.(.*)", r"global_feature_extractor.conv.\1"),
        (r"linear\.(.*)", r"global_feature_extractor.fc.\1"),
        (r"gate\.(.*)", r"gate.0.\1"),
        *((rf"focus\.(weight|bias){size}", rf"conv_g.0.convs.{index}.\1") for index, size in enumerate((1, 3, 5))),
        (r"norm\.(.*)", r"conv_g.1.\1"),
    ),
    SimpleGFM: ((r"focus\.(weight|bias)", r"conv_g.0.\1"), (r"focus\.(\d\..*)", r"conv_g.\1")),
    SAM: (
        (r"query\.(.*)", r"layer_q.\1"),
        (r"key_h\.(.*)", r"layer_k.\1"),
        (r"key_m\.(.*)", r"layer_k2.\1"),
        (r"value_h\.(.*)", r"layer_v.\1"),
        (r"value_m\.(.*)", r"layer_v2.\1"),
        (r"fuse\.(.*)", r"layer_z.\1"),
        (r"gates\.(.*)", r"layer_m.\1"),
    ),
    Warp: ((r"mask\.(.*)", r"warp_gate.\1"), (r"conv\.(.*)", r"conv.\1")),
    MotionUnit: _UNIT,
    MotionGRU: (
        (r"encode\.(.*)", r"enc_list.{i}.\1"),
        (r"decode\.(.*)", r"dec_list.{i}.\1"),
        (r"gate\.(.*)", r"gate_list.{i}.\1"),
        *(
            (rf"motion\.{ours}", "+".join("motion_list.{i}." + each for each in theirs.split("+")))
            for ours, theirs in _UNIT
        ),
    ),
    HighwayEntry: ((r"conv\.(.*)", r"conv_first_v.\1"),),
    CausalLSTM: (*layer_rules(conv_c_new="conv_c2m", conv_m_new="conv_om"), *_LSTM),
    GradientHighway: layer_rules(conv_x="x_concat", conv_h="z_concat"),
    MIMN: _DIFFERENCES,
    UpperMIMN: _DIFFERENCES,
    MIM: (
        *layer_rules(conv_x="conv_x_cc", conv_h="conv_t_cc", conv_m="conv_s_cc"),
        *layer_rules(stationary__conv_e="conv_x_concat", stationary__conv_n="conv_h_concat"),
        (r"stationary\.peephole", "ct_weight"),
        (r"stationary\.peephole_o", "oc_weight"),
        (r"conv_last\.(.*)", r"conv_last.\1"),
    ),
}


def block_names(
    block: nn.Module,
    ours: str = "",
    theirs: str = "",
    layer: int = 0,
    table: Mapping[type[nn.Module], Rules] = RULES,
) -> dict[str, str]:
    """Our names under the prefix `ours` to released ones under `theirs`, for one block."""
    rules = next(rules for kind, rules in table.items() if isinstance(block, kind))

    def there(name: str) -> str:
        for pattern, replacement in rules:
            match = re.fullmatch(pattern, name)
            if match:
                return "+".join(theirs + part for part in match.expand(replacement).format(i=layer).split("+"))
        raise LookupError(f"{type(block).__name__}.{name} has no rule")

    return {ours + name: there(name) for name in block.state_dict()}


def cell_names(cell: Cell, ours: str = "", theirs: str = "", layer: int = 0) -> dict[str, str]:
    """The same for all stages of a cell; those beside the released cell (highway, motion) have no prefix there."""
    names: dict[str, str] = {}
    for index, stage in enumerate(cell.stages):
        if next(stage.parameters(), None) is None:
            continue
        found = block_names(stage, f"{ours}stages.{index}.", _prefix(stage, theirs, layer), layer)
        names |= {
            name: there.replace(f"{theirs}adapter", "adapter") for name, there in found.items()
        }  # one for all layers
    return names


def _prefix(stage: nn.Module, cell: str, layer: int) -> str:
    """How the released names of a stage begin: some stand beside the cell."""
    if isinstance(stage, (HighwayEntry, MotionGRU)):
        return ""
    if isinstance(stage, MIMN | UpperMIMN):
        return f"stlstm_layer_diff.{layer - 1}."
    return f"{cell}attention_layer." if isinstance(stage, SAM) else cell


#: The parts of a block that meet the input of its cell.
MEET_X: dict[type[nn.Module], tuple[str, ...]] = {
    STConvLSTM: ("conv_x",),
    ConvLSTM: ("conv_x",),
    CausalLSTM: ("conv_x",),
    GFM: ("local", "focus"),
    SimpleGFM: ("focus",),
    HighwayEntry: ("conv",),
}


def first_convolutions(cell: Cell, prefix: str) -> Iterator[str]:
    """Our names of the weights that meet the input of the bottom cell."""
    for index, stage in enumerate(cell.stages):
        if X not in stage.reads:  # type: ignore[operator]
            continue
        parts = [part for kind, parts in MEET_X.items() if isinstance(stage, kind) for part in parts]
        if not parts:
            raise LookupError(f"{type(stage).__name__} reads {X}, but MEET_X does not say by which weights")
        for part in parts:
            for name, value in stage.get_submodule(part).named_parameters():
                if value.ndim == 4:
                    yield f"{prefix}stages.{index}.{part}.{name}"
