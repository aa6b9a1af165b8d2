"""Released VMRNN and SwinLSTM: their arguments as ours, for OpenSTL's models and those built on it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from ..blocks import SS2D, VMRNN, VSS, PatchEmbed, PatchExpanding, PatchInflate, PatchMerging, SwinBlock, SwinLSTM
from ..core import Cell, RecurrentForecaster, create_model
from . import simvp
from .arguments import Config, check_fixed, counts_of, frames_of, settings_of
from .names import Rules, block_names
from .plan import Plan

_SS2D: Rules = (
    (r"in_proj\.weight", "in_proj.weight"),
    (r"conv\.(.*)", r"conv2d.\1"),
    ("x_proj", "x_proj_weight"),
    ("dt_proj", "dt_projs_weight"),
    ("dt_bias", "dt_projs_bias"),
    ("A_log", "A_logs"),
    ("D", "Ds"),
    (r"norm\.(.*)", r"out_norm.\1"),
    (r"out_proj\.weight", "out_proj.weight"),
)
RULES: dict[type[nn.Module], Rules] = {
    SS2D: _SS2D,
    VSS: ((r"norm\.(.*)", r"ln_1.\1"), *((rf"ss2d\.{ours}", f"self_attention.{theirs}") for ours, theirs in _SS2D)),
    SwinBlock: simvp.RULES[SwinBlock],
    PatchEmbed: ((r"conv\.(.*)", r"proj.\1"), (r"(norm\..*)", r"\1")),
    PatchMerging: ((r"linear\.(.*)", r"reduction.\1"), (r"(norm\..*)", r"\1")),
    PatchExpanding: ((r"linear\.(.*)", r"expand.\1"), (r"(norm\..*)", r"\1")),
    PatchInflate: ((r"conv\.(.*)", r"Conv.\1"), (r"grow\.(.*)", r"Conv_.\1")),
}

#: Options of the released SS2D as ours.
SCAN = {"d_state": "state_dim", "d_conv": "kernel_size", "expand": "expand", "dt_rank": "dt_rank"}

#: Projections that no forward uses, the patch embedding of the way up, and buffers that are made afresh here.
DEAD = (
    r"(.*\.)?VSBs\.[1-9]\d*\.linear\..*|(.*\.)?STBs\.\d*[13579]\.red\..*|Upsample\.patch_embed\..*|"
    r".*(relative_position_index|attn_mask)"
)


def part_names(part: nn.Module, ours: str = "", theirs: str = "") -> dict[str, str]:
    """Our names under the prefix `ours` to released ones under `theirs`; projections belong to a block there."""
    if not isinstance(part, VMRNN | SwinLSTM):
        return block_names(part, ours, theirs, table=RULES)
    if isinstance(part, VMRNN):
        blocks, projections = "VSBs", {"projection": "0.linear"}
    else:
        count = len(part.projections)
        blocks, projections = "STBs", {f"projections.{index}": f"{2 * index}.red" for index in range(count)}
    names = {
        f"{ours}{here}.{kind}": f"{theirs}{blocks}.{there}.{kind}"
        for here, there in projections.items()
        for kind in ("weight", "bias")
    }
    for index, block in enumerate(part.blocks):
        names |= block_names(block, f"{ours}blocks.{index}.", f"{theirs}{blocks}.{index}.", table=RULES)
    return names


def _block_plan(block: nn.Module, unused: str = DEAD) -> Plan:
    return Plan(block, part_names(block), unused)


def _swin_cell(config: Config) -> SwinLSTM:
    check_fixed(config, qkv_bias=True)
    window, least = config["window_size"], min(config["input_resolution"])
    cell = SwinLSTM(
        config["dim"],
        depth=config["depth"],
        num_heads=config["num_heads"],
        window_size=min(window, least),
        mlp_ratio=config["mlp_ratio"],
    )
    if least <= window:  # no side is shifted there, not even a longer one
        for block in cell.blocks:
            block.shift = False  # type: ignore[assignment]
    return cell


def _inflate(config: Config) -> PatchInflate:
    """The released one makes frames of the size that the patches had for these sides alone."""
    patch = config["patch_size"]
    if patch not in (2, 4, 8):
        raise ValueError(
            f"patch_size must be 2, 4 or 8, got {patch}: the released frames are of another size for others."
        )
    return PatchInflate(config["embed_dim"], config["in_chans"], patch_size=patch)


def _scan_options(config: Config) -> dict[str, Any]:
    """Our options of SS2D for the released ones; what is not given has the same default on both sides."""
    given = {**config.get("kwargs", {}), **config}
    check_fixed(given, bias=False, conv_bias=True)
    return {ours: given[theirs] for theirs, ours in SCAN.items() if theirs in given}


def _scan_model_options(config: Config, given: Config) -> dict[str, Any]:
    """The same of a model, and of the dropping of branches what is given."""
    rate = {"drop_path": given["drop_path_rate"]} if "drop_path_rate" in given else {}
    return _scan_options(config) | rate


def _swin_options(config: Config) -> dict[str, Any]:
    given = {**settings_of(config), **config}
    heads = given["num_heads"] if isinstance(given["num_heads"], int) else counts_of(given, "num_heads")
    return {"num_heads": heads, "window_size": given["window_size"]}


def _model_plan(name: str, config: Config, **options: Any) -> Plan:
    """Our registered model beside a released one, with one cell or with a U of them."""
    settings = settings_of(config)
    _, channels, height, width = frames_of(settings)
    if name.endswith("_d"):
        down, up = (counts_of(config, f"depths_{way}sample") for way in ("down", "up"))
        options |= {"depths_down": down, "depths_up": up[::-1]}
    else:
        options |= {"depth": settings["depths"]}
    model: RecurrentForecaster = create_model(
        name,
        in_channels=channels,
        image_size=(height, width),
        channels=settings["embed_dim"],
        patch_size=settings["patch_size"],
        **options,
    )
    names: dict[str, str] = {}
    for (ours, part), theirs in zip(_parts(model), _released_parts(model), strict=True):
        names |= part_names(part, ours, theirs)
    side = min(height, width) // settings["patch_size"] * settings["embed_dim"]  # of the map, times its channels
    middles = [
        f"{name}.attention.relative_position_bias_table"
        for name, block in model.named_modules()
        if isinstance(block, SwinBlock) and block.window_size > side // block.widths["h"]
    ]
    return Plan(model, names, DEAD, middles=middles)


def _parts(model: RecurrentForecaster) -> list[tuple[str, nn.Module]]:
    """Stem, head and layers of our model, with the prefixes of their names."""
    parts = [("stem.", model.stem), ("head.0.", model.head.get_submodule("0"))]
    for index, layer in enumerate(model.stack.layers):
        inner = "stages.0." if isinstance(layer, Cell) else ""
        parts.append((f"stack.layers.{index}.{inner}", layer.get_submodule(inner[:-1])))
    return parts


def _released_parts(model: RecurrentForecaster) -> list[str]:
    """Prefixes of the same parts in the released model."""
    merges = len(model.stack.layers) // 4
    if not merges:
        return ["ST.patch_embed.", "ST.patch_inflated.", "ST.layer."]
    ends = ["Downsample.patch_embed.", "Upsample.Unembed."]
    ways = (("Downsample", "downsample"), ("Upsample", "upsample"))
    return ends + [
        f"{way}.{part}.{level}." for way, change in ways for level in range(merges) for part in ("layers", change)
    ]


KINDS: dict[str, Callable[[Config], Plan]] = {
    "vmrnn/ss2d": lambda c: _block_plan(SS2D(c["d_model"], **_scan_options(c))),
    "vmrnn/vssblock": lambda c: _block_plan(VSS(c["hidden_dim"], mixer=partial(SS2D, **_scan_options(c)))),
    "vmrnn/vsb": lambda c: _block_plan(VSS(c["hidden_dim"], mixer=partial(SS2D, **_scan_options(c))), r"linear\..*"),
    "vmrnn/cell": lambda c: _block_plan(VMRNN(c["hidden_dim"], depth=c["depth"], **_scan_options(c))),
    "vmrnn/patch_merging": lambda c: _block_plan(PatchMerging(c["dim"])),
    "vmrnn/patch_expanding": lambda c: _block_plan(PatchExpanding(c["dim"])),
    "vmrnn/patch_inflated": lambda c: _block_plan(_inflate(c)),
    "vmrnn/model_b": lambda c: _model_plan("vmrnn_b", c, **_scan_model_options(c, settings_of(c))),
    "vmrnn/model_d": lambda c: _model_plan("vmrnn_d", c, **_scan_model_options(c, c.get("kwargs", {}))),
    "swinlstm/cell": lambda c: _block_plan(_swin_cell(c)),
    "swinlstm/patch_inflated": lambda c: _block_plan(PatchInflate(c["embed_dim"], c["in_chans"], patch_size=2)),
    "swinlstm/model_b": lambda c: _model_plan("swinlstm_b", c, **_swin_options(c)),
    "swinlstm/model_d": lambda c: _model_plan("swinlstm_d", c, **_swin_options(c)),
}
