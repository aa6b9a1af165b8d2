"""Released SimVP: its arguments as ours, for OpenSTL's `SimVP_Model` and its parts."""

from collections.abc import Callable
from typing import Any, Literal

from torch import nn

from ..blocks import GSTA, TAU, ConvMixerBlock, HorNetBlock, MogaBlock, PoolFormerBlock, SwinBlock, UniFormerBlock
from ..blocks.frames.autoencoder import ConvUnit, Decoder, Encoder
from ..blocks.layers import Pointwise
from ..blocks.maps.mixing import Mixing
from ..blocks.maps.timm_blocks import ConvNeXtBlock, MLPMixerBlock, ViTBlock
from ..blocks.translators.inception import Inception, InceptionUNet
from ..blocks.translators.names import TRANSLATORS, Place
from ..blocks.translators.translator import Translator
from ..borders.checks import choose
from ..core import DirectForecaster, create_model
from .arguments import Config, frames_of
from .names import Rules, block_names
from .plan import Plan

#: `model_type` there, in small letters, to the name of our translator.
TYPES = {name: name for name in ("gsta", "tau", "vit", "poolformer", "convmixer", "convnext", "van", "hornet")} | {
    "mlp": "mlpmixer",
    "mlpmixer": "mlpmixer",
    "moga": "moga",
    "moganet": "moga",
    "swin": "swin_unmasked",
    "uniformer": "uniformer",
}
#: The translator of the first SimVP, which is none of these.
INCEPTION = "incepu"

#: Options that a released block takes and ignores.
IGNORED = {"convmixer": ("mlp_ratio", "drop", "drop_path"), "convnext": ("drop",), "hornet": ("drop",)}

#: Buffers that we compute, and weights that gSTA's attention has in the repository of SimVPv2 but never uses.
UNUSED = r".*\.(relative_position_index|attn_mask)|.*spatial_gating_unit\.(fc\.\d|conv2_\w+)\.(weight|bias)"


def rules(**names: str) -> Rules:
    """Rules for parameters or whole modules, ours = theirs, with `__` for a dot."""
    pairs = {ours.replace("__", r"\."): theirs for ours, theirs in names.items()}
    return tuple((rf"{ours}(\.\w+)?", rf"{theirs}\1") for ours, theirs in pairs.items())


_TIMM = ((r"block\.(.*)", r"\1"),)
_NORMS = rules(norm1="norm1", norm2="norm2")
_LAYER_SCALES = rules(scale1="layer_scale_1", scale2="layer_scale_2")
_MLP = rules(mlp__0="mlp.fc1", mlp__3="mlp.fc2")
RULES: dict[type[nn.Module], Rules] = {
    Mixing: (
        *_NORMS,
        *_LAYER_SCALES,
        *rules(mixer__before="attn.proj_1", mixer__after="attn.proj_2"),
        *rules(
            mixer__attention__large__0="attn.spatial_gating_unit.conv0",
            mixer__attention__large__1="attn.spatial_gating_unit.conv_spatial",
            mixer__attention__dynamic__1="attn.spatial_gating_unit.fc.0",
            mixer__attention__dynamic__3="attn.spatial_gating_unit.fc.2",
        ),
        (r"mixer\.attention\.(?:split|static|across)\.(.*)", r"attn.spatial_gating_unit.conv1.\1"),
        *rules(mlp__widen="mlp.fc1", mlp__local="mlp.dwconv.dwconv", mlp__narrow="mlp.fc2"),
    ),
    ViTBlock: _TIMM,
    MLPMixerBlock: _TIMM,
    ConvNeXtBlock: _TIMM,
    SwinBlock: (*_NORMS, (r"attention\.(.*)", r"attn.\1"), (r"(mlp\..*)", r"\1")),
    PoolFormerBlock: (*_NORMS, *_LAYER_SCALES, *_MLP),
    ConvMixerBlock: rules(spatial="conv_dw", norm1="norm_1", across="conv_pw", norm2="norm_2"),
    HorNetBlock: (
        *_NORMS,
        *rules(scale1="gamma1", scale2="gamma2", mlp__0="pwconv1", mlp__3="pwconv2"),
        *rules(mixer__enter="gnconv.proj_in", mixer__local="gnconv.dwconv", mixer__leave="gnconv.proj_out"),
        (r"mixer\.widen\.(.*)", r"gnconv.pws.\1"),
    ),
    MogaBlock: (
        *_NORMS,
        *_LAYER_SCALES,
        *rules(mixer__enter="attn.proj_1", mixer__leave="attn.proj_2", mixer__gate="attn.gate"),
        *rules(mixer__decompose="attn.sigma", mixer__value="attn.value.PW_conv"),
        *rules(mixer__orders__near="attn.value.DW_conv0", mixer__orders__middle="attn.value.DW_conv1"),
        *rules(mixer__orders__far="attn.value.DW_conv2", mlp__widen="mlp.fc1", mlp__local="mlp.dwconv"),
        *rules(mlp__reduce="mlp.decompose", mlp__narrow="mlp.fc2", mlp__decompose="mlp.sigma"),
    ),
    UniFormerBlock: (
        *_NORMS,
        *_MLP,
        *rules(scale1="gamma_1", scale2="gamma_2", position="pos_embed"),
        *rules(mixer__0="conv1", mixer__1="attn", mixer__2="conv2"),
        (r"mixer\.attention\.(.*)", r"attn.\1"),
    ),
    Inception: (
        *rules(narrow="conv1"),
        (r"branches\.(\d+)\.0\.(.*)", r"layers.\1.conv.\2"),
        (r"branches\.(\d+)\.1\.(.*)", r"layers.\1.norm.\2"),
    ),
}


