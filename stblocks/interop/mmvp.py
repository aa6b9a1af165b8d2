"""Released MMVP: its arguments as ours, for OpenSTL's `MMVP_Model` and its parts."""

from collections.abc import Callable

from torch import nn

from ..blocks.maps.rrdb import RRDB
from ..blocks.sequences.matrix_predictor import Conv3D, MatrixPredictor
from ..blocks.sequences.mmvp import MMVP, Down, Up
from ..core import create_model
from .arguments import Config, check_fixed, counts_of, frames_of
from .plan import Plan

#: Parts that the released code makes and never uses.
UNUSED = r"(hid\.scale_fuser_\d\..*|(hid\.predictor\.)?fuse_conv\..*)"


def _predictor_parts(module: MatrixPredictor) -> dict[str, str]:
    convs = {"before.0": "_pre_1", "before.1": "_pre_2", "halve": "1_1", "quarter": "2_1", "up": "3_1", "leave": "4_1"}
    parts = {"enter": "conv1", "readout": "out_conv", "over_time": "predictor.conv3d_1"}
    parts |= {f"{ours}.0": f"predictor.conv{theirs}" for ours, theirs in convs.items()}
    parts |= {f"{ours}.1": f"predictor.bn{theirs}" for ours, theirs in convs.items()}
    parts |= {"translate.0": "predictor.conv_translate.0", "translate.2": "predictor.bn_translate"}
    return parts | {"deep": "predictor.temporal_layer"}


def _model_parts(module: MMVP) -> dict[str, str]:
    downs, ups, enhanced = len(module.downs), len(module.ups), len(module.enhance) - 1
    parts = {"enter": "enc.inconv", "encode": "enc.block_rrdb", "filters": "filter.filter_block"}
    parts |= {f"downs.{i}": f"enc.pre_downsample_block.{i}" for i in range(downs - 2)}
    parts |= {f"downs.{downs - 2}": "enc.downsample_high", f"downs.{downs - 1}": "enc.downsample_low"}
    parts |= {"predictor": "hid.predictor", "ups.0": "dec.upsample_block_low2high"}
    parts |= {f"ups.{i}": f"dec.upsample_block.{i - 1}" for i in range(1, ups)}
    parts |= {"decode": "dec.rrdb_block", "leave": "dec.outc"}
    parts |= {f"enhance.{i}": f"enhance.model.{i}" for i in range(enhanced)}
    return parts | {f"enhance.{enhanced}": "enhance.outconv"}


def _parts(module: nn.Module) -> dict[str, str]:
    """Our names of a module's parts to the released ones; none for a layer of torch."""
    match module:
        case MMVP():
            return _model_parts(module)
        case MatrixPredictor():
            return _predictor_parts(module)
        case Down():
            return {"first": "conv1", "second": "conv2", "shortcut": "shortcut"}
        case Up():
            return {"up": "up", "conv": "conv.conv.0"}
        case RRDB():
            return {f"dense.{i}.convs.{j}": f"RDB{i + 1}.conv{j + 1}" for i in range(3) for j in range(4)}
        case Conv3D():
            return {"conv": "conv3d", "norm": "bn3d"}
        case nn.Sequential() | nn.ModuleList():
            return {name: name for name, _ in module.named_children()}
    return {}


def names(module: nn.Module, ours: str = "", theirs: str = "") -> dict[str, str]:
    """Our names under the prefix `ours` to released ones under `theirs`."""
    found: dict[str, str] = {}
    parts = _parts(module)
    for name, there in parts.items():
        found |= names(module.get_submodule(name), f"{ours}{name}.", f"{theirs}{there}.")
    return found if parts else {ours + name: theirs + name for name in module.state_dict()}


def plan(module: nn.Module) -> Plan:
    """One of our modules beside the released one of the same content."""
    return Plan(module, names(module), UNUSED)


def _predictor(config: Config) -> Plan:
    check_fixed(config, use_direct_predictor=True)
    return plan(MatrixPredictor(config["hidden_len"], config["T"] - 1, config["aft_seq_length"]))


def _model(config: Config) -> Plan:
    check_fixed(config, use_direct_predictor=True)
    frames, channels, height, width = frames_of(config)
    model = create_model(
        "mmvp",
        channels,
        (height, width),
        in_frames=frames,
        out_frames=config["aft_seq_length"],
        channels=config["hid_S"],
        matrix_channels=config["hid_T"],
        depths=[config.get(f"rrdb_{part}_num", 2) for part in ("encoder", "decoder", "enhance")],
        factors=counts_of({"downsample_setting": "2,2,2", **config}, "downsample_setting"),
        scrambled=channels > 1,
    )
    multiple = model.size_multiple
    if height % multiple or width % multiple:
        raise ValueError(
            f"in_shape must have a height and a width that are multiples of {multiple}, twice the product of "
            f"downsample_setting, got {list(config['in_shape'])}: there, the released model resizes its maps, and ours "
            "pads the frames."
        )
    return Plan(model, names(model.network, "network."), UNUSED)


KINDS: dict[str, Callable[[Config], Plan]] = {
    "mmvp/rrdb": lambda config: plan(RRDB(config["nf"])),
    "mmvp/resblock": lambda config: plan(Down(config["in_channels"], config["out_channels"], config["factor"])),
    "mmvp/predictor": _predictor,
    "mmvp/model": _model,
}
