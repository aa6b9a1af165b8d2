"""Released E3D-LSTM: its arguments as ours. Where paper and release differ, these take the options of the release."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from ..blocks import E3DLSTM
from ..borders.checks import check_positive
from ..core import RecurrentForecaster, create_model
from .arguments import Config, frames_of, settings_of, width_of
from .names import Rules, block_names
from .plan import Plan, patch_order

RENAMED = {"conv_m": "conv_gm", "conv_c_new": "conv_new_cell", "conv_m_new": "conv_new_gm"}
RULES: dict[type[nn.Module], Rules] = {
    E3DLSTM: (
        *((rf"{ours}\.conv\.weight", f"{theirs}.0.conv3d.weight") for ours, theirs in RENAMED.items()),
        *((rf"{ours}\.norm\.(.*)", rf"{theirs}.1.\1") for ours, theirs in RENAMED.items()),
        (r"(conv_[xh])\.conv\.weight", r"\1.0.conv3d.weight"),
        (r"(conv_[xh])\.norm\.(.*)", r"\1.1.\2"),
        (r"conv_last\.conv\.weight", r"conv_last.conv3d.weight"),
        (r"memory_norm\.(.*)", r"_norm_c_t.\1"),
    )
}
RELEASED: dict[str, Any] = {
    "time_padding": "stretch",
    "tokens": "runs",
    "memory": "dropped",
    "output_gate": "sigmoid_tanh",
}


def _flat(axis: int, value: Tensor) -> Tensor:
    """Channels and frames, which are two axes there, as one."""
    return value.flatten(axis, axis + 1)


def _norms(names: Mapping[str, str]) -> dict[str, Callable[[Tensor], Tensor]]:
    return {name: partial(_flat, 0) for name in names if "norm." in name}


def _cell(config: Config) -> Plan:
    depth, side, other = config["filter_size"]
    window, height, width = config["window_length"], config["height"], config["width"]
    if side != other:
        raise ValueError(f"filter_size must be square in space, got {config['filter_size']}.")

    def norm(channels: int) -> nn.Module:
        return nn.LayerNorm([channels, height, width])

    block = E3DLSTM(
        config["in_channel"] * window,
        config["num_hidden"] * window,
        first=False,
        window=window,
        kernel_size=side,
        kernel_depth=depth,
        recall=config.get("history", 20),
        memory_norm=norm,
        norm=norm if config["layer_norm"] else None,
        **RELEASED,
    )
    names = block_names(block, table=RULES)
    return Plan(block, names, made=_norms(names))


def _recall(settings: Config) -> int:
    """Enough for all memories of a sequence, none of which the released model forgets; it reads no `total_length`."""
    parts, total = ("pre_seq_length", "aft_seq_length"), settings.get("total_length", 1)
    frames = {part: settings[part] for part in parts if part in settings or "total_length" not in settings}
    check_positive(total_length=total, **frames)
    return max(total, sum(frames.values()))


def _model(config: Config) -> Plan:
    """The released windows are of 2 frames and kernels of 2 x 5 x 5, whatever the configuration says."""
    settings = settings_of(config)
    _, channels, height, width = frames_of(settings)
    patch = settings["patch_size"]
    model: RecurrentForecaster = create_model(
        "e3d_lstm",
        in_channels=channels,
        image_size=(height, width),
        channels=2 * width_of(config),
        num_layers=config["num_layers"],
        patch_size=patch,
        kernel_size=5,
        recall=_recall(settings),
        norm="layer" if settings["layer_norm"] else None,
        **RELEASED,
    )
    names: dict[str, str] = {}
    for index in range(config["num_layers"]):
        ours = f"stack.layers.{index}.stages.0."
        names |= block_names(model.get_submodule(ours[:-1]), ours, f"cell_list.{index}.", table=RULES)
    order = patch_order(channels, patch)
    return Plan(
        model,
        names | {"head.0.weight": "conv_last.weight"},
        patch_inputs={"stack.layers.0.stages.0.conv_x.conv.weight": order},
        patch_outputs={"head.0.weight": order},
        made=_norms(names) | {"head.0.weight": partial(_flat, 1)},
    )


KINDS: dict[str, Callable[[Config], Plan]] = {"e3dlstm/cell": _cell, "e3dlstm/model": _model}