#: The way down and up of the U there.
UNET = {"down": "enc", "up": "dec"}


def names(module: nn.Module, ours: str = "", theirs: str = "") -> dict[str, str]:
    """Our names under the prefix `ours` to released ones under `theirs`."""
    if isinstance(module, tuple(RULES)):
        return block_names(module, ours, theirs, table=RULES)
    parts = _parts(module)
    if not parts:
        return {ours + name: theirs + name for name in module.state_dict()}
    found: dict[str, str] = {}
    for name, there in parts.items():
        found |= names(module.get_submodule(name), f"{ours}{name}.", f"{theirs}{there}.")
    return found


def _parts(module: nn.Module) -> dict[str, str]:
    """Our names of a module's parts to the released ones; none for a layer of torch."""
    match module:
        case DirectForecaster():
            return {"encoder": "enc", "translator": "hid", "decoder": "dec"}
        case Encoder():
            return {"first": "enc.0"} | {f"rest.{i}": f"enc.{i + 1}" for i in range(len(module.rest))}
        case Decoder():
            last = len(module.rest)
            ends = {"last": f"dec.{last}", "readout": "readout"}
            return {f"rest.{i}": f"dec.{i}" for i in range(last)} | ends
        case ConvUnit():
            return {"conv": "conv.conv.0" if module.up else "conv.conv", "norm": "conv.norm"}
        case Translator():
            blocks = {f"blocks.{i}": f"enc.{i}.block" for i in range(len(module.blocks))}
            return blocks | {f"resize.{i}": f"enc.{i}.reduction" for i in range(len(module.resize))}
        case InceptionUNet():
            return {f"{ours}.{i}": f"{there}.{i}" for ours, there in UNET.items() for i in range(len(module.down))}
    return {}


def plan(module: nn.Module) -> Plan:
    """One of our modules beside the released one of the same content."""
    return Plan(module, names(module), UNUSED)


def _conv_unit(config: Config) -> Plan:
    resample: Literal["up", "down"] | None = "down" if config.get("downsampling") else None
    if config.get("upsampling"):  # without a stride there, whatever it says of downsampling
        resample = "up"
    unit = ConvUnit(config["C_in"], config["C_out"], kernel_size=config["kernel_size"], resample=resample)
    if config.get("act_norm", True):
        return plan(unit)
    # without norm and activation it is a convolution, with the weights of a norm
    if unit.up:
        shuffled = nn.Sequential(unit.conv, nn.PixelShuffle(2))
        return Plan(shuffled, names(unit.conv, "0.", "conv.conv.0."), r"conv\.norm\..*")
    return Plan(unit.conv, names(unit.conv, theirs="conv.conv."), r"conv\.norm\..*")


def _layers(config: Config) -> int:
    """Of encoder and decoder: an odd one is lost there."""
    layers: int = config["N_S"] // 2 * 2
    return layers


def _encoder(config: Config) -> Plan:
    sizes = config["C_in"], config["C_hid"]
    return plan(Encoder(*sizes, num_layers=_layers(config), kernel_size=config["spatio_kernel"]))


def _decoder(config: Config) -> Plan:
    sizes = config["C_hid"], config["C_out"]
    return plan(Decoder(*sizes, num_layers=_layers(config), kernel_size=config["spatio_kernel"]))


def _inception(config: Config) -> Plan:
    groups = _groups(config["C_hid"], config["groups"])
    sizes = config["C_in"], config["C_hid"], config["C_out"]
    return plan(Inception(*sizes, kernel_sizes=config["incep_ker"], groups=groups))


def _groups(channels: int, groups: int) -> int:
    """Groups that do not divide the channels are one there."""
    return groups if channels % groups == 0 else 1


def _sub_block(block: Callable[..., Mixing]) -> Callable[[Config], Plan]:
    return lambda config: plan(block(config["dim"], kernel_size=config["kernel_size"], mlp_ratio=config["mlp_ratio"]))


def _meta_block(config: Config) -> Plan:
    """A block, and a 1x1 convolution where the width changes."""
    before, after = config["in_channels"], config["out_channels"]
    height, width = config["input_resolution"]
    name, options = _translator(config, height, width)
    place = Place(config["layer_i"], (height, width), resized=before != after)
    block = TRANSLATORS.find(name).make(before, place, **options)
    module = nn.Sequential(block) if before == after else nn.Sequential(block, Pointwise(before, after))
    found = names(block, "0.", "block.")
    if before != after:
        found |= names(module[1], "1.", "reduction.")
    return Plan(module, found, UNUSED)


def _type(config: Config, *more: str) -> str:
    """`model_type` in small letters: one of `TYPES`, or of more."""
    given = config.get("model_type")
    return choose("model_type", "gsta" if given is None else str(given).lower(), (*TYPES, *more))


def _translator(config: Config, height: int, width: int) -> tuple[str, dict[str, Any]]:
    """Name of our translator, and those of its options that the released block does not ignore, on such a map."""
    name = TYPES[_type(config)]
    given = {"mlp_ratio": config.get("mlp_ratio", 8.0)} | {key: config.get(key, 0.0) for key in ("drop", "drop_path")}
    if name == "swin_unmasked":
        given["window_size"] = _window(height, width)
    return name, {key: value for key, value in given.items() if key not in IGNORED.get(name, ())}


def _window(height: int, width: int) -> int:
    """Side of the windows there: by a rule on the height, and no larger than the map."""
    return min(7 if height % 7 == 0 else max(4, height // 16), 8, height, width)


def _model(config: Config) -> Plan:
    frames, channels, height, width = frames_of(config)
    kernel_size, of_decoder = (config.get(f"spatio_kernel_{part}", 3) for part in ("enc", "dec"))
    options: dict[str, Any] = {
        "in_channels": channels,
        "image_size": (height, width),
        "in_frames": frames,
        "out_frames": frames,
        "channels": config["hid_S"],
        "encoder_layers": _layers(config),
        "kernel_size": kernel_size,
        "decoder_kernel_size": None if of_decoder == kernel_size else of_decoder,
        "translator_channels": config["hid_T"],
        "num_layers": config["N_T"],
    }
    scale = 2 ** (config["N_S"] / 2)
    if _type(config, INCEPTION) == INCEPTION:
        return plan(create_model("simvp", **options, groups=_groups(config["hid_T"] // 2, 8)))
    resolution = int(height / scale), int(width / scale)  # what the released blocks are made for
    name, of_blocks = _translator(config, *resolution)
    window, least = of_blocks.get("window_size"), min(height, width) // 2 ** (config["N_S"] // 2)
    if window and min(resolution) <= window < least and config["N_T"] > 1:
        raise ValueError(
            f"N_S must be even for model_type={config['model_type']!r} and in_shape={list(config['in_shape'])}, got "
            f"{config['N_S']}: the released windows are those of a smaller map, {resolution[0]} x {resolution[1]}, "
            "where one covers a side and none is shifted; ours are shifted, as the map is larger."
        )
    return plan(create_model("simvpv2_s", **options, translator=name, **of_blocks))


KINDS: dict[str, Callable[[Config], Plan]] = {
    "simvp/convsc": _conv_unit,
    "simvp/encoder": _encoder,
    "simvp/decoder": _decoder,
    "simvp/inception": _inception,
    "simvp/gsta": _sub_block(GSTA),
    "simvp/tau": _sub_block(TAU),
    "simvp/metablock": _meta_block,
    "simvp/model": _model,
}
